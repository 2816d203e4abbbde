package fault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"odradek/broker/failpoint"
)

// PlanVersion is the version of the plan format that this package reads and writes.
const PlanVersion = 1

// Plan is everything a run depends on.
type Plan struct {
	Version int    `json:"version"`
	Seed    uint64 `json:"seed"`

	Cluster  Cluster  `json:"cluster"`
	Workload Workload `json:"workload"`
	// Faults is how long faults may strike, from the moment the cluster is up.
	Faults Duration `json:"faults_for"`
	// Events are the faults, by time.
	Events []Event `json:"events"`
	// Armed are failpoints armed from the start on every node, as historical bugs are.
	Armed []Failpoint `json:"armed,omitempty"`
}

// Cluster is the shape of the cluster and its knobs.
type Cluster struct {
	// Nodes is how many brokers there are, with ids from 1. The first Voters of them are
	// also controllers.
	Nodes  int `json:"nodes"`
	Voters int `json:"voters"`
	// Controllers is how many further nodes are controllers only, with the ids after the
	// brokers'. With any, Voters is 0.
	Controllers int `json:"controllers,omitempty"`
	// Late is how many of the brokers, the last ones, are not there until the workload has
	// them join.
	Late int `json:"late,omitempty"`
	// Config are broker configs, by Kafka's names.
	Config map[string]string `json:"config,omitempty"`
	// Latency and Jitter are those of every link, one way.
	Latency Duration `json:"latency"`
	Jitter  Duration `json:"jitter"`
	// SyncLatency is how long a disk takes to make something durable.
	SyncLatency Duration `json:"sync_latency"`
}

// Workload says what the scripted users do. What the parameters mean is the workload's
// business; they are integers, so that a shrinker can halve them.
type Workload struct {
	Name   string         `json:"name"`
	Params map[string]int `json:"params,omitempty"`
	// Topic are configs of the workload's topics.
	Topic map[string]string `json:"topic_config,omitempty"`
}

// Kind is a kind of fault.
type Kind string

const (
	// ProcessCrash kills the node's process for For; the page cache survives.
	ProcessCrash Kind = "process-crash"
	// PowerLoss switches the node's machine off for For; what was not synced may be
	// lost or torn.
	PowerLoss Kind = "power-loss"
	// Restart shuts the node down in good order and starts it again after For.
	Restart Kind = "restart"
	// Pause stops the node's process for For; the operating system goes on.
	Pause Kind = "pause"
	// Partition cuts Groups of nodes off from each other for For, both ways. Clients
	// are with the nodes of the last group.
	Partition Kind = "partition"
	// Cut loses everything that From sends to To for For, in that direction only.
	Cut Kind = "cut"
	// SlowLink multiplies the latency from From to To by Factor and divides the
	// bandwidth by it, for For. From or To may be 0, the clients.
	SlowLink Kind = "slow-link"
	// SlowDisk makes the node's disk Factor times slower for For.
	SlowDisk Kind = "slow-disk"
	// Reset breaks all connections between From and To.
	Reset Kind = "reset"
	// Arm arms a failpoint on the node for For.
	Arm Kind = "arm"
)

// Kinds lists all kinds of faults.
func Kinds() []Kind {
	return []Kind{ProcessCrash, PowerLoss, Restart, Pause, Partition, Cut, SlowLink, SlowDisk, Reset, Arm}
}

// Event is one fault. Which fields it needs depends on the kind.
type Event struct {
	At     Duration `json:"at"`
	Kind   Kind     `json:"fault"`
	Node   int      `json:"node,omitempty"`
	From   int      `json:"from,omitempty"`
	To     int      `json:"to,omitempty"`
	Groups [][]int  `json:"groups,omitempty"`
	Factor int      `json:"factor,omitempty"`
	Point  string   `json:"failpoint,omitempty"`
	Terms  string   `json:"terms,omitempty"`
	For    Duration `json:"for,omitempty"`
}

// Failpoint is a failpoint and the terms it is armed with.
type Failpoint struct {
	Name  string `json:"name"`
	Terms string `json:"terms"`
}

// String tells the fault in a few words.
func (e Event) String() string {
	var what string
	switch e.Kind {
	case Partition:
		what = fmt.Sprintf("partition %v", e.Groups)
	case Cut, Reset:
		what = fmt.Sprintf("%s n%d -> n%d", e.Kind, e.From, e.To)
	case SlowLink:
		end := func(id int) string {
			if id == 0 {
				return "clients"
			}
			return fmt.Sprintf("n%d", id)
		}
		what = fmt.Sprintf("slow-link %s -> %s x%d", end(e.From), end(e.To), e.Factor)
	case SlowDisk:
		what = fmt.Sprintf("slow-disk n%d x%d", e.Node, e.Factor)
	case Arm:
		what = fmt.Sprintf("arm %s=%s on n%d", e.Point, e.Terms, e.Node)
	default:
		what = fmt.Sprintf("%s n%d", e.Kind, e.Node)
	}
	if e.For > 0 {
		return fmt.Sprintf("%v: %s for %v", time.Duration(e.At), what, time.Duration(e.For))
	}
	return fmt.Sprintf("%v: %s", time.Duration(e.At), what)
}

// Duration is a time.Duration written as text.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Encode writes the plan as a file for people: one line per fault.
func (p *Plan) Encode() []byte {
	events, armed := p.Events, p.Armed
	head := *p
	head.Events, head.Armed = nil, nil
	out, err := json.MarshalIndent(&head, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("fault: plan does not encode: %v", err)) // it holds nothing that can fail
	}
	lines := func(name string, n int, item func(i int) any) string {
		var b strings.Builder
		fmt.Fprintf(&b, "  %q: [", name)
		for i := range n {
			line, err := json.Marshal(item(i))
			if err != nil {
				panic(fmt.Sprintf("fault: plan does not encode: %v", err))
			}
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "\n    %s", line)
		}
		if n > 0 {
			b.WriteString("\n  ")
		}
		b.WriteString("]")
		return b.String()
	}
	text := lines("events", len(events), func(i int) any { return events[i] })
	if len(armed) > 0 {
		text += ",\n" + lines("armed", len(armed), func(i int) any { return armed[i] })
	}
	return append(bytes.Replace(out, []byte(`  "events": null`), []byte(text), 1), '\n')
}

// Decode reads a plan file and checks it.
func Decode(b []byte) (*Plan, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	p := new(Plan)
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if d.More() {
		return nil, errors.New("plan: something follows the plan")
	}
	return p, p.Validate()
}

// Validate checks that the plan makes sense, and sorts its events.
func (p *Plan) Validate() error {
	c := &p.Cluster
	switch {
	case p.Version != PlanVersion:
		return fmt.Errorf("plan: version %d; this program reads version %d", p.Version, PlanVersion)
	case c.Nodes < 1 || c.Nodes > 64:
		return fmt.Errorf("plan: %d nodes; want 1 to 64", c.Nodes)
	case c.Controllers < 0 || c.Controllers > 0 && c.Voters != 0:
		return fmt.Errorf("plan: %d controllers and %d voters among the brokers; want only one of both", c.Controllers, c.Voters)
	case c.Controllers == 0 && (c.Voters < 1 || c.Voters > c.Nodes):
		return fmt.Errorf("plan: %d voters among %d nodes", c.Voters, c.Nodes)
	case c.Late < 0 || c.Late >= c.Nodes || c.Controllers == 0 && c.Voters > c.Nodes-c.Late:
		return fmt.Errorf("plan: %d of %d brokers are late; want some that are not, and all that are controllers", c.Late, c.Nodes)
	case p.Faults < 0:
		return errors.New("plan: faults_for is negative")
	}
	for i, e := range p.Events {
		if err := e.validate(c.Nodes + c.Controllers); err != nil {
			return fmt.Errorf("plan: event %d (%s at %v): %w", i+1, e.Kind, time.Duration(e.At), err)
		}
	}
	for _, f := range p.Armed {
		if err := new(failpoint.Registry).Arm(failpoint.Name(f.Name), f.Terms); err != nil {
			return fmt.Errorf("plan: armed: %w", err)
		}
	}
	slices.SortStableFunc(p.Events, func(a, b Event) int { return int(a.At - b.At) })
	return nil
}

func (e *Event) validate(nodes int) error {
	node := func(name string, id int) error {
		if id < 1 || id > nodes {
			return fmt.Errorf("%s %d; the nodes are 1 to %d", name, id, nodes)
		}
		return nil
	}
	if e.At < 0 || e.For < 0 {
		return errors.New("times must not be negative")
	}
	switch e.Kind {
	case ProcessCrash, PowerLoss, Restart, Pause:
		return node("node", e.Node)
	case SlowDisk:
		if e.Factor < 1 {
			return errors.New("factor must be at least 1")
		}
		return node("node", e.Node)
	case Arm:
		if err := new(failpoint.Registry).Arm(failpoint.Name(e.Point), e.Terms); err != nil {
			return err
		}
		return node("node", e.Node)
	case SlowLink, Cut, Reset:
		if e.From == e.To {
			return errors.New("from and to are the same node")
		}
		if e.Kind == SlowLink {
			if e.Factor < 1 {
				return errors.New("factor must be at least 1")
			}
			if e.From == 0 {
				return node("to", e.To)
			}
			if e.To == 0 {
				return node("from", e.From)
			}
		}
		return errors.Join(node("from", e.From), node("to", e.To))
	case Partition:
		seen := make(map[int]bool)
		for _, g := range e.Groups {
			for _, id := range g {
				if err := node("node", id); err != nil {
					return err
				}
				if seen[id] {
					return fmt.Errorf("node %d is in two groups", id)
				}
				seen[id] = true
			}
		}
		if len(e.Groups) < 2 {
			return errors.New("a partition needs two groups")
		}
		return nil
	}
	return fmt.Errorf("unknown kind of fault; known are %v", Kinds())
}
