package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// ResultVersion is of the JSON form of [Result]; it goes up with every change that older
// readers would misread.
const ResultVersion = 1

// Result is what a run of a scenario measured: every target, rate and repetition.
type Result struct {
	Version  int      `json:"version"`
	Scenario string   `json:"scenario"`
	File     string   `json:"file"` // the scenario file's text
	Command  string   `json:"command"`
	Machine  Machine  `json:"machine"`
	Started  string   `json:"started"` // RFC 3339
	Targets  []Target `json:"targets"`
	// Samples are in the order in which they were taken.
	Samples []Sample `json:"samples"`
}

// Machine is where it ran.
type Machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	MemoryMiB int64  `json:"memory_mib"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
}

// Target is what was measured.
type Target struct {
	// Name tells it from others in plots and tables: "odradek, 3 processes".
	Name string `json:"name"`
	// Mode is sim, disk (processes), memory (processes that keep nothing on a disk),
	// in-process or external.
	Mode string `json:"mode"`
	// Version of the program measured: a commit, "4.1.0", "" if it is not known.
	Version string `json:"version,omitempty"`
	// Profile is the machine that a simulation predicts.
	Profile string `json:"profile,omitempty"`
}

// Sample is one repetition of one variant at one rate against one target.
type Sample struct {
	Target     string  `json:"target"`
	Variant    string  `json:"variant,omitempty"`
	Rate       float64 `json:"rate"` // asked for, records/s; 0 is as fast as possible
	Repetition int     `json:"repetition"`

	// Seconds is how long was measured, without the warm-up; simulated ones in a
	// simulation.
	Seconds float64 `json:"seconds"`
	// Of records that were due in the time measured: Sent to the client, Acked, Failed;
	// Received by all groups together.
	Sent     int64 `json:"sent"`
	Acked    int64 `json:"acked"`
	Failed   int64 `json:"failed"`
	Received int64 `json:"received"`
	// Lost were acknowledged and not received by some group, Duplicated received more
	// often than sent, over the whole run. -1 is not counted.
	Lost       int64 `json:"lost"`
	Duplicated int64 `json:"duplicated"`
	// CatchUp is how many records the catch-up readers read in the time measured.
	CatchUp int64 `json:"catch_up,omitempty"`
	// Bytes of the values acknowledged.
	Bytes int64 `json:"bytes"`

	// Latencies in ns, from when the record was due: until its acknowledgement, and until
	// a consumer had it.
	Ack      Histogram `json:"ack"`
	EndToEnd Histogram `json:"end_to_end"`
	// Lateness is how long after it was due, in ns, a record reached the client library,
	// without what the system made the client wait: a client that is late measures itself.
	// Empty if it is not known.
	Lateness Histogram `json:"lateness"`

	Timeline []Tick `json:"timeline,omitempty"`
	Marks    []Mark `json:"marks,omitempty"`

	Server Usage `json:"server"`
	Client Usage `json:"client"`
	// Counters are what a simulation counts exactly: requests, bytes on the wire, syncs,
	// bytes copied. Empty for real targets.
	Counters map[string]int64 `json:"counters,omitempty"`
}

// Tick is an interval of the run.
type Tick struct {
	// At is its start in seconds from the end of the warm-up; Seconds its length.
	At       float64 `json:"at"`
	Seconds  float64 `json:"seconds"`
	Acked    int64   `json:"acked"`
	Received int64   `json:"received"`
	// Latencies of acknowledgement in ns, of what was acknowledged in the interval.
	P50 int64 `json:"p50"`
	P99 int64 `json:"p99"`
	Max int64 `json:"max"`
}

// Mark is something that happened, for plots over time.
type Mark struct {
	At   float64 `json:"at"` // seconds from the end of the warm-up
	What string  `json:"what"`
}

// Usage is what processes took of the machine in the time measured. -1 is not known.
type Usage struct {
	CPUSeconds   float64 `json:"cpu_seconds"`
	RSSBytes     int64   `json:"rss_bytes"` // the largest seen
	BytesWritten int64   `json:"bytes_written"`
}

// Unknown is the usage of what cannot be looked into.
var Unknown = Usage{CPUSeconds: -1, RSSBytes: -1, BytesWritten: -1}

// Throughput is in records acknowledged a second.
func (s *Sample) Throughput() float64 { return float64(s.Acked) / s.Seconds }

// MBps is in megabytes (1e6) of values acknowledged a second.
func (s *Sample) MBps() float64 { return float64(s.Bytes) / 1e6 / s.Seconds }

// KeptUp reports whether the system did what was asked of it: at least 99 % of the records
// due were acknowledged and received by every group that reads, within the time. It is
// true of a run that was to be as fast as possible.
func (s *Sample) KeptUp(groups int) bool {
	if s.Rate == 0 {
		return true
	}
	want := s.Rate * s.Seconds * 0.99
	return float64(s.Acked) >= want && (groups == 0 || float64(s.Received) >= want*float64(groups))
}

// ReadResult reads a file of a [Result].
func ReadResult(path string) (*Result, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Result
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.Version != ResultVersion {
		return nil, fmt.Errorf("%s: version %d of results, this program reads version %d", path, r.Version, ResultVersion)
	}
	return &r, nil
}

// Write writes the result as a file that [ReadResult] reads.
func (r *Result) Write(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o666)
}

// Now is a time as results have it.
func Now() string { return time.Now().UTC().Format(time.RFC3339) }
