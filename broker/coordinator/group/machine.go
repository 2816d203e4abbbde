package group

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

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
	// Group is the effective configs of a group, which need not exist. It is asked at every
	// use. Nil: no group sets any itself.
	Group func(id string) config.Group
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
	cfg     Config
	groups  map[string]group
	offsets offsets
	timers  timers
	sweep   timer
	// live is false until Loaded: then replaying rebuilds members, and there is no time.
	live bool
	now  int64 // of the last call
}

var _ coordinator.Machine = (*Machine)(nil)

// New returns a machine without groups.
func New(cfg Config) *Machine {
	if cfg.Broker == nil || cfg.Rand == nil {
		panic("group: Broker and Rand must be set")
	}
	if cfg.Group == nil {
		cfg.Group = func(string) config.Group { return cfg.Broker.Group(nil) }
	}
	m := &Machine{cfg: cfg, groups: make(map[string]group), offsets: newOffsets()}
	m.sweep.fire = func(t *turn) { t.expireOffsets() }
	return m
}

// Replay implements [coordinator.Machine].
func (m *Machine) Replay(e coordinator.Entry) {
	if replay := replays[keyVersion(e.Key)]; replay != nil {
		replay(m, e)
	}
}

// ReplayMarker implements [coordinator.Machine]: the offsets of the transaction become
// the committed ones, or are forgotten.
func (m *Machine) ReplayMarker(marker coordinator.Marker, _ wire.Offset) {
	p := m.offsets.take(marker.ProducerID)
	switch {
	case p == nil:
	case m.live && m.cfg.Fail.On(failpoint.ZooTransactionDoneEarly):
		m.timers.start(&timer{fire: func(*turn) { m.end(p, marker.Commit) }}, m.now+int64(time.Second))
	default:
		m.end(p, marker.Commit)
	}
}

func (m *Machine) end(p *pendingOffsets, commit bool) {
	if commit {
		m.offsets.commit(p)
	}
	for _, id := range p.groups() {
		if g, ok := m.groups[id].(*classic); ok {
			m.dropIfVoid(g)
		} else if m.groups[id] == nil && m.offsets.has(id) {
			m.groups[id] = newClassic(m, id)
		}
	}
}

// turn begins a call.
func (m *Machine) turn(at coordinator.Moment) *turn {
	m.now = at.Now
	return &turn{m: m, at: at}
}

// Loaded implements [coordinator.Machine]. Members get a fresh session.
func (m *Machine) Loaded(at coordinator.Moment, _ int32) coordinator.Decision {
	t := m.turn(at)
	m.live = true
	for _, id := range m.ids() {
		m.groups[id].loaded(t)
	}
	m.timers.start(&m.sweep, t.later(m.cfg.Broker.OffsetsRetentionCheckMs))
	t.forgetTopics()
	return t.done()
}

// Handle implements [coordinator.Machine].
func (m *Machine) Handle(at coordinator.Moment, r coordinator.Request) coordinator.Decision {
	t := m.turn(at)
	switch msg := r.Msg.(type) {
	case *kmsg.JoinGroupRequest:
		t.joinGroup(r, msg)
	case *kmsg.SyncGroupRequest:
		t.syncGroup(r, msg)
	case *kmsg.HeartbeatRequest:
		t.heartbeat(r, msg)
	case *kmsg.LeaveGroupRequest:
		t.leaveGroup(r, msg)
	case *kmsg.OffsetCommitRequest:
		t.offsetCommit(r, msg)
	case *kmsg.TxnOffsetCommitRequest:
		t.txnOffsetCommit(r, msg)
	case *kmsg.OffsetFetchRequest:
		t.offsetFetch(r, msg)
	case *kmsg.OffsetDeleteRequest:
		t.offsetDelete(r, msg)
	case *kmsg.DescribeGroupsRequest:
		t.describeGroups(r, msg)
	case *kmsg.ListGroupsRequest:
		t.listGroups(r, msg)
	case *kmsg.DeleteGroupsRequest:
		t.deleteGroups(r, msg)
	case *kmsg.ConsumerGroupHeartbeatRequest:
		t.consumerHeartbeat(r, msg)
	case *kmsg.ConsumerGroupDescribeRequest:
		t.describeConsumerGroups(r, msg)
	default:
		panic(fmt.Sprintf("group: no handler for %T", msg))
	}
	return t.done()
}

// MetadataChanged implements [coordinator.Machine]: the offsets of topics that were
// deleted are. Consumer groups look at their topics when a member sends its next heartbeat.
func (m *Machine) MetadataChanged(at coordinator.Moment) coordinator.Decision {
	t := m.turn(at)
	for _, g := range m.groups { //odradek:unordered the same for each
		if g, ok := g.(*consumer); ok {
			g.stale = true
		}
	}
	t.forgetTopics()
	return t.done()
}

// Deadline implements [coordinator.Machine].
func (m *Machine) Deadline() int64 { return m.timers.next() }

// Tick implements [coordinator.Machine].
func (m *Machine) Tick(at coordinator.Moment) coordinator.Decision {
	t := m.turn(at)
	for {
		tm := m.timers.due(at.Now)
		if tm == nil {
			return t.done()
		}
		tm.fire(t)
	}
}

// ids are the group ids, sorted.
func (m *Machine) ids() []string { return slices.Sorted(maps.Keys(m.groups)) }

// newUUID is a random one (version 4).
func (m *Machine) newUUID() (u wire.UUID) {
	for i := range u {
		u[i] = byte(m.cfg.Rand.Uint32())
	}
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return u
}

// newMemberID is what Kafka makes up, too: a name to recognise and a random UUID.
func (m *Machine) newMemberID(name string) string {
	u := m.newUUID()
	name = name[:min(len(name), maxString-len("-")-36)]
	return fmt.Sprintf("%s-%x-%x-%x-%x-%x", name, u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
