package load

import (
	"testing"
)

func TestNumbersFindWhatIsMissingAndWhatIsThereTwice(t *testing.T) {
	var sent, received numbers
	for n := range int64(1000) {
		sent.add(n)
		if n != 17 && n < 990 {
			if !received.add(n) {
				t.Fatalf("%d was there already", n)
			}
		}
	}
	if received.add(3) {
		t.Error("a duplicate was not found")
	}
	if got := sent.without(&received); got != 11 {
		t.Errorf("%d missing, want 11", got)
	}
	if got := received.without(&sent); got != 0 {
		t.Errorf("%d too many", got)
	}
}

func TestHeaderOfAValue(t *testing.T) {
	v := make([]byte, header)
	want := id{513, 1<<39 + 5}
	for _, due := range []int64{backlog, 1, 1 << 60} {
		want.write(v, due)
		if got, at, ok := read(v); !ok || got != want || at != due {
			t.Errorf("%v %v %v, want %v %v", got, at, ok, want, due)
		}
	}
	if _, _, ok := read(v[:header-1]); ok {
		t.Error("too short a value was read")
	}
}
