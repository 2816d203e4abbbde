package failpoint

import "testing"

func TestCountTermsFireExactly(t *testing.T) {
	var r Registry
	if r.On(StorageAppend) {
		t.Fatal("fires while unarmed")
	}
	if err := r.Arm(StorageAppend, `1*off->2*return("io")`); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 4 {
		got = append(got, r.Value(StorageAppend))
	}
	want := []string{"", "io", "io", ""}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("values %q, want %q", got, want)
		}
	}
	if r.Hits(StorageAppend) != 2 {
		t.Fatalf("%d hits, want 2", r.Hits(StorageAppend))
	}
	r.Disarm(StorageAppend)
	if r.On(StorageAppend) {
		t.Fatal("fires after Disarm")
	}
}

func TestRegistriesAreApart(t *testing.T) {
	var a, b Registry
	if err := a.Arm(RaftPersist, "return(true)"); err != nil {
		t.Fatal(err)
	}
	if b.On(RaftPersist) || !a.On(RaftPersist) {
		t.Fatal("arming one registry reached another")
	}
}

func TestArmRefusesWhatIsNotDeterministic(t *testing.T) {
	var r Registry
	for _, terms := range []string{"50%return(true)", "sleep(10)", "panic", "pause", "", "return(true)->sleep(1)"} {
		if err := r.Arm(StorageSync, terms); err == nil {
			t.Errorf("terms %q were accepted", terms)
		}
	}
	if err := r.Arm("no/such", "return(true)"); err == nil {
		t.Error("an unknown name was accepted")
	}
}

func BenchmarkUnarmed(b *testing.B) {
	var r Registry
	for b.Loop() {
		if r.On(StorageAppend) {
			b.Fatal("fired")
		}
	}
}
