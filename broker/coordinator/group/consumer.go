package group

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/coordinator"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// consumerState is where a consumer group stands. It follows from the epochs of the group
// and of its members (KIP-848):
//
//	Empty        no members
//	Assigning    the group's epoch is ahead of the target's: the next heartbeat of anybody
//	             makes a new target
//	Reconciling  some member has not reached the target
//	Stable       all have
//	Dead         the group is deleted, or replaced by one of another type
//
//	Empty, Reconciling, Stable -> Assigning    a member joins, leaves, is fenced or subscribes to
//	                                           something else, or its topics have changed
//	Assigning    -> Reconciling                a heartbeat
//	Reconciling  -> Stable                     the last member has given up and got what it shall
//	any          -> Empty                      the last member is gone
//	any          -> Dead
type consumerState uint8

const (
	consumerEmpty consumerState = iota
	assigning
	reconciling
	consumerStable
	consumerDead
)

func (s consumerState) String() string {
	return [...]string{"Empty", "Assigning", "Reconciling", "Stable", "Dead"}[s]
}

// consumer is a group of the consumer protocol (KIP-848). The coordinator assigns: whatever
// changes the group raises its epoch; a target assignment is made for the epoch; and each
// member is led to its target on its own, by heartbeats, so that a partition goes to a
// new owner only after the old one has said that it has let go (consumer_reconcile.go).
//
// All of it is durable, but for the time that members have left. Changes are made here at
// once, marked, and written when the turn is over (done): whatever happens to a group in
// one turn is one batch.
type consumer struct {
	m     *Machine
	id    string
	epoch int32
	// hash is of the metadata of all topics that are subscribed to, as of the epoch.
	hash        int64
	targetEpoch int32
	members     map[string]*consumerMember
	statics     map[string]string   // member id by instance id
	patterns    map[string]*pattern // regular expressions that members subscribe by
	// owners has who may be using a partition: because it is assigned to it, or because it
	// has not yet said that it has given it up. Derived from the members.
	owners map[wire.TopicIDPartition]*consumerMember
	// stale is whether the metadata may have changed since the hash was taken.
	stale bool
	// written is whether the log has a record of the group.
	written bool
	// partitionMetadata is whether the log has one of the kind that only older Kafkas write.
	partitionMetadata bool
	// running is false while the group is built from the log, which may say anything.
	running bool
	// ended is whether the group is about to be taken back.
	ended bool
	changes
}

// changes is what of a group is different from the log, in this turn.
type changes struct {
	touched       bool                 // it is in turn.touched
	first         []coordinator.Record // to be written before all others
	gone          []string             // members that are no more
	epochRaised   bool
	targetChanged bool
	patterns      map[string]bool // regular expressions that came, changed or went
	shrunk        bool            // a member of the consumer protocol is gone
}

var _ group = (*consumer)(nil)

func newConsumer(m *Machine, id string) *consumer {
	return &consumer{
		m: m, id: id, stale: true, running: m.live,
		members: make(map[string]*consumerMember), statics: make(map[string]string),
		patterns: make(map[string]*pattern), owners: make(map[wire.TopicIDPartition]*consumerMember),
	}
}

func (g *consumer) state() consumerState {
	switch {
	case g.ended:
		return consumerDead
	case len(g.members) == 0:
		return consumerEmpty
	case g.epoch > g.targetEpoch:
		return assigning
	}
	for _, mb := range g.members { //odradek:unordered the same for each
		if mb.state != memberStable || mb.epoch != g.targetEpoch {
			return reconciling
		}
	}
	return consumerStable
}

// memberIDs are sorted.
func (g *consumer) memberIDs() []string { return slices.Sorted(maps.Keys(g.members)) }

func (g *consumer) groupType() string    { return "consumer" }
func (g *consumer) stateName() string    { return g.state().String() }
func (g *consumer) protocolName() string { return consumerProtocol }
func (g *consumer) empty() bool          { return len(g.members) == 0 }
func (g *consumer) persisted() bool      { return g.written }

// tombstones take back everything that the log may have of the group, in the reverse of the
// order in which it came to be. The caller writes them, and nothing else follows.
func (g *consumer) tombstones() []coordinator.Record {
	g.ended = true
	var records []coordinator.Record
	for _, id := range slices.Sorted(slices.Values(slices.Concat(g.gone, g.memberIDs()))) {
		records = append(records, g.memberTombstones(id)...)
	}
	texts := g.changes.patterns
	if texts == nil {
		texts = make(map[string]bool)
	}
	for text := range g.patterns { //odradek:unordered sorted below
		texts[text] = true
	}
	for _, text := range slices.Sorted(maps.Keys(texts)) {
		records = append(records, consumerTombstone(consumerPatternKey, g.id, text))
	}
	records = append(records, consumerTombstone(consumerTargetKey, g.id))
	if g.partitionMetadata {
		records = append(records, consumerTombstone(consumerPartitionsKey, g.id))
	}
	return append(records, consumerTombstone(consumerGroupKey, g.id))
}

func (g *consumer) memberTombstones(id string) []coordinator.Record {
	return []coordinator.Record{
		consumerTombstone(consumerCurrentKey, g.id, id),
		consumerTombstone(consumerTargetOfKey, g.id, id),
		consumerTombstone(consumerMemberKey, g.id, id),
	}
}

func (g *consumer) dissolve() {
	g.ended = true
	for _, mb := range g.members { //odradek:unordered what runs does not depend on it
		mb.stopTimers(g.m)
	}
}

// loaded gives every member a fresh session, and who has to give something up the time
// for it.
func (g *consumer) loaded(t *turn) {
	defer func() { g.running = true }()
	for _, id := range g.memberIDs() {
		mb := g.members[id]
		if mb.state < memberStable || mb.state > unreleased {
			// A newer version's state: as if it had to start again, but with what it has.
			mb.state = unreleased
		}
		g.claim(mb)
		g.hear(t, mb)
		if mb.pattern != "" {
			p := g.patterns[mb.pattern]
			if p == nil { // half of what Kafka wrote
				p = &pattern{text: mb.pattern}
				g.patterns[mb.pattern] = p
			}
			p.users++
		}
		if mb.state == unrevoked {
			g.m.timers.start(&mb.revocation, t.later(int64(mb.rebalanceMs)))
		}
	}
	for text, p := range g.patterns { //odradek:unordered each is on its own
		if p.users == 0 { // the end of what was written together is missing
			delete(g.patterns, text)
			g.patternChanged(text)
			g.touch(t)
		}
	}
}

// claim makes a member the owner of what it has.
func (g *consumer) claim(mb *consumerMember) { g.own(mb, mb.assigned); g.own(mb, mb.revoking) }

func (g *consumer) own(mb *consumerMember, s partitions) {
	for _, p := range s {
		had := g.owners[p]
		check(!g.running || had == nil || had == mb || g.m.cfg.Fail.On(failpoint.ZooPartitionEpochLost),
			"group %q: %v belongs to %q and %q", g.id, p, idOf(had), mb.id)
		g.owners[p] = mb
	}
}

func idOf(mb *consumerMember) string {
	if mb == nil {
		return ""
	}
	return mb.id
}

// disown frees what a member had.
func (g *consumer) disown(mb *consumerMember, s partitions) {
	for _, p := range s {
		if g.owners[p] == mb {
			delete(g.owners, p)
		}
	}
}

func (g *consumer) checkCommit(by committer) *kerr.Error {
	if by.generation < 0 && (len(g.members) == 0 || by.transactional && by.member == "" && by.instance == nil) {
		return nil
	}
	mb := g.members[by.member]
	switch {
	case mb == nil:
		return kerr.UnknownMemberID
	case mb.classic != nil && by.generation != mb.epoch:
		return kerr.IllegalGeneration
	case mb.classic == nil && !by.transactional && by.version < 9:
		return kerr.UnsupportedVersion // older clients do not understand what follows
	case by.generation != mb.epoch:
		return kerr.StaleMemberEpoch
	}
	return nil
}

// active counts a classic member's commit as a heartbeat.
func (g *consumer) active(t *turn, id string) {
	if mb := g.members[id]; mb != nil && mb.classic != nil {
		g.hear(t, mb)
	}
}

func (g *consumer) checkFetch(member *string, epoch int32) *kerr.Error {
	if text(member) == "" && epoch < 0 {
		return nil
	}
	switch mb := g.members[text(member)]; {
	case mb == nil:
		return kerr.UnknownMemberID
	case mb.epoch != epoch && mb.classic != nil:
		return kerr.IllegalGeneration
	case mb.epoch != epoch:
		return kerr.StaleMemberEpoch
	}
	return nil
}

func (g *consumer) subscribes(topic string) bool {
	for _, mb := range g.members { //odradek:unordered the same for each
		if slices.Contains(mb.topics, topic) || mb.pattern != "" && slices.Contains(g.patterns[mb.pattern].topics, topic) {
			return true
		}
	}
	return false
}

func (g *consumer) checkOffsetDelete() *kerr.Error { return nil }

func (g *consumer) agesFrom(committed int64) (since int64, expires bool) { return committed, true }
