package controller

import (
	"slices"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// election says how far a change may go to give a partition a leader.
type election uint8

const (
	// keepOnline keeps a valid leader and else takes the first valid replica.
	keepOnline election = iota
	// preferPreferred takes the preferred replica if it is valid.
	preferPreferred
	// allowUnclean is keepOnline, and as a last resort takes any live replica.
	allowUnclean
)

// change is a wish to change one partition. Fields start as the partition is.
//
// The rules (KIP-966 on top of Kafka's older ones):
//
//   - A valid leader is live and in the ISR, or in the ELR if the ISR is empty.
//   - While the ISR is smaller than min.insync.replicas, replicas that leave it
//     become ELR members: the high watermark stands still, so they hold all that is
//     committed. Once it is large enough again the ELR is cleared.
//   - A replica whose broker stopped uncleanly may have lost its tail; it leaves
//     ISR and ELR.
//   - If both become empty, the last leader is remembered. It may lead again as soon
//     as it is back, but that election counts as unclean.
//   - Every change raises the partition epoch; a new leader, or the removal of a
//     replica from the assignment, raises the leader epoch too. An ISR that shrinks
//     does not (KAFKA-15021).
type change struct {
	p        *metadata.Partition
	isr      []wire.NodeID
	replicas []wire.NodeID
	adding   []wire.NodeID
	removing []wire.NodeID
	recovery metadata.LeaderRecoveryState

	election election
	// lost is a broker that stopped uncleanly, or wire.NoNode.
	lost wire.NodeID
	// leaving is a broker that may no longer lead although the image still has it
	// as live, or wire.NoNode.
	leaving wire.NodeID

	// elrOn tells whether eligible leader replicas are enabled.
	elrOn  bool
	minISR int
	live   func(wire.NodeID) bool
	dir    func(wire.NodeID) wire.UUID
}

// changeOf starts a change of a partition, with unclean election as its topic
// allows it.
func (c *Controller) changeOf(p *metadata.Partition) *change {
	layers := c.topicLayers(p.Topic)
	ch := &change{
		p: p, isr: p.ISR, replicas: p.Replicas, adding: p.Adding, removing: p.Removing, recovery: p.RecoveryState,
		lost: wire.NoNode, leaving: wire.NoNode,
		elrOn: c.pending.FeatureLevel(metadata.ELRVersion) > 0,
		// More replicas than there are can never be in sync.
		minISR: min(int(layers.TopicInt("min.insync.replicas")), len(p.Replicas)),
		live:   func(id wire.NodeID) bool { return c.pending.Broker(id).Active() },
		dir:    c.directoryFor,
	}
	if layers.TopicBool("unclean.leader.election.enable") {
		ch.election = allowUnclean
	}
	return ch
}

// apply writes the record of a change, if it changes anything.
func (c *Controller) apply(ch *change) bool {
	r := ch.record()
	if r == nil {
		return false
	}
	c.write(r)
	return true
}

// outcome is the state that a change leads to, as far as leadership goes.
type outcome struct {
	isr, elr, lastKnown []wire.NodeID
	leader              wire.NodeID
	unclean             bool
}

// record works out the change, or nil if there is none.
func (ch *change) record() *metadata.PartitionChangeRecord {
	p := ch.p
	ch.completeReassignment()
	next := ch.outcome()

	r := metadata.NewPartitionChange(p.TopicID, p.Index)
	if next.leader != p.Leader || !containsAll(ch.replicas, p.Replicas) {
		r.Leader = next.leader
	}
	r.ISR = difference(p.ISR, next.isr)
	r.ELR = difference(p.ELR, next.elr)
	r.LastKnownELR = difference(p.LastKnownELR, next.lastKnown)
	r.Replicas = difference(p.Replicas, ch.replicas)
	r.AddingReplicas = difference(p.Adding, ch.adding)
	r.RemovingReplicas = difference(p.Removing, ch.removing)
	if r.Replicas != nil {
		r.Directories = ch.directories()
	}
	if next.unclean {
		ch.recovery = metadata.Recovering
	}
	if ch.recovery != p.RecoveryState {
		r.LeaderRecoveryState = ch.recovery
	}
	if r.Empty() {
		return nil
	}
	return r
}

// outcome finds leader, ISR, ELR and last known leader.
func (ch *change) outcome() outcome {
	next := outcome{isr: ch.isr, elr: ch.eligible(), lastKnown: ch.p.LastKnownELR}
	if !ch.elrOn {
		next.lastKnown = nil
	}
	next.leader, next.unclean = ch.elect(next)
	switch {
	case next.leader == wire.NoNode:
		// The first time that nobody is left, remember who led.
		if ch.elrOn && len(next.isr) == 0 && len(ch.p.ISR) > 0 && ch.p.Leader != wire.NoNode {
			next.lastKnown = []wire.NodeID{ch.p.Leader}
		}
		// Without the ELR, an empty ISR would forget who has the data.
		if !ch.elrOn && len(next.isr) == 0 {
			next.isr = ch.p.ISR
		}
	case next.unclean:
		next.isr, next.elr, next.lastKnown = []wire.NodeID{next.leader}, nil, nil
	default:
		if len(next.isr) == 0 { // elected from the ELR
			next.isr = []wire.NodeID{next.leader}
			next.elr = minus(next.elr, next.isr)
		}
		next.lastKnown = nil
		// With the leader alone back in the ISR, min.insync.replicas may be met, and
		// then records commit that the rest of the ELR does not have.
		if len(next.isr) >= ch.minISR {
			next.elr = nil
		}
	}
	return next
}

// eligible is the ELR that goes with the ISR wished for, in order of replicas.
func (ch *change) eligible() []wire.NodeID {
	if !ch.elrOn || len(ch.isr) >= ch.minISR {
		return nil
	}
	var elr []wire.NodeID
	for _, id := range ch.replicas {
		was := ch.p.InISR(id) || ch.p.InELR(id)
		if was && id != ch.lost && !slices.Contains(ch.isr, id) {
			elr = append(elr, id)
		}
	}
	return elr
}

// elect picks the leader, or wire.NoNode.
func (ch *change) elect(next outcome) (leader wire.NodeID, unclean bool) {
	acceptable := func(id wire.NodeID) bool {
		return id != wire.NoNode && id != ch.leaving && id != ch.lost && ch.live(id)
	}
	valid := func(id wire.NodeID) bool {
		inSync := slices.Contains(next.isr, id) || len(next.isr) == 0 && slices.Contains(next.elr, id)
		return inSync && acceptable(id)
	}
	if ch.election == preferPreferred && valid(ch.replicas[0]) {
		return ch.replicas[0], false
	}
	if valid(ch.p.Leader) {
		return ch.p.Leader, false
	}
	if i := slices.IndexFunc(ch.replicas, valid); i >= 0 {
		return ch.replicas[i], false
	}
	nobodyLeft := len(next.isr) == 0 && len(next.elr) == 0
	if ch.elrOn && nobodyLeft && len(ch.p.LastKnownELR) == 1 {
		if last := ch.p.LastKnownELR[0]; acceptable(last) && slices.Contains(ch.replicas, last) {
			return last, true
		}
	}
	if ch.election == allowUnclean {
		if i := slices.IndexFunc(ch.replicas, acceptable); i >= 0 {
			return ch.replicas[i], true
		}
	}
	return wire.NoNode, false
}

// directories is the list parallel to the new replicas.
func (ch *change) directories() []wire.UUID {
	dirs := make([]wire.UUID, len(ch.replicas))
	for i, id := range ch.replicas {
		if j := slices.Index(ch.p.Replicas, id); j >= 0 && j < len(ch.p.Directories) {
			dirs[i] = ch.p.Directories[j]
		} else {
			dirs[i] = ch.dir(id)
		}
	}
	return dirs
}

// unassigned is the reserved directory id of a replica whose broker has not said
// yet which of several directories it uses (KIP-858).
var unassigned = wire.UUID{15: 1}

// directoryFor is where a new replica on a broker will be.
func (c *Controller) directoryFor(id wire.NodeID) wire.UUID {
	if b := c.pending.Broker(id); b != nil && len(b.LogDirs) == 1 {
		return b.LogDirs[0]
	}
	return unassigned
}

// difference returns what a change record carries for a list: nil if nothing
// changed, and a list that is not nil, even if empty, if it did.
func difference(before, after []wire.NodeID) []wire.NodeID {
	if slices.Equal(before, after) {
		return nil
	}
	return append(make([]wire.NodeID, 0, len(after)), after...)
}

func containsAll(ids, wanted []wire.NodeID) bool {
	return !slices.ContainsFunc(wanted, func(id wire.NodeID) bool { return !slices.Contains(ids, id) })
}
