package sim

import (
	"math"
	"time"
)

// Time is an instant of the virtual clock, in nanoseconds since the start of
// the simulation. No machine can see it: machines see their own [MachineClock].
type Time int64

// Forever is later than every event.
const Forever Time = math.MaxInt64

// Add returns the instant d after t, at most [Forever].
func (t Time) Add(d time.Duration) Time {
	if d > 0 && t > Forever-Time(d) {
		return Forever
	}
	return t + Time(d)
}

// Sub returns the time from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// String is the time since the start, such as "1.5s".
func (t Time) String() string { return time.Duration(t).String() }
