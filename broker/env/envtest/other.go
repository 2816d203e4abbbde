package envtest

import (
	"math/rand/v2"
	"slices"

	"odradek/broker/env"
	"odradek/broker/failpoint"
)

var otherTests = []test{
	{"StreamsOfDifferentNamesDiffer", streamsOfDifferentNamesDiffer},
	{"StreamGoesOnWhenAskedForAgain", streamGoesOnWhenAskedForAgain},
	{"StreamsAreIndependent", streamsAreIndependent},
	{"WorkRunsBeforeItsDone", workRunsBeforeItsDone},
	{"ChargingIsHarmless", chargingIsHarmless},
	{"EventsAreTaken", eventsAreTaken},
	{"FailpointsBelongToTheNode", failpointsBelongToTheNode},
}

func draws(r *rand.Rand, n int) []uint64 {
	d := make([]uint64, n)
	for i := range d {
		d[i] = r.Uint64()
	}
	return d
}

func streamsOfDifferentNamesDiffer(s *suite) {
	s.play(0, func(s *script) {
		a, b := draws(s.Rand.Stream("a"), 4), draws(s.Rand.Stream("b"), 4)
		s.check(!slices.Equal(a, b), "streams a and b both drew %v", a)
	})
}

func streamGoesOnWhenAskedForAgain(s *suite) {
	s.play(0, func(s *script) {
		first, second := draws(s.Rand.Stream("a"), 4), draws(s.Rand.Stream("a"), 4)
		s.check(!slices.Equal(first, second), "the stream started again: %v", first)
	})
}

// streamsAreIndependent compares two worlds of one seed, in one of which another
// stream is drawn from in between.
func streamsAreIndependent(s *suite) {
	if !s.Reproducible() {
		return
	}
	var got [2][]uint64
	for i, w := range []World{s.World, s.another()} {
		world := &suite{T: s.T, World: w, another: s.another}
		world.play(0, func(s *script) {
			for range 10 {
				if i == 1 {
					draws(s.Rand.Stream("another"), 3)
				}
				got[i] = append(got[i], draws(s.Rand.Stream("watched"), 1)...)
			}
		})
	}
	if !slices.Equal(got[0], got[1]) {
		s.Errorf("draws from another stream shifted this one:\n%v\n%v", got[0], got[1])
	}
}

func workRunsBeforeItsDone(s *suite) {
	s.play(0, func(s *script) {
		const jobs = 20
		sums, done := make([]int, jobs), 0
		for i := range jobs {
			s.CPU.Work(env.OpCRC, 1000, func() {
				for n := range 1001 {
					sums[i] += n
				}
			}, func() {
				done++
				if sums[i] != 500_500 {
					s.Errorf("job %d was done before its work: %d", i, sums[i])
				}
			})
		}
		s.until(func() bool { return done == jobs })
	})
}

func chargingIsHarmless(s *suite) {
	s.play(0, func(s *script) {
		for op := range env.NumOps {
			before := s.Clock.Now()
			s.CPU.Charge(op, 1000)
			s.CPU.Charge(op, 0)
			s.check(s.Clock.Now() >= before, "the clock went back")
		}
	})
}

func eventsAreTaken(s *suite) {
	s.play(0, func(s *script) {
		for _, level := range []env.Level{env.Debug, env.Detail, env.Info, env.Warn, env.Error} {
			s.Trace.Event(level, "contract-tested")
			s.Trace.Event(level, "contract-tested", env.S("text", "with \"quotes\"\nand lines"), env.I("count", int32(-7)), env.Err(nil))
		}
	})
}

func failpointsBelongToTheNode(s *suite) {
	for i := range s.Nodes() {
		s.play(i, func(s *script) {
			s.check(s.Fail != nil, "node %d has no registry", i)
			s.check(!s.Fail.On(failpoint.StorageAppend), "armed on node %d by another", i)
			s.must(s.Fail.Arm(failpoint.StorageAppend, "return(true)"), "arm")
			s.check(s.Fail.On(failpoint.StorageAppend), "not armed on node %d", i)
		})
	}
}
