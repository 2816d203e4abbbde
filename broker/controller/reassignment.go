package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// A reassignment (KIP-455) moves a partition to other replicas in steps:
//
//  1. The new replicas join the assignment as "adding", the old ones that shall go
//     become "removing". Both kinds replicate.
//  2. The new replicas catch up and enter the ISR, by AlterPartition.
//  3. As soon as the ISR has every replica that stays, the removing ones leave
//     assignment and ISR, in the very record that completes the ISR.
//
// Where nothing needs to catch up, all happens in one record.

// reassigning reports whether a reassignment is under way.
func reassigning(p *metadata.Partition) bool { return len(p.Adding) > 0 || len(p.Removing) > 0 }

// original is the assignment before the reassignment under way, if any.
func original(p *metadata.Partition) []wire.NodeID { return minus(p.Replicas, p.Adding) }

// reassign sets the goal of a change to other replicas. Of a reassignment under way
// the new goal takes the place: replicas that it was adding and that are no longer
// wanted go at the end, as they may be in the ISR.
func (ch *change) reassign(target []wire.NodeID) {
	ch.adding = minus(target, original(ch.p))
	ch.removing = minus(ch.p.Replicas, target)
	ch.replicas = slices.Concat(target, ch.removing)
}

// cancelReassignment makes a change go back to the original replicas. With none of
// them in the ISR only an unclean election can bring the partition back.
func (ch *change) cancelReassignment() *refusal {
	ch.isr, ch.replicas = minus(ch.isr, ch.p.Adding), original(ch.p)
	ch.adding, ch.removing = nil, nil
	if len(ch.isr) > 0 {
		return nil
	}
	if ch.election != allowUnclean || !slices.ContainsFunc(ch.replicas, ch.live) {
		return refusef(kerr.InvalidReplicaAssignment,
			"Unable to revert partition assignment for %s:%d because it would require an unclean leader election.", ch.p.Topic, ch.p.Index)
	}
	return nil
}

// completeReassignment ends a reassignment if the ISR wished for allows it.
func (ch *change) completeReassignment() {
	if len(ch.adding) == 0 && len(ch.removing) == 0 {
		return
	}
	isr, replicas := minus(ch.isr, ch.removing), minus(ch.replicas, ch.removing)
	if len(isr) == 0 || !containsAll(isr, replicas) {
		return
	}
	ch.isr, ch.replicas = isr, replicas
	ch.adding, ch.removing = nil, nil
}

// minus is a without the members of b, in a list of its own.
func minus(a, b []wire.NodeID) []wire.NodeID {
	return slices.DeleteFunc(slices.Clone(a), func(id wire.NodeID) bool { return slices.Contains(b, id) })
}
