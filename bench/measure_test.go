package bench

import (
	"slices"
	"testing"
)

func sample(target string, rate float64, acked int64) Sample {
	s := Sample{Target: target, Rate: rate, Seconds: 2, Acked: acked, Bytes: acked * 1000, Server: Usage{CPUSeconds: 1, RSSBytes: 50 << 20, BytesWritten: -1}}
	for i := range acked {
		s.Ack.Record(1_000_000 + i)
	}
	return s
}

func TestMeasuresOfASample(t *testing.T) {
	s := sample("odradek", 100, 200)
	for key, want := range map[string]float64{
		"throughput": 100, "bandwidth": 0.1, "cpu": 5000, "cpu_per_record": 5000, "rss": 50 << 20,
	} {
		m := MeasureCalled(key)
		if m == nil {
			t.Fatalf("no measure %s", key)
		}
		if got, ok := m.Of(&s); !ok || got != want {
			t.Errorf("%s: %v %v, want %v", key, got, ok, want)
		}
	}
	if got, ok := MeasureCalled("ack p99.9").Of(&s); !ok || got < 999_000 || got > 1_002_000 {
		t.Errorf("ack p99.9: %v %v, want about 1 ms", got, ok)
	}
}

// A zero would be the best latency, CPU time or disk there is.
func TestMeasuresThatAreNotKnownAreNotZero(t *testing.T) {
	s := Sample{Server: Unknown}
	for i := range Measures {
		if v, ok := Measures[i].Of(&s); ok {
			t.Errorf("%s of an empty sample is %v", Measures[i].Name, v)
		}
	}
}

func TestKeysOfMeasuresDiffer(t *testing.T) {
	var keys []string
	for i := range Measures {
		m := &Measures[i]
		if slices.Contains(keys, m.Key()) || MeasureCalled(m.Key()) != m || MeasureCalled(m.Name) != m {
			t.Errorf("%s: key %s", m.Name, m.Key())
		}
		keys = append(keys, m.Key())
	}
}

func TestRunsGatherInterleavedRepetitionsFromLowToHighRates(t *testing.T) {
	r := Result{Samples: []Sample{
		sample("a", 0, 900), sample("a", 200, 400), sample("a", 100, 200), sample("b", 100, 100), sample("a", 100, 202), sample("b", 100, 102),
	}}
	runs := r.Runs()
	if len(runs) != 4 || runs[0].Target != "a" || runs[1].Target != "b" || runs[2].Rate != 200 || runs[3].Rate != 0 {
		t.Fatalf("%+v", runs)
	}
	if got := runs[0].Values(MeasureCalled("throughput")); !slices.Equal(got, []float64{100, 101}) {
		t.Errorf("throughput of a at 100: %v", got)
	}
}
