package controller

import (
	"slices"

	"odradek/broker/wire"
)

// completeReassignment ends a reassignment (KIP-455) once every replica that is to
// stay is in the ISR: the removed replicas leave the assignment and the ISR.
func (ch *change) completeReassignment() {
	if len(ch.adding) == 0 && len(ch.removing) == 0 {
		return
	}
	staying := func(ids []wire.NodeID) []wire.NodeID {
		return slices.DeleteFunc(slices.Clone(ids), func(id wire.NodeID) bool { return slices.Contains(ch.removing, id) })
	}
	isr, replicas := staying(ch.isr), staying(ch.replicas)
	if len(isr) == 0 || len(replicas) == 0 || !containsAll(isr, replicas) {
		return
	}
	ch.isr, ch.replicas = isr, replicas
	ch.adding, ch.removing = nil, nil
}
