package group

import (
	"math/rand/v2"
	"time"

	"odradek/broker/config"
	"odradek/broker/coordinator"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// Config is what a machine is told once.
type Config struct {
	// Broker has the keys of groups and offsets. It is read at every use, so that a
	// change of a dynamic config takes effect.
	Broker *config.Broker
	// Rand draws member ids.
	Rand *rand.Rand
	// Fail may be nil.
	Fail *failpoint.Registry
}

// Machine is the groups of one shard. It implements [coordinator.Machine].
//
// Requests with several groups (DescribeGroups, DeleteGroups, OffsetFetch from version 8)
// are answered for every group in them as if it belonged to this shard; the shell
// sends each shard its own.
type Machine struct {
	cfg Config
}

var _ coordinator.Machine = (*Machine)(nil)

// New returns a machine without groups.
func New(cfg Config) *Machine {
	if cfg.Broker == nil || cfg.Rand == nil {
		panic("group: Broker and Rand must be set")
	}
	return &Machine{cfg: cfg}
}

// Replay implements [coordinator.Machine].
func (m *Machine) Replay(e coordinator.Entry) {}

// ReplayMarker implements [coordinator.Machine]: the offsets of the transaction become
// the committed ones, or are forgotten.
func (m *Machine) ReplayMarker(marker coordinator.Marker, offset wire.Offset) {}

// Loaded implements [coordinator.Machine]. Members get a fresh session.
func (m *Machine) Loaded(at coordinator.Moment, coordinatorEpoch int32) coordinator.Decision {
	return coordinator.Decision{}
}

// Handle implements [coordinator.Machine]. Besides the requests of groups and offsets it
// takes a [coordinator.Marker], which it appends, and answers with a nil Response.
func (m *Machine) Handle(at coordinator.Moment, r coordinator.Request) coordinator.Decision {
	return coordinator.Decision{}
}

// MetadataChanged implements [coordinator.Machine]: the offsets of topics that were
// deleted are.
func (m *Machine) MetadataChanged(at coordinator.Moment) coordinator.Decision {
	return coordinator.Decision{}
}

// Deadline implements [coordinator.Machine].
func (m *Machine) Deadline() int64 { return coordinator.Never }

// Tick implements [coordinator.Machine].
func (m *Machine) Tick(at coordinator.Moment) coordinator.Decision { return coordinator.Decision{} }

const millisecond = int64(time.Millisecond)
