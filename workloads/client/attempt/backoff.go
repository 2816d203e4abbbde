package attempt

import (
	"math/rand/v2"
	"time"
)

// Backoff is the exponential back-off of Kafka's clients (KIP-580): Initial
// doubled with each failure, at most Max, with a jitter of up to a fifth either
// way so that clients do not retry in step.
type Backoff struct {
	Initial, Max time.Duration
}

// After is how long to wait after the given number of failures in a row (from 1
// on). It draws once from rng.
func (b Backoff) After(failures int, rng *rand.Rand) time.Duration {
	d := b.Initial
	for i := 1; i < failures && d < b.Max; i++ {
		d *= 2
	}
	d = min(d, b.Max)
	fifth := int64(d) / 5
	if fifth == 0 {
		return d
	}
	return d + time.Duration(rng.Int64N(2*fifth+1)-fifth)
}
