package bench

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Measure is a number that every sample has, or does not know.
type Measure struct {
	// Name is for tables: "ack p99".
	Name string
	// Unit of the numbers: records/s, MB/s (1e6), ns, s/GB (1e9), us/record, B.
	Unit string
	// Higher reports whether more is better; of everything else less is.
	Higher bool

	of func(*Sample) (float64, bool)
}

// Of is the measure of a sample, and false if the sample does not know.
func (m *Measure) Of(s *Sample) (float64, bool) { return m.of(s) }

// Key is the name for columns and flags: "ack_p99".
func (m *Measure) Key() string {
	return strings.ToLower(strings.NewReplacer(" ", "_", "-", "_", ".", "").Replace(m.Name))
}

// Measures are what results are compared by: what users see of a system, then what it
// costs.
var Measures = []Measure{
	{"throughput", "records/s", true, func(s *Sample) (float64, bool) { return s.Throughput(), s.Seconds > 0 }},
	{"bandwidth", "MB/s", true, func(s *Sample) (float64, bool) { return s.MBps(), s.Seconds > 0 }},
	quantile("ack p50", 0.5, ack), quantile("ack p99", 0.99, ack), quantile("ack p99.9", 0.999, ack),
	quantile("end-to-end p50", 0.5, endToEnd), quantile("end-to-end p99", 0.99, endToEnd), quantile("end-to-end p99.9", 0.999, endToEnd),
	{"CPU", "s/GB", false, func(s *Sample) (float64, bool) {
		return s.Server.CPUSeconds / (float64(s.Bytes) / 1e9), s.Server.CPUSeconds >= 0 && s.Bytes > 0
	}},
	{"CPU per record", "us/record", false, func(s *Sample) (float64, bool) {
		return s.Server.CPUSeconds * 1e6 / float64(s.Acked), s.Server.CPUSeconds >= 0 && s.Acked > 0
	}},
	{"RSS", "B", false, func(s *Sample) (float64, bool) { return float64(s.Server.RSSBytes), s.Server.RSSBytes >= 0 }},
	{"disk", "B/record", false, func(s *Sample) (float64, bool) {
		return float64(s.Server.BytesWritten) / float64(s.Acked), s.Server.BytesWritten >= 0 && s.Acked > 0
	}},
}

func ack(s *Sample) Histogram      { return s.Ack }
func endToEnd(s *Sample) Histogram { return s.EndToEnd }

func quantile(name string, q float64, of func(*Sample) Histogram) Measure {
	return Measure{name, "ns", false, func(s *Sample) (float64, bool) {
		h := of(s)
		return float64(h.Quantile(q)), h.Count() > 0
	}}
}

// MeasureCalled is the measure of a name or key, nil if there is none.
func MeasureCalled(name string) *Measure {
	for i := range Measures {
		if m := &Measures[i]; m.Name == name || m.Key() == name {
			return m
		}
	}
	return nil
}

// Groups is how many consumer groups read each topic, for [Sample.KeptUp].
func (s *Scenario) Groups() int {
	if s.ConsumerPerSubscription == 0 {
		return 0
	}
	return s.SubscriptionsPerTopic
}

// Scenarios are the variants that the result is of, none if its file cannot be read.
func (r *Result) Scenarios() []Scenario {
	list, err := Parse([]byte(r.File))
	if err != nil {
		return nil
	}
	return list
}

// Run is the repetitions of one variant at one rate against one target.
type Run struct {
	Target, Variant string
	Rate            float64
	Samples         []*Sample
}

// Runs are the samples of a result by what was repeated: variants in the order in which
// they first came, of each the rates from low to high (as fast as possible is the highest),
// and of each the targets. A search takes rates in another order than people read them.
func (r *Result) Runs() []Run {
	var runs []Run
	type key struct {
		target, variant string
		rate            float64
	}
	at := make(map[key]int)
	for i := range r.Samples {
		s := &r.Samples[i]
		k := key{s.Target, s.Variant, s.Rate}
		n, known := at[k]
		if !known {
			n = len(runs)
			at[k] = n
			runs = append(runs, Run{Target: s.Target, Variant: s.Variant, Rate: s.Rate})
		}
		runs[n].Samples = append(runs[n].Samples, s)
	}
	var variants []string
	for _, run := range runs {
		if !slices.Contains(variants, run.Variant) {
			variants = append(variants, run.Variant)
		}
	}
	load := func(r Run) float64 {
		if r.Rate == 0 {
			return math.Inf(1)
		}
		return r.Rate
	}
	slices.SortStableFunc(runs, func(a, b Run) int {
		return cmp.Or(
			cmp.Compare(slices.Index(variants, a.Variant), slices.Index(variants, b.Variant)),
			cmp.Compare(load(a), load(b)),
		)
	})
	return runs
}

// Values are a measure of all repetitions that know it.
func (r *Run) Values(m *Measure) []float64 {
	var values []float64
	for _, s := range r.Samples {
		if v, ok := m.Of(s); ok {
			values = append(values, v)
		}
	}
	return values
}
