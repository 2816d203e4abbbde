package simtest

import "testing"

func TestReproducer(t *testing.T) {
	for _, c := range []struct{ test, function, want string }{
		{"TestA", "example.com/a/b.TestA", "go test example.com/a/b -run '^TestA$'"},
		{"TestA/x(1)", "b_test.TestA.func1", `go test b -run '^TestA$/^x\(1\)$'`},
		{"TestA", "example.com/v%2e2.TestA", "go test example.com/v.2 -run '^TestA$'"},
	} {
		if got := reproducer(c.test, packageOf(c.function)); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.test, c.function, got, c.want)
		}
	}
	if got := testedPackage(); got != "odradek/sim/simtest" {
		t.Errorf("this test is in %s", got)
	}
}
