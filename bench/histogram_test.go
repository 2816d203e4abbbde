package bench

import (
	"encoding/json"
	"testing"
	"time"
)

func TestHistogramsSurviveJSONAndMerge(t *testing.T) {
	var a, b Histogram
	for i := range int64(10_000) {
		a.Record((i + 1) * 1000)
	}
	b.Record(int64(time.Hour)) // counts as the longest
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var back Histogram
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	near := func(got, want int64) bool { return got >= want-want/500 && got <= want+want/500 }
	if back.Count() != 10_000 || !near(back.Quantile(0.5), 5_000_000) || !near(back.Quantile(0.999), 9_990_000) {
		t.Errorf("%d, p50 %d, p99.9 %d", back.Count(), back.Quantile(0.5), back.Quantile(0.999))
	}
	back.Merge(b)
	back.Merge(Histogram{})
	if back.Count() != 10_001 || !near(back.Max(), longest) || back.Quantile(1) != back.Max() {
		t.Errorf("%d, max %d", back.Count(), back.Max())
	}
	if text, err := json.Marshal(Histogram{}); err != nil || string(text) != `""` {
		t.Errorf("%s, %v", text, err)
	}
	var empty Histogram
	if err := json.Unmarshal([]byte(`""`), &empty); err != nil || empty.Count() != 0 || empty.Quantile(0.5) != 0 {
		t.Errorf("%v", err)
	}
	if json.Unmarshal([]byte(`"nonsense"`), &empty) == nil {
		t.Error("nonsense is a histogram")
	}
}
