package group

import (
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/cluster"
)

// consumerState is where a member of a consumer group stands (KIP-848):
//
//	outside       -> entering       the script polls and there are topics
//	entering      -> reconciling    the heartbeat with epoch 0 is answered, with an assignment
//	entering      -> member         ... without one
//	member        -> reconciling    a heartbeat brings another assignment
//	reconciling   -> member         the script has heard of what goes and comes, and the
//	                                coordinator of what is held now
//	any           -> outside        fenced (FENCED_MEMBER_EPOCH, UNKNOWN_MEMBER_ID), or the script
//	                                has not polled for too long
//	any           -> parting        Leave, and nothing is owned any more
type consumerState uint8

const (
	outside consumerState = iota
	entering
	member
	reconciling
	parting
)

func (s consumerState) String() string {
	return [...]string{"outside", "entering", "member", "reconciling", "parting"}[s]
}

// Member epochs with a meaning of their own in ConsumerGroupHeartbeat.
const (
	joinEpoch        int32 = 0
	leaveEpoch       int32 = -1
	leaveStaticEpoch int32 = -2 // and the place is kept
)

// consumerMember is a membership of the consumer protocol.
type consumerMember struct {
	*Core
	state consumerState
	// id is the member's own choice, for as long as it lives (KIP-1082).
	id string
	// epoch is 0 before the coordinator has given one.
	epoch int32
	// target is the assignment that the coordinator wants; assigned: it has given one.
	target   []assignedTopic
	assigned bool
	// whole: all topics of the target were known when it was last carried out.
	whole bool
	// lost: what is owned belongs to a membership that is no more.
	lost bool
	// interval between heartbeats, as the broker says.
	interval time.Duration
	inFlight bool
	// next heartbeat, and the end of the back-off, in ns.
	next, notBefore int64
	failures        int
	// told is what the coordinator knows, so that it need not be repeated; nil after a
	// failure, when it may have missed it.
	told *told
	// life grows with every membership, so that answers to an earlier one are told apart.
	life uint64
}

// assignedTopic is a topic of the target, by id.
type assignedTopic struct {
	id         wire.UUID
	partitions []int32
}

// told is what a heartbeat carries only when it changes.
type told struct {
	topics   []string
	assignor string
	owned    []wire.TopicPartition
}

func newConsumer(c *Core) *consumerMember {
	return &consumerMember{Core: c, id: drawID(c.rng), interval: 5 * time.Second}
}

// drawID draws a member id as Kafka writes them: a version 4 UUID in URL-safe base64.
func drawID(rng *rand.Rand) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], rng.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return base64.RawURLEncoding.EncodeToString(id[:])
}

func (g *consumerMember) String() string { return g.state.String() }

func (g *consumerMember) member() Member {
	m := Member{Group: g.cfg.ID, Generation: -1, Instance: g.cfg.Instance}
	if g.epoch > 0 {
		m.Generation, m.ID = g.epoch, g.id
	}
	return m
}

func (g *consumerMember) mayCommit() error {
	if g.epoch <= 0 || g.lost {
		return ErrNotMember
	}
	return nil
}

// refused does nothing: a heartbeat will tell whether the member is still one.
func (g *consumerMember) refused(now int64, m Member, code int16) {
	if code == kerr.UnknownMemberID.Code || code == kerr.StaleMemberEpoch.Code {
		g.next = now
	}
}

func (g *consumerMember) mayExpire() bool { return g.state != outside && g.state != parting }

func (g *consumerMember) poll(now int64) {
	if g.state == outside && g.lost && len(g.changes) == 0 && len(g.owned) > 0 && g.present() {
		m := g.member()
		g.tell(Lose, g.owned, m)
	}
	if g.state == outside && g.present() && !g.leaving && len(g.topics) > 0 && len(g.changes) == 0 && len(g.owned) == 0 {
		g.lost = false
		g.enter(entering)
		g.epoch = joinEpoch
		g.told = nil
		g.next = now
	}
	if g.told != nil && !slices.Equal(g.told.topics, g.topics) {
		g.next = min(g.next, now)
	}
	if g.state == reconciling && len(g.changes) == 0 && !g.leaving {
		g.reconcile(now)
	}
	g.pollHeartbeat(now)
}

// enter begins or ends a membership.
func (g *consumerMember) enter(s consumerState) {
	g.state = s
	g.life++
}

func (g *consumerMember) deadline() int64 {
	if _, known := g.finder.Node(); !known || g.inFlight || !g.beats() {
		return cluster.Never
	}
	return max(g.next, g.notBefore)
}

// beats tells whether heartbeats are sent.
func (g *consumerMember) beats() bool {
	return g.state == entering || g.state == member || g.state == reconciling
}

// fence takes a refusal of the member: what it owns is lost, and it enters again.
func (g *consumerMember) fence(now int64, err error) {
	if m := g.member(); m.In() {
		g.event(Fenced, m, err)
	}
	g.drop()
	g.backOff(now)
}

// drop ends the membership: nothing is owned by right any more.
func (g *consumerMember) drop() {
	g.recall()
	g.enter(outside)
	g.epoch = joinEpoch
	g.lost = true
	g.target, g.assigned, g.told = nil, false, nil
	g.inFlight = false
}

func (g *consumerMember) backOff(now int64) {
	g.failures++
	g.notBefore = now + int64(g.cfg.Backoff.After(g.failures, g.rng))
}

// abandon leaves because the script does not poll.
func (g *consumerMember) abandon(now int64) {
	m := g.member()
	g.sendLeave(nil)
	if m.In() {
		g.event(Left, m, nil)
	}
	g.drop()
}

func (g *consumerMember) leave(now int64) {
	if g.state == parting {
		return
	}
	m := g.member()
	sent := g.sendLeave(g.left)
	g.enter(parting)
	if m.In() {
		g.event(Left, m, nil)
	}
	if !sent {
		g.left()
	}
}

// sendLeave tells the coordinator, if it has met the member and is known, and calls done
// after the answer. It reports whether it sent anything.
func (g *consumerMember) sendLeave(done func()) bool {
	if _, ok := g.finder.Node(); !ok || g.state == outside {
		return false
	}
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = g.cfg.ID, g.id, leaveEpoch, optional(g.cfg.Instance)
	req.RebalanceTimeoutMillis = -1
	if g.cfg.Instance != "" {
		req.MemberEpoch = leaveStaticEpoch
	}
	g.send(req, 0, 1, 0, func(int64, wire.NodeID, kmsg.Response, error) {
		if done != nil {
			done()
		}
	})
	return true
}

// reconcile compares what is owned with the target, and has the script hear of the
// difference: first what goes, and once that is done what comes by the newest target.
// (What was revoked may have taken long, and what was to come may be somebody else's by
// now.)
func (g *consumerMember) reconcile(now int64) {
	target, whole := g.resolve()
	if gone := without(g.owned, target); len(gone) > 0 {
		g.tell(Revoke, gone, g.member())
		return
	}
	come := without(target, g.owned)
	if len(come) > 0 || !g.assigned && whole {
		g.assigned = true
		g.tell(Assign, come, g.member())
		return
	}
	if g.told == nil || !slices.Equal(g.told.owned, g.owned) {
		g.next = now // the coordinator waits for it
	}
	g.whole = whole
	if whole {
		g.state = member
	}
}

// resolve gives the target by names, and whether all of them are known.
func (g *consumerMember) resolve() (tps []wire.TopicPartition, whole bool) {
	whole = true
	for _, t := range g.target {
		name, ok := g.meta.TopicName(t.id)
		if !ok {
			// Another incarnation, or news: assigned once the metadata have it.
			whole = false
			g.meta.RequestUpdate()
			continue
		}
		tps = appendPartitions(tps, name, t.partitions)
	}
	slices.SortFunc(tps, wire.TopicPartition.Compare)
	return slices.Compact(tps), whole
}

func (g *consumerMember) changed(int64) {}
