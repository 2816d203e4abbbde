package bench

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Histogram is of latencies, in ns: from 1 us to 10 minutes, within 0.1 %. Longer ones
// count as 10 minutes. The zero value is empty. It is stored as HdrHistogram's compressed
// form in base64, which other tools read too.
type Histogram struct{ h *hdrhistogram.Histogram }

const (
	shortest = int64(time.Microsecond)
	longest  = int64(10 * time.Minute)
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(shortest, longest, 3) }

// Record adds a latency in ns.
func (h *Histogram) Record(ns int64) {
	if h.h == nil {
		h.h = newHistogram()
	}
	// In range, and so without error.
	_ = h.h.RecordValue(min(max(ns, shortest), longest))
}

// Merge adds all of another.
func (h *Histogram) Merge(o Histogram) {
	if o.h == nil {
		return
	}
	if h.h == nil {
		h.h = newHistogram()
	}
	h.h.Merge(o.h)
}

// Count is how many were recorded.
func (h Histogram) Count() int64 {
	if h.h == nil {
		return 0
	}
	return h.h.TotalCount()
}

// Quantile is the latency in ns that a share q (0 to 1) of all do not exceed, 0 of none.
func (h Histogram) Quantile(q float64) int64 {
	if h.h == nil {
		return 0
	}
	return h.h.ValueAtQuantile(q * 100)
}

// Max is the largest, in ns.
func (h Histogram) Max() int64 {
	if h.h == nil {
		return 0
	}
	return h.h.Max()
}

// MarshalJSON implements json.Marshaler.
func (h Histogram) MarshalJSON() ([]byte, error) {
	if h.h == nil {
		return []byte(`""`), nil
	}
	b, err := h.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, fmt.Errorf("histogram: %w", err)
	}
	return json.Marshal(string(b))
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	h.h = nil
	if s == "" {
		return nil
	}
	d, err := hdrhistogram.Decode([]byte(s))
	if err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	h.h = d
	return nil
}
