package sim

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"odradek/broker/env"
)

func at(k *Kernel, t Time, p *Proc, fn func()) Handle {
	return k.Schedule(Event{At: t, Proc: p, Kind: k.Kind("test"), Do: Func(fn)})
}

func TestEventsRunInOrderOfTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := New(rapid.Uint64().Draw(t, "seed"))
		type planned struct {
			at     Time
			handle Handle
		}
		var plan []planned
		var ran []Time
		for range rapid.IntRange(1, 200).Draw(t, "events") {
			when := Time(rapid.IntRange(0, 20).Draw(t, "at"))
			plan = append(plan, planned{when, at(k, when, nil, func() { ran = append(ran, k.Now()) })})
		}
		var want []Time
		for i, p := range plan {
			if rapid.IntRange(0, 3).Draw(t, "stop") == 0 {
				if !p.handle.Stop() || p.handle.Stop() {
					t.Fatalf("event %d: Stop must succeed exactly once", i)
				}
				continue
			}
			want = append(want, p.at)
		}
		slices.Sort(want)
		half := Time(rapid.IntRange(0, 20).Draw(t, "half"))
		k.RunUntil(half)
		for _, r := range ran {
			if r > half {
				t.Fatalf("an event of %d ran in RunUntil(%d)", r, half)
			}
		}
		k.RunUntil(100)
		if !slices.Equal(ran, want) {
			t.Fatalf("ran at %v, want %v", ran, want)
		}
		if k.Now() != 100 {
			t.Fatalf("clock at %d after RunUntil(100)", k.Now())
		}
	})
}

func TestOrderWithinAnInstantIsDrawn(t *testing.T) {
	orders := make(map[string]bool)
	for seed := range uint64(50) {
		k := New(seed)
		var order []byte
		for i := range byte(3) {
			at(k, 5, nil, func() { order = append(order, 'a'+i) })
		}
		k.RunUntil(5)
		orders[string(order)] = true
	}
	if len(orders) != 6 {
		t.Fatalf("50 seeds gave %d of the 6 orders of 3 events", len(orders))
	}
}

// churn is a run with processes, pauses, charges, posts and cancelled timers.
func churn(seed uint64, digest bool) (*Kernel, []string) {
	k := New(seed)
	r := k.Stream("test")
	var log []string
	var procs []*Proc
	for _, name := range []string{"a", "b", "c"} {
		procs = append(procs, k.NewProc(k.NewNode(name)))
	}
	clock := NewMachineClock(k)
	var act func(p *Proc, depth int)
	act = func(p *Proc, depth int) {
		log = append(log, k.NodeName(p.Node())+k.Now().String())
		p.Charge(time.Duration(r.IntN(3)))
		if digest {
			k.Digest(uint64(len(log)))
		}
		if depth == 0 {
			return
		}
		other := procs[r.IntN(len(procs))]
		tm := clock.Clock(p, 0).After(time.Duration(r.IntN(5)), func() { act(p, depth-1) })
		switch r.IntN(6) {
		case 0:
			tm.Stop()
		case 1:
			other.Pause()
			k.After(3, World, k.Kind("resume"), other.Resume)
		}
		other.Post(k.Kind("post"), Func(func() { act(other, depth-1) }), 0)
	}
	for _, p := range procs {
		p.Post(k.Kind("start"), Func(func() { act(p, 7) }), 0)
	}
	for k.Step() {
	}
	return k, log
}

func TestSameSeedSameRun(t *testing.T) {
	k1, log1 := churn(42, false)
	k2, log2 := churn(42, false)
	if !slices.Equal(log1, log2) || k1.Hash() != k2.Hash() {
		t.Fatal("two runs of one seed differ")
	}
	if len(log1) < 100 {
		t.Fatalf("only %d events: the test has no substance", len(log1))
	}
	if k3, _ := churn(43, false); k3.Hash() == k1.Hash() {
		t.Fatal("another seed gave the same hash")
	}
	if k4, _ := churn(42, true); k4.Hash() == k1.Hash() {
		t.Fatal("other data gave the same hash")
	}
}

func TestCancelledTimersAreSwept(t *testing.T) {
	k := New(1)
	fired := 0
	keep := at(k, 2_000_000, nil, func() { fired++ })
	for i := range 100_000 {
		at(k, Time(1_000_000+i), nil, func() { t.Error("a stopped event ran") }).Stop()
	}
	if k.Pending() > 10_000 {
		t.Fatalf("%d entries are pending, nearly all of them cancelled", k.Pending())
	}
	if !keep.Pending() {
		t.Fatal("sweeping lost an event")
	}
	k.RunUntil(3_000_000)
	if fired != 1 {
		t.Fatalf("the one live event ran %d times", fired)
	}
}

func TestPanicTellsWhereAndWhen(t *testing.T) {
	k := New(7)
	p := k.NewProc(k.NewNode("broker-3"))
	boom := errors.New("boom")
	at(k, Time(5*time.Millisecond), p, func() { panic(boom) })
	defer func() {
		got, ok := recover().(*Panic)
		if !ok || !errors.Is(got, boom) || got.Node != "broker-3" || got.Event.At != Time(5*time.Millisecond) || got.Seed != 7 {
			t.Fatalf("panic is %+v", got)
		}
		if !strings.Contains(got.Error(), "seed 7: panic at 5ms on broker-3") {
			t.Fatalf("message %q", got.Error())
		}
	}()
	k.RunUntil(Forever)
}

func TestCausesFormChains(t *testing.T) {
	k := New(1)
	kind := k.Kind("link")
	var records []Record
	k.OnStep(func(r Record) { records = append(records, r) })
	var next func(left int)
	next = func(left int) {
		if left > 0 {
			k.After(10, World, kind, func() { next(left - 1) })
		}
	}
	next(5)
	k.RunFor(time.Second)
	if len(records) != 5 {
		t.Fatalf("%d events, want 5", len(records))
	}
	for i, r := range records {
		want := uint64(0)
		if i > 0 {
			want = records[i-1].ID
		}
		if r.Cause != want {
			t.Errorf("event %d has cause %d, want %d", r.ID, r.Cause, want)
		}
	}
}

func TestStepEndBelongsToItsEvent(t *testing.T) {
	k := New(1)
	p := k.NewProc(k.NewNode("n"))
	var log []string
	at(k, 1, p, func() {
		k.AtStepEnd(Func(func() { log = append(log, "end") }), 0)
		log = append(log, "body")
	})
	k.Step()
	if got := strings.Join(log, " "); got != "body end" {
		t.Fatalf("after one step: %q", got)
	}
	k.AtStepEnd(Func(func() { log = append(log, "own") }), 0)
	if len(log) != 2 {
		t.Fatal("between steps the end ran at once")
	}
	k.Step()
	if len(log) != 3 {
		t.Fatal("between steps the end was lost")
	}
}

func TestNotesAreCountedHashedAndRecorded(t *testing.T) {
	run := func(epoch int) (*Kernel, string) {
		k := New(1)
		var out strings.Builder
		k.SetRecorder(NewJSONRecorder(&out))
		tracer := Tracer{Kernel: k, Node: k.NewNode("b\"1"), Min: env.Info}
		k.After(time.Millisecond, World, k.Kind("tick"), func() {
			tracer.Event(env.Debug, "hidden")
			tracer.Event(env.Warn, "leader-elected", env.I("epoch", epoch), env.S("why", "a\nb"))
		})
		k.RunFor(time.Second)
		return k, out.String()
	}
	k, out := run(4)
	want := `{"id":1,"cause":0,"t":1000000,"node":"world","kind":"tick","digest":"0"}
{"id":1,"cause":0,"t":1000000,"node":"b\"1","kind":"leader-elected","level":"warn","attrs":{"epoch":4,"why":"a\u000ab"}}
`
	if out != want {
		t.Fatalf("recorded\n%s\nwant\n%s", out, want)
	}
	if k.Count("leader-elected") != 1 || k.Count("hidden") != 0 || k.Count("never") != 0 {
		t.Fatal("wrong counts")
	}
	if k2, _ := run(5); k2.Hash() == k.Hash() {
		t.Fatal("the hash does not see a note's attributes")
	}
	recent := k.Recent()
	line := string(k.AppendText(nil, &recent[len(recent)-1]))
	if line != `1ms #1 <- #0 b"1 leader-elected epoch=4 why="a\nb"` {
		t.Fatalf("story line %q", line)
	}
}

func TestStreamsAreIndependent(t *testing.T) {
	a, b := New(9), New(9)
	b.Stream("other").Uint64() // one more draw elsewhere
	for range 10 {
		if a.Stream("x").Uint64() != b.Stream("x").Uint64() {
			t.Fatal("a draw in one stream shifted another")
		}
	}
	if New(9).Stream("x1").Uint64() == New(9).Stream("x2").Uint64() || New(8).Stream("x").Uint64() == New(9).Stream("x").Uint64() {
		t.Fatal("streams of different names or seeds coincide")
	}
}

func TestQueuePopsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var want []entry
		for i, v := range rapid.SliceOfN(rapid.IntRange(0, 50), 0, 300).Draw(t, "times") {
			e := entry{at: Time(v), key: uint64(i*7919%301)<<seqBits | uint64(i), slot: uint32(i)}
			q.push(e)
			want = append(want, e)
		}
		if rapid.Bool().Draw(t, "prune") {
			odd := func(e entry) bool { return e.slot%2 == 1 }
			q.prune(func(slot uint32) bool { return slot%2 == 0 })
			want = slices.DeleteFunc(want, odd)
		}
		slices.SortFunc(want, func(a, b entry) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.key, b.key)) })
		for i, w := range want {
			if got := q.pop(); got != w {
				t.Fatalf("pop %d is %+v, want %+v", i, got, w)
			}
		}
	})
}
