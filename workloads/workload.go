package workloads

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
)

// Recorder takes down a history; *history.Recorder is one.
type Recorder interface {
	Invoke(history.Event) (op int64)
	Return(op int64, e history.Event)
}

// Site is where a user works.
type Site struct {
	Env *env.Env
	// Bootstrap are the cluster's addresses.
	Bootstrap []string
	Recorder  Recorder
	// Time is the clock of the run, in ns, by which the history is stamped: hosts have
	// clocks of their own, which cannot be compared. Nil takes the host's.
	Time func() int64
	// Stopping tells the users to come to an end. Nil means never.
	Stopping func() bool
	// Machines are the cluster's, for users who operate it. Nil if nobody can.
	Machines Machines
}

// Machines is what an operator does with the brokers' machines.
type Machines interface {
	// Brokers are those that are there, running or not, and those that are not, sorted.
	Brokers() (there, away []wire.NodeID)
	// Controllers are the nodes of the quorum.
	Controllers() []wire.NodeID
	// Join starts a machine that is away. Leave shuts one down in good order, and it stays
	// away. Neither waits.
	Join(wire.NodeID)
	Leave(wire.NodeID)
	// Running reports whether the machine's process is there.
	Running(wire.NodeID) bool
}

func (s *Site) stopping() bool { return s.Stopping != nil && s.Stopping() }

func (s *Site) sleep(t *env.Task, d time.Duration) { t.Sleep(s.Env.Clock, d) }

// now is the time for the history.
func (s *Site) now() int64 {
	if s.Time != nil {
		return s.Time()
	}
	return int64(s.Env.Clock.Now())
}

// client makes the client of a process, with time-outs short enough to notice within
// a run that something is gone.
func (s *Site) client(process string, requestTimeout time.Duration, observer client.Observer) *client.Client {
	cfg := client.DefaultConfig(process, s.Bootstrap...)
	cfg.DialTimeout = requestTimeout
	cfg.RequestTimeout = requestTimeout
	cfg.Observer = observer
	return client.New(s.Env, cfg)
}

// User is one scripted user. Run returns when the user is done or told to stop.
type User struct {
	Name string
	Run  func(t *env.Task, s *Site)
}

// Workload is a set of users and what has to be done before and after them.
type Workload interface {
	// Setup makes what the users need. An error means that the run cannot begin.
	Setup(t *env.Task, s *Site) error
	// Users lists the users; the same ones each time.
	Users() []User
	// Final records the final state. An error means that it could not be read, which
	// after everything healed is a finding of its own; a *[Finding] means that it was
	// read and is wrong.
	Final(t *env.Task, s *Site) error
}

// Promising is a Workload whose history is judged by more than the run's configuration:
// the topics that are compacted, the jobs that are to be exactly once.
type Promising interface {
	Workload
	Promise(g *history.Guarantees)
}

// Finding is a workload's own judgement of what it read in the end. The workloads of
// this package leave judging to the checkers, except for whether their users came to their
// end; those of other people's tests know what their application promises.
type Finding struct {
	Name     string // such as "lost-entry"
	Sentence string
}

func (f *Finding) Error() string { return f.Name + ": " + f.Sentence }

// Config says which workload, and how. Parameters are integers, so that a shrinker
// can halve them; what is missing has the default of [Defaults].
type Config struct {
	Name   string
	Params map[string]int
	// Topic are configs of the workload's topics.
	Topic map[string]string
}

type kind struct {
	defaults map[string]int
	draw     func(*rand.Rand) map[string]int
	make     func(params map[string]int, topic map[string]string) Workload
}

var kinds = map[string]kind{
	"append-read":      {defaults: appendReadDefaults, draw: drawAppendRead, make: newAppendRead},
	"compacted-table":  {defaults: compactedTableDefaults, draw: drawCompactedTable, make: newCompactedTable},
	"exactly-once":     {defaults: exactlyOnceDefaults, draw: drawExactlyOnce, make: newExactlyOnce},
	"group-churn":      {defaults: groupChurnDefaults, draw: drawGroupChurn, make: newGroupChurn},
	"scale-out":        {defaults: scaleOutDefaults, draw: drawScaleOut, make: newScaleOut},
	"queue-and-pubsub": {defaults: queueAndPubsubDefaults, draw: drawQueueAndPubsub, make: newQueueAndPubsub},
	"registers":        {defaults: registersDefaults, draw: drawRegisters, make: newRegisters},
}

// Names lists the workloads, sorted.
func Names() []string { return slices.Sorted(maps.Keys(kinds)) }

// Defaults are the parameters of a workload with their defaults; nil for an unknown
// name.
func Defaults(name string) map[string]int { return maps.Clone(kinds[name].defaults) }

// Draw draws parameters for a swarm of runs.
func Draw(name string, rng *rand.Rand) map[string]int {
	k, ok := kinds[name]
	if !ok {
		return nil
	}
	return k.draw(rng)
}

// New makes a workload. A name, or a parameter, that does not exist is an error.
func New(cfg Config) (Workload, error) {
	k, ok := kinds[cfg.Name]
	if !ok {
		return nil, fmt.Errorf("no workload %q; there are %v", cfg.Name, Names())
	}
	params := maps.Clone(k.defaults)
	for _, name := range slices.Sorted(maps.Keys(cfg.Params)) {
		if _, ok := params[name]; !ok {
			return nil, fmt.Errorf("workload %s has no parameter %q; it has %v", cfg.Name, name, slices.Sorted(maps.Keys(params)))
		}
		if cfg.Params[name] < 0 {
			return nil, fmt.Errorf("workload %s: parameter %s is negative", cfg.Name, name)
		}
		params[name] = cfg.Params[name]
	}
	return k.make(params, cfg.Topic), nil
}
