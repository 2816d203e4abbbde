package sim

import (
	"math/bits"
	"time"

	"odradek/broker/env"
)

// WallStart is the time of day at the start of every simulation: 2025-01-01 UTC,
// in nanoseconds since the Unix epoch.
const WallStart int64 = 1735689600 * int64(time.Second)

// MachineClock is the clock of one machine. It outlives the processes on it; what
// is wrong with it (an offset, a rate) is set by faults.
type MachineClock struct {
	k      *Kernel
	offset int64 // added to the wall clock, ns
	ppm    int64 // runs fast by so many parts per million
	// The machine's own time, without offset, was own at the instant anchor.
	anchor Time
	own    int64
}

// NewMachineClock returns a clock that is right.
func NewMachineClock(k *Kernel) *MachineClock { return &MachineClock{k: k} }

// StepWall moves the time of day by d, forwards or backwards, as an operator or a
// time server does. The monotonic clock goes on.
func (m *MachineClock) StepWall(d time.Duration) { m.offset += int64(d) }

// WallOffset is the sum of all steps.
func (m *MachineClock) WallOffset() time.Duration { return time.Duration(m.offset) }

// SetRate makes the machine's time run fast by ppm parts per million (slow if
// negative); both the monotonic and the wall clock follow. It panics outside
// +-500,000.
func (m *MachineClock) SetRate(ppm int) {
	if ppm < -500_000 || ppm > 500_000 {
		panic("sim: clock rate out of range")
	}
	m.own = m.at(m.k.now)
	m.anchor = m.k.now
	m.ppm = int64(ppm)
}

// at is the machine's own time at an instant.
func (m *MachineClock) at(t Time) int64 {
	d := int64(t - m.anchor)
	if m.ppm == 0 {
		return m.own + d
	}
	return m.own + d + mulDiv(d, m.ppm, 1_000_000)
}

// until is how long the kernel has to wait for d of the machine's time, rounded up.
func (m *MachineClock) until(d time.Duration) time.Duration {
	if m.ppm == 0 || d <= 0 {
		return d
	}
	wait := time.Duration(mulDiv(int64(d), 1_000_000, 1_000_000+m.ppm))
	return max(wait+1, wait) // the greatest duration must not overflow
}

// mulDiv is a*b/c for a >= 0, c > 0, with a 128-bit product, cut to int64.
func mulDiv(a, b, c int64) int64 {
	if a < 0 {
		return -mulDiv(-a, b, c)
	}
	negative := b < 0
	if negative {
		b = -b
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi >= uint64(c) {
		lo = uint64(Forever)
	} else {
		lo, _ = bits.Div64(hi, lo, uint64(c))
		lo = min(lo, uint64(Forever))
	}
	if negative {
		return -int64(lo)
	}
	return int64(lo)
}

// Clock implements env.Clock for one life of a process.
type Clock struct {
	m    *MachineClock
	p    *Proc
	zero int64 // origin of this life's monotonic clock
}

// Clock returns the machine's clock as a process sees it. origin is the first
// value of its monotonic clock; draw it, so that nobody compares instants of
// two lives or two machines unnoticed.
func (m *MachineClock) Clock(p *Proc, origin env.Time) *Clock {
	return &Clock{m: m, p: p, zero: int64(origin) - m.at(m.k.now)}
}

// Now implements env.Clock.
func (c *Clock) Now() env.Time { return env.Time(c.m.at(c.p.Now()) + c.zero) }

// Wall implements env.Clock.
func (c *Clock) Wall() int64 { return WallStart + c.m.at(c.p.Now()) + c.m.offset }

// After implements env.Clock.
func (c *Clock) After(d time.Duration, fn func()) env.Timer {
	t := &timer{c: c, fn: fn}
	if d <= 0 {
		t.h = c.p.Post(kindTimer, t, 0)
		return t
	}
	t.due = env.Time(Time(c.Now()).Add(d))
	t.h = c.p.k.Schedule(Event{At: c.p.Now().Add(c.m.until(d)), Proc: c.p, Kind: kindTimer, Do: t})
	return t
}

// timer is one pending After: the action, and the env.Timer.
type timer struct {
	c   *Clock
	fn  func()
	due env.Time // on the process's clock; 0 if at once
	h   Handle
}

// Run fires the timer, unless the clock has been slowed since: a timer must never
// seem early to the process that set it.
func (t *timer) Run(uint64) {
	if left := t.due.Sub(t.c.Now()); t.due != 0 && left > 0 {
		t.h = t.c.p.k.Schedule(Event{At: t.c.p.Now().Add(t.c.m.until(left)), Proc: t.c.p, Kind: kindTimer, Do: t})
		return
	}
	t.fn()
}

// Stop implements env.Timer.
func (t *timer) Stop() bool { return t.h.Stop() }
