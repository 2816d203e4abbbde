package envtest

import (
	"slices"
	"time"

	"odradek/broker/env"
)

var clockTests = []test{
	{"NowNeverGoesBack", nowNeverGoesBack},
	{"WallIsATimeOfDay", wallIsATimeOfDay},
	{"TimersNeverFireEarly", timersNeverFireEarly},
	{"TimersFireInOrderOfDeadline", timersFireInOrderOfDeadline},
	{"AtOnceIsAfterWhatIsQueued", atOnceIsAfterWhatIsQueued},
	{"StoppedTimerNeverFires", stoppedTimerNeverFires},
	{"StopTellsWhetherTheTimerWasPending", stopTellsWhetherTheTimerWasPending},
	{"TimerStoppedByOneThatIsDueTooNeverFires", timerStoppedByOneThatIsDueTooNeverFires},
	{"ManyTimers", manyTimers},
}

func nowNeverGoesBack(s *suite) {
	s.play(0, func(s *script) {
		last := s.Clock.Now()
		for range 20 {
			s.nap(blink / 4)
			now := s.Clock.Now()
			s.check(now.Sub(last) >= blink/4, "slept %v in %v", now.Sub(last), blink/4)
			last = now
		}
	})
}

func wallIsATimeOfDay(s *suite) {
	s.play(0, func(s *script) {
		const year2020 = 50 * 365 * 24 * int64(time.Hour)
		s.check(s.Clock.Wall() > year2020, "the time of day is %d ns after 1970", s.Clock.Wall())
	})
}

func timersNeverFireEarly(s *suite) {
	s.play(0, func(s *script) {
		left := 0
		for _, d := range []time.Duration{1, time.Microsecond, 100 * time.Microsecond, time.Millisecond, 7 * time.Millisecond} {
			left++
			set := s.Clock.Now()
			s.Clock.After(d, func() {
				if took := s.Clock.Now().Sub(set); took < d {
					s.Errorf("a timer of %v fired after %v", d, took)
				}
				left--
			})
		}
		s.until(func() bool { return left == 0 })
	})
}

// deadlines watches timers fire. When exactly a timer is due nobody but the world
// knows; it is between d after the call of After began and d after it returned.
type deadlines struct {
	s     *script
	last  env.Time // of the timers that fired, the latest that anyone surely had
	fired int
}

func (o *deadlines) after(d time.Duration) env.Timer {
	earliest, latest := o.s.Clock.Now().Add(d), env.Time(0)
	t := o.s.Clock.After(d, func() {
		if latest < o.last {
			o.s.Errorf("a timer fired that was due at least %v before one that fired earlier", o.last.Sub(latest))
		}
		o.last = max(o.last, earliest)
		o.fired++
	})
	latest = o.s.Clock.Now().Add(d)
	return t
}

func timersFireInOrderOfDeadline(s *suite) {
	s.play(0, func(s *script) {
		o := deadlines{s: s}
		for _, ms := range []int{9, 3, 12, 1, 6} {
			o.after(time.Duration(ms) * time.Millisecond)
		}
		s.until(func() bool { return o.fired == 5 })
	})
}

func atOnceIsAfterWhatIsQueued(s *suite) {
	s.play(0, func(s *script) {
		var fired []int
		for i := range 5 {
			s.Clock.After(0, func() {
				fired = append(fired, i)
				s.Clock.After(0, func() { fired = append(fired, i+5) })
			})
		}
		s.until(func() bool { return len(fired) == 10 })
		s.check(slices.IsSorted(fired), "callbacks ran in the order %v", fired)
	})
}

func stoppedTimerNeverFires(s *suite) {
	s.play(0, func(s *script) {
		for _, d := range []time.Duration{0, 1, blink, while / 2} {
			s.Clock.After(d, func() { s.Errorf("the stopped timer of %v fired", d) }).Stop()
		}
		s.nap(while)
	})
}

func stopTellsWhetherTheTimerWasPending(s *suite) {
	s.play(0, func(s *script) {
		t := s.Clock.After(time.Hour, func() {})
		s.check(t.Stop(), "Stop of a pending timer")
		s.check(!t.Stop(), "Stop of a stopped timer")
		t = s.Clock.After(0, func() {})
		s.check(t.Stop(), "Stop of a timer that is queued")
		fired := false
		t = s.Clock.After(blink, func() {
			fired = true
			if t.Stop() {
				s.Errorf("Stop of a timer in its own callback says pending")
			}
		})
		s.until(func() bool { return fired })
		s.check(!t.Stop(), "Stop of a timer that has fired")
		// Implementations recycle: a stale Stop must not hit another timer.
		later := false
		s.Clock.After(blink, func() { later = true })
		s.check(!t.Stop(), "Stop of a timer that fired long ago")
		s.until(func() bool { return later })
	})
}

func timerStoppedByOneThatIsDueTooNeverFires(s *suite) {
	s.play(0, func(s *script) {
		fired := 0
		var timers [2]env.Timer
		for i := range timers {
			timers[i] = s.Clock.After(blink, func() {
				fired++
				timers[1-i].Stop()
			})
		}
		// Hold the loop until both are due.
		for start := s.Clock.Now(); s.Clock.Now().Sub(start) < 2*blink; {
			before := s.Clock.Now()
			s.CPU.Charge(env.OpCopy, 1<<20)
			if s.Clock.Now() == before {
				break // computing takes no time in this world
			}
		}
		s.nap(while)
		s.check(fired == 1, "%d of two timers fired that stop each other", fired)
	})
}

func manyTimers(s *suite) {
	s.play(0, func(s *script) {
		o, want := deadlines{s: s}, 0
		for i := range 1000 {
			t := o.after(time.Duration((i*7919)%1000+1) * 10 * time.Microsecond)
			if i%3 == 0 && t.Stop() {
				continue
			}
			want++
		}
		s.until(func() bool { return o.fired >= want })
		s.nap(while)
		s.check(o.fired == want, "%d timers fired, want %d", o.fired, want)
	})
}
