package harness

import (
	"fmt"
	"time"

	"odradek/checker/history"
	"odradek/sim"
	"odradek/sim/fault"
)

// Verdicts of a run.
const (
	OK        = "ok"
	Violation = "violation"
)

// Result is what a run came to. Its JSON form is the output of `run --json`.
type Result struct {
	Seed    uint64 `json:"seed"`
	Verdict string `json:"verdict"`
	// Anomalies break a guarantee; Allowed ones are odd but legal under the plan.
	Anomalies []Anomaly      `json:"anomalies"`
	Allowed   map[string]int `json:"allowed"`

	// Hash is that of the whole trace: equal hashes, equal runs.
	Hash   string `json:"hash"`
	Events uint64 `json:"events"`
	SimNS  int64  `json:"sim_ns"`
	WallNS int64  `json:"wall_ns"`

	Ops Ops `json:"ops"`
	// Faults counts what really happened, by kind.
	Faults map[fault.Kind]int `json:"faults"`
	// Reached counts noteworthy states of the cluster.
	Reached map[string]uint64 `json:"reached"`
	// Checked counts what the checkers judged.
	Checked map[string]int `json:"checked"`

	// Stack is that of the panic that ended the run, if one did.
	Stack string `json:"stack,omitempty"`

	// History and Plan are for whoever called Run.
	History []history.Event `json:"-"`
	Plan    *fault.Plan     `json:"-"`
}

// Ops counts client operations.
type Ops struct {
	Total        int `json:"total"`
	Acknowledged int `json:"acknowledged"`
	Failed       int `json:"failed"`
	Unknown      int `json:"unknown"`
	Read         int `json:"read"`
}

// Anomaly is one violation.
type Anomaly struct {
	Name string `json:"name"`
	// Where is a partition, a node, or "cluster".
	Where    string `json:"where"`
	Sentence string `json:"sentence"`
	// Because is the guarantee that it breaks.
	Because string `json:"because,omitempty"`
	// Ops are the offending operations' events in the history.
	Ops []int64 `json:"ops,omitempty"`
	// AtNS is the simulated time at which an invariant was seen broken; 0 for what
	// only the whole history shows.
	AtNS int64 `json:"at_ns,omitempty"`
}

func (a Anomaly) String() string {
	s := fmt.Sprintf("%s on %s: %s", a.Name, a.Where, a.Sentence)
	if a.AtNS > 0 {
		s = fmt.Sprintf("%v: %s", time.Duration(a.AtNS), s)
	}
	if a.Because != "" {
		s += " (" + a.Because + ")"
	}
	return s
}

// Phase is a part of a run.
type Phase string

// The phases, in order.
const (
	PhaseBoot   Phase = "boot"
	PhaseSetup  Phase = "setup"
	PhaseFaults Phase = "faults"
	PhaseHeal   Phase = "heal"
	PhaseFinal  Phase = "final"
)

// Progress tells how far a run is.
type Progress struct {
	Phase  Phase
	Now    sim.Time
	Events uint64
	Ops    int
}
