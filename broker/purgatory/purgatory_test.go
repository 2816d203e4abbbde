package purgatory

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// diary notes what happened to operations, in order.
type diary []string

func (d *diary) expire(name string) func(int64) {
	return func(now int64) { *d = append(*d, fmt.Sprintf("%s expired at %d", name, now)) }
}

// when completes an operation once *ready.
func (d *diary) when(name string, ready *bool) func(int64) bool {
	return func(now int64) bool {
		if *ready {
			*d = append(*d, fmt.Sprintf("%s done at %d", name, now))
		}
		return *ready
	}
}

func (d *diary) want(t *testing.T, lines ...string) {
	t.Helper()
	if diff := cmp.Diff(diary(lines), *d); diff != "" {
		t.Fatal(diff)
	}
}

func TestOperationThatIsCompleteDoesNotWait(t *testing.T) {
	var d diary
	p, yes := New[string](), true
	if op := p.Watch(1, []string{"a"}, 9, d.when("x", &yes), d.expire("x")); op != nil || p.Len() != 0 {
		t.Fatal("still waits")
	}
	d.want(t, "x done at 1")
}

func TestOperationsAreTriedInTheOrderOfRegistration(t *testing.T) {
	var d diary
	p, ready := New[string](), false
	for _, name := range []string{"x", "y", "z"} {
		p.Watch(0, []string{"a"}, 9, d.when(name, &ready), d.expire(name))
	}
	if p.Check(1, "a") != 0 || p.Check(1, "b") != 0 {
		t.Fatal("completed early")
	}
	ready = true
	if p.Check(2, "a") != 3 {
		t.Fatal("not all completed")
	}
	d.want(t, "x done at 2", "y done at 2", "z done at 2")
	if p.Len() != 0 || p.Deadline() != Never || p.Watched("a") != 0 {
		t.Fatal("something is left")
	}
}

func TestAnyKeyCompletesAndLeavesNothingAtTheOthers(t *testing.T) {
	var d diary
	p, ready := New[string](), false
	p.Watch(0, []string{"a", "b", "c"}, 9, d.when("x", &ready), d.expire("x"))
	ready = true
	p.Check(1, "b")
	p.Check(2, "a")
	p.Tick(10)
	d.want(t, "x done at 1")
	for _, k := range []string{"a", "b", "c"} {
		if p.Watched(k) != 0 {
			t.Fatalf("still at %s", k)
		}
	}
}

func TestExpiryGoesByDeadlineThenRegistration(t *testing.T) {
	var d diary
	p, never := New[string](), false
	for _, o := range []struct {
		name string
		at   int64
	}{{"late", 9}, {"first", 5}, {"second", 5}, {"early", 3}} {
		p.Watch(0, []string{"a"}, o.at, d.when(o.name, &never), d.expire(o.name))
	}
	if p.Deadline() != 3 {
		t.Fatalf("deadline %d", p.Deadline())
	}
	if p.Tick(2) != 0 || p.Tick(5) != 3 || p.Deadline() != 9 {
		t.Fatal("wrong expiries")
	}
	d.want(t, "early expired at 5", "first expired at 5", "second expired at 5")
}

func TestCancelledOperationIsSilent(t *testing.T) {
	var d diary
	p, ready := New[string](), false
	x := p.Watch(0, []string{"a"}, 5, d.when("x", &ready), d.expire("x"))
	p.Cancel(x)
	p.Cancel(x)
	p.Cancel(nil)
	ready = true
	p.Check(1, "a")
	p.Tick(9)
	d.want(t)
}

// Completing one operation may complete, cancel or add others of the same key.
func TestOperationsMayTouchThePurgatory(t *testing.T) {
	var d diary
	p, ready := New[string](), false
	var victim *Operation[string]
	p.Watch(0, []string{"a"}, 9, func(now int64) bool {
		if !ready {
			return false
		}
		p.Cancel(victim)
		p.Watch(now, []string{"a"}, 9, func(int64) bool { d = append(d, "new tried"); return false }, d.expire("new"))
		p.Check(now, "a") // completes y and tries the new one, not itself
		d = append(d, "x done")
		return true
	}, d.expire("x"))
	victim = p.Watch(0, []string{"a"}, 9, d.when("victim", &ready), d.expire("victim"))
	p.Watch(0, []string{"a"}, 9, d.when("y", &ready), d.expire("y"))
	ready = true
	p.Check(1, "a")
	d.want(t, "new tried", "y done at 1", "new tried", "x done")
	if p.Len() != 1 {
		t.Fatalf("%d left", p.Len())
	}
}

func TestOperationMayCancelItself(t *testing.T) {
	p, tried := New[string](), 0
	var x *Operation[string]
	x = p.Watch(0, []string{"a"}, 9, func(int64) bool { tried++; p.Cancel(x); return tried > 1 }, func(int64) { t.Error("expired") })
	p.Check(1, "a")
	p.Check(2, "a")
	p.Tick(9)
	if tried != 2 || p.Len() != 0 {
		t.Fatalf("tried %d times, %d left", tried, p.Len())
	}
}

func TestExpiryThatWaitsAgainDoesNotSpin(t *testing.T) {
	p, expired := New[string](), 0
	var again func(now int64)
	again = func(now int64) {
		expired++
		p.Watch(now, nil, now, func(int64) bool { return false }, again)
	}
	again(0)
	if p.Tick(0) != 1 || expired != 2 || p.Deadline() != 0 {
		t.Fatalf("expired %d times", expired)
	}
}

// A purgatory does what a plain list of operations would do.
func TestPurgatoryIsAListOfOperations(t *testing.T) {
	type plain struct {
		id, deadline int64
		keys         []int
		threshold    int
		op           *Operation[int]
	}
	rapid.Check(t, func(t *rapid.T) {
		p := New[int]()
		var list []*plain
		level := map[int]int{} // by key; an operation completes at its threshold
		var got, want []string
		reached := func(o *plain) bool {
			return slices.ContainsFunc(o.keys, func(k int) bool { return level[k] >= o.threshold })
		}
		drop := func(o *plain) { list = slices.DeleteFunc(list, func(q *plain) bool { return q == o }) }
		now := int64(0)
		for i := range int64(rapid.IntRange(1, 60).Draw(t, "steps")) {
			now += int64(rapid.IntRange(0, 3).Draw(t, "pass"))
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				o := &plain{id: i, deadline: now + int64(rapid.IntRange(0, 10).Draw(t, "wait")), threshold: rapid.IntRange(1, 6).Draw(t, "threshold")}
				o.keys = rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 1, 3, rapid.ID[int]).Draw(t, "keys")
				try := func(int64) bool {
					if reached(o) {
						got = append(got, fmt.Sprint("done ", o.id))
						return true
					}
					return false
				}
				o.op = p.Watch(now, o.keys, o.deadline, try, func(int64) { got = append(got, fmt.Sprint("expired ", o.id)) })
				if reached(o) {
					want = append(want, fmt.Sprint("done ", o.id))
				} else {
					list = append(list, o)
				}
			case 2:
				k := rapid.IntRange(0, 3).Draw(t, "key")
				level[k]++
				p.Check(now, k)
				for _, o := range slices.Clone(list) {
					if slices.Contains(o.keys, k) && reached(o) {
						want = append(want, fmt.Sprint("done ", o.id))
						drop(o)
					}
				}
			case 3:
				p.Tick(now)
				due := slices.Clone(list)
				slices.SortStableFunc(due, func(a, b *plain) int { return int(a.deadline - b.deadline) })
				for _, o := range due {
					if o.deadline <= now {
						want = append(want, fmt.Sprint("expired ", o.id))
						drop(o)
					}
				}
			case 4:
				if len(list) > 0 {
					o := list[rapid.IntRange(0, len(list)-1).Draw(t, "which")]
					p.Cancel(o.op)
					drop(o)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
			next := Never
			for _, o := range list {
				next = min(next, o.deadline)
			}
			if p.Len() != len(list) || p.Deadline() != next {
				t.Fatalf("%d operations until %d, want %d until %d", p.Len(), p.Deadline(), len(list), next)
			}
		}
	})
}

func BenchmarkWatchAndComplete(b *testing.B) {
	p := New[int]()
	keys := []int{7}
	ready := false
	try := func(int64) bool { return ready }
	expire := func(int64) {}
	b.ReportAllocs()
	for b.Loop() {
		ready = false
		p.Watch(0, keys, 9, try, expire)
		ready = true
		if p.Check(1, 7) != 1 {
			b.Fatal("not completed")
		}
	}
}
