package sim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"odradek/broker/env"
)

func TestBusyProcessTakesEventsInOrderOfArrival(t *testing.T) {
	k := New(3)
	p := k.NewProc(k.NewNode("n"))
	var log []string
	say := func(s string) func() {
		return func() { log = append(log, s+"@"+k.Now().String()) }
	}
	at(k, 0, p, func() {
		say("work")()
		p.Charge(100)
		if p.Now() != 100 {
			t.Errorf("inside, after charging 100: now is %d", p.Now())
		}
	})
	at(k, 30, p, say("second"))
	at(k, 20, p, func() { say("first")(); p.Charge(50) })
	at(k, 100, p, say("third"))
	at(k, 40, nil, say("world"))
	k.RunUntil(1000)
	want := "work@0s world@40ns first@100ns second@150ns third@150ns"
	if got := strings.Join(log, " "); got != want {
		t.Fatalf("ran\n%s\nwant\n%s", got, want)
	}
}

func TestPostRunsAfterWhatWaits(t *testing.T) {
	for seed := range uint64(20) {
		k := New(seed)
		p := k.NewProc(k.NewNode("n"))
		c := NewMachineClock(k).Clock(p, 0)
		var log []string
		at(k, 1, p, func() {
			for _, s := range []string{"a", "b", "c"} {
				c.After(0, func() { log = append(log, s) })
			}
			log = append(log, "body")
		})
		k.RunUntil(10)
		if got := strings.Join(log, " "); got != "body a b c" {
			t.Fatalf("seed %d: %s", seed, got)
		}
	}
}

func TestChargeAfterPostDelaysWhatWasPosted(t *testing.T) {
	k := New(1)
	p := k.NewProc(k.NewNode("n"))
	var ran Time
	at(k, 1, p, func() {
		p.Post(0, Func(func() { ran = k.Now() }), 0)
		p.Charge(100)
	})
	k.RunUntil(1000)
	if ran != 101 {
		t.Fatalf("posted work ran at %d, the process was busy until 101", ran)
	}
}

func TestPauseDefersInOrderAndResumeContinues(t *testing.T) {
	k := New(5)
	p := k.NewProc(k.NewNode("n"))
	var log []Time
	var seen []int
	for i := range 10 {
		at(k, Time(10+i), p, func() { seen = append(seen, i); log = append(log, k.Now()) })
	}
	h := at(k, 14, p, func() { t.Error("stopped while paused, yet ran") })
	k.After(5, World, 0, p.Pause)
	k.After(15, World, 0, func() { h.Stop() })
	k.After(17, World, 0, p.Resume)
	k.RunUntil(16)
	if len(seen) != 0 || p.Backlog() == 0 {
		t.Fatalf("while paused %v ran", seen)
	}
	k.RunUntil(100)
	if !slices.IsSorted(seen) || len(seen) != 10 || log[0] != 17 {
		t.Fatalf("events %v at %v", seen, log)
	}
}

func TestKillDropsEverythingOfThatLife(t *testing.T) {
	k := New(1)
	p, q := k.NewProc(k.NewNode("p")), k.NewProc(k.NewNode("q"))
	other := false
	at(k, 1, p, func() { p.Charge(10) })
	at(k, 5, p, func() { t.Error("ran from the backlog of a dead process") })
	h := at(k, 20, p, func() { t.Error("ran from the queue of a dead process") })
	at(k, 20, q, func() { other = true })
	unwound := false
	p.Tasks().Go(func(task *env.Task) {
		defer func() { unwound = true }()
		task.Suspend(func(func()) {})
		t.Error("a coroutine went on after its process died")
	})
	k.RunUntil(6)
	p.Kill()
	if h.Pending() || h.Stop() {
		t.Error("an event of a dead process is pending")
	}
	p.Post(0, Func(func() { t.Error("posted to a dead process") }), 0)
	p.Tasks().Go(func(*env.Task) { t.Error("a coroutine began in a dead process") })
	k.RunUntil(100)
	if !unwound || !other {
		t.Fatalf("unwound %v, other process ran %v", unwound, other)
	}
}

func TestProcessMayDieInItsOwnCallback(t *testing.T) {
	k := New(1)
	p := k.NewProc(k.NewNode("p"))
	unwound := false
	at(k, 1, p, func() {
		p.Tasks().Go(func(task *env.Task) {
			defer func() { unwound = true }()
			p.Kill() // from inside a coroutine: it is on the stack now
			at(k, 2, p, func() { t.Error("planned after death") })
			task.Suspend(func(func()) {})
		})
	})
	k.RunUntil(10)
	if !unwound {
		t.Fatal("the coroutine was left behind")
	}
}

func TestDeliverRunsWithinTheWorldsEventIfItCan(t *testing.T) {
	k := New(1)
	p := k.NewProc(k.NewNode("p"))
	var log []string
	deliver := func(s string) func() {
		return func() {
			p.Deliver(0, Func(func() { log = append(log, s); p.Charge(10) }), 0)
			log = append(log, "sent-"+s)
		}
	}
	k.After(1, World, 0, deliver("a"))
	k.After(5, World, 0, deliver("b")) // p is busy
	k.RunUntil(20)
	if got := strings.Join(log, " "); got != "a sent-a sent-b b" {
		t.Fatal(got)
	}
}

func TestClockOffsetsAndRates(t *testing.T) {
	k := New(1)
	p := k.NewProc(k.NewNode("p"))
	m := NewMachineClock(k)
	c := m.Clock(p, 500)
	if c.Now() != 500 || c.Wall() != WallStart {
		t.Fatalf("starts at %d, %d", c.Now(), c.Wall())
	}
	m.StepWall(-time.Hour)
	m.SetRate(100_000) // 10% fast
	k.RunUntil(Time(10 * time.Second))
	if got := c.Now(); got != 500+env.Time(11*time.Second) {
		t.Errorf("fast clock shows %d after 10 s", got)
	}
	if got := c.Wall() - WallStart; got != int64(11*time.Second-time.Hour) {
		t.Errorf("wall moved by %v", time.Duration(got))
	}
	var fired Time
	start := c.Now()
	c.After(11*time.Second, func() {
		fired = k.Now()
		if c.Now().Sub(start) < 11*time.Second {
			t.Errorf("fired early by its own clock: after %v", c.Now().Sub(start))
		}
	})
	k.RunFor(time.Second)
	m.SetRate(-200_000) // now slow: the timer has to wait longer than it had planned
	k.RunFor(time.Minute)
	// 1.1 s of 11 had passed; 9.9 s at 0.8 take 12.375 s.
	if want := Time(11*time.Second + 12375*time.Millisecond); fired < want || fired > want+10 {
		t.Errorf("fired at %v, want %v", fired, want)
	}
	if tm := c.After(1<<62, func() {}); !tm.Stop() || tm.Stop() {
		t.Error("a timer far in the future cannot be stopped once")
	}
}
