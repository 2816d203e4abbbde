package reports

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"odradek/bench"
)

// system is how a made-up target behaves.
type system struct {
	bench.Target
	capacity float64 // records/s
	base     float64 // ms
	spread   float64 // of the logarithm of latencies
	cpu      float64 // us/record
	outage   float64 // seconds without a leader
}

var systems = []system{
	{bench.Target{Name: "odradek, 3 processes", Mode: "disk", Version: "1a2b3c4"}, 230_000, 0.55, 0.45, 3.1, 1.3},
	{bench.Target{Name: "Kafka, 3 brokers", Mode: "disk", Version: "4.1.0"}, 310_000, 1.1, 0.6, 4.4, 2.4},
	{bench.Target{Name: "odradek, simulated", Mode: "sim", Profile: "nvme"}, 245_000, 0.6, 0.4, -1, 1.2},
	{bench.Target{Name: "reference, 64 KiB frames", Mode: "disk"}, 520_000, 0.21, 0.35, 0.9, 0},
}

// sample makes up one repetition: latencies grow as a queue's do towards the capacity, and
// some records stall for milliseconds, as with a busy disk.
func (y system) sample(r *rand.Rand, rate, seconds float64, repetition, records int) bench.Sample {
	s := bench.Sample{Target: y.Name, Rate: rate, Repetition: repetition, Seconds: seconds, Lost: 0, Server: bench.Unknown, Client: bench.Unknown}
	capacity := y.capacity * (1 + 0.04*r.NormFloat64())
	reached := min(rate, capacity)
	if rate == 0 {
		reached = capacity
	}
	load := min(reached/capacity, 0.97)
	late := 0.0
	if rate > capacity {
		late = 1000 * seconds * (rate - capacity) / rate
	}
	base := y.base * (1 + 0.08*r.NormFloat64())
	for range records {
		ms := base * math.Exp(y.spread*r.NormFloat64()) * (1 + 1.5*load*load/(1-load))
		if r.Float64() < 0.002*(1+20*load*load) {
			ms += 4 * r.ExpFloat64() * (1 + 3*load)
		}
		ms += late * r.Float64()
		s.Ack.Record(int64(ms * 1e6))
		s.EndToEnd.Record(int64((ms + 0.4*math.Exp(0.5*r.NormFloat64())) * 1e6))
	}
	s.Sent = int64(max(rate, reached) * seconds)
	s.Acked = int64(reached * seconds)
	s.Received = s.Acked
	s.Bytes = s.Acked * 1024
	if y.cpu > 0 {
		s.Server.CPUSeconds = float64(s.Acked) * y.cpu * (1 + 0.05*r.NormFloat64()) / 1e6
	}
	return s
}

// failover gives a sample a timeline in which a leader is killed after three seconds and
// comes back four seconds later.
func (y system) failover(r *rand.Rand, s *bench.Sample) {
	const tick, killed = 0.1, 3.0
	outage := y.outage * (1 + 0.15*r.NormFloat64())
	s.Marks = []bench.Mark{{At: killed, What: "broker 2 killed"}, {At: killed + 4 + 0.2*y.outage, What: "broker 2 started"}}
	for i := range int(s.Seconds / tick) {
		at := float64(i) * tick
		t := bench.Tick{At: at, Seconds: tick, P50: int64(y.base * 1e6 * (1 + 0.1*r.NormFloat64()))}
		t.P99, t.Max = int64(float64(t.P50)*(3+r.Float64())), int64(float64(t.P50)*(6+8*r.Float64()))
		t.Acked = int64(s.Rate * tick * (1 + 0.02*r.NormFloat64()))
		since := at - killed
		switch {
		case y.outage == 0:
		case since >= 0 && since+tick <= outage:
			t = bench.Tick{At: at, Seconds: tick}
		case since >= 0 && since <= outage:
			t.Acked += int64(s.Rate * outage)
			t.P50, t.P99, t.Max = int64(outage*0.45e9), int64(outage*0.98e9), int64(outage*1e9)
		case since >= 0 && since < outage+1:
			t.P99, t.Max = t.P99*12, t.Max*20
		}
		t.Received = t.Acked
		s.Timeline = append(s.Timeline, t)
	}
}

// made is a result of made-up measurements. They are the same in every run of the tests.
func made(file string, each func(r *rand.Rand, sc *bench.Scenario, y system, rate float64, repetition int) bench.Sample) bench.Result {
	scenarios, err := bench.Parse([]byte(file))
	if err != nil {
		panic(err)
	}
	res := bench.Result{
		Version: bench.ResultVersion, Scenario: scenarios[0].Name, File: file, Command: "odradek bench run", Started: "2026-03-14T15:09:26Z",
		Machine: bench.Machine{Processor: "AMD EPYC 7B13", Cores: 8, MemoryMiB: 32768, Kernel: "Linux 6.8", Go: "go1.26"},
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, y := range systems {
		res.Targets = append(res.Targets, y.Target)
	}
	for i := range scenarios {
		for _, rate := range scenarios[i].Rates() {
			for n := range scenarios[i].Repetitions {
				for _, y := range systems {
					s := each(r, &scenarios[i], y, rate, n+1)
					s.Variant = scenarios[i].Variant
					res.Samples = append(res.Samples, s)
				}
			}
		}
	}
	return res
}

const shape = "brokers: 3\nreplicationFactor: 3\npartitionsPerTopic: 12\nmessageSize: 1024\nproducersPerTopic: 4\nconsumerPerSubscription: 4\nrepetitions: 3\n"

// Results are made once: tests that change one change a copy.

// sweep has many rates.
var sweep = sync.OnceValue(func() bench.Result {
	file := "name: 1KiB\n" + shape + "producerRates: [5000, 10000, 20000, 50000, 100000, 150000, 200000, 250000, 300000, 400000]\n"
	return made(file, func(r *rand.Rand, _ *bench.Scenario, y system, rate float64, n int) bench.Sample {
		return y.sample(r, rate, 10, n, 6000)
	})
})

// single has one rate, and enough records for five nines.
var single = sync.OnceValue(func() bench.Result {
	file := "name: small-records\n" + shape + "producerRate: 50000\n"
	return made(file, func(r *rand.Rand, _ *bench.Scenario, y system, rate float64, n int) bench.Sample {
		return y.sample(r, rate, 10, n, 120_000)
	})
})

// costs has variants and is run as fast as possible, and at one rate.
var costs = sync.OnceValue(func() bench.Result {
	file := "name: acks\n" + shape + "producerRates: [20000, 0]\nvariants:\n- variant: acks=0\n- variant: acks=1\n- variant: acks=all\n- variant: acks=all, flush.messages=1\n"
	factor := map[string]float64{"acks=0": 0.3, "acks=1": 0.6, "acks=all": 1, "acks=all, flush.messages=1": 5}
	return made(file, func(r *rand.Rand, sc *bench.Scenario, y system, rate float64, n int) bench.Sample {
		f := factor[sc.Variant]
		y.base, y.capacity, y.cpu = y.base*f, y.capacity/(0.5+0.5*f), y.cpu*(0.8+0.2*f)
		return y.sample(r, rate, 10, n, 5000)
	})
})

// leaderKilled has a leader killed in mid-run.
var leaderKilled = sync.OnceValue(func() bench.Result {
	file := "name: failover\n" + shape + "producerRate: 20000\ntestDuration: 12s\nfaults:\n- {kind: kill-leader, at: 3s, for: 4s}\n"
	return made(file, func(r *rand.Rand, _ *bench.Scenario, y system, rate float64, n int) bench.Sample {
		s := y.sample(r, rate, 12, n, 5000)
		y.failover(r, &s)
		return s
	})
})

// without leaves out a target.
func without(r bench.Result, name string) bench.Result {
	var targets []bench.Target
	for _, t := range r.Targets {
		if t.Name != name {
			targets = append(targets, t)
		}
	}
	var samples []bench.Sample
	for _, s := range r.Samples {
		if s.Target != name {
			samples = append(samples, s)
		}
	}
	r.Targets, r.Samples = targets, samples
	return r
}

func figures(t *testing.T, results []bench.Result, only ...Kind) []Figure {
	t.Helper()
	f, _, err := Figures(results, only...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
