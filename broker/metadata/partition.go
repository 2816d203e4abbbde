package metadata

import (
	"slices"

	"odradek/broker/wire"
)

// Partition is the cluster's view of one partition. A value is immutable once it
// is in an [Image]: a change puts a new one in its place, so that holders may keep
// it and compare by pointer.
type Partition struct {
	TopicID wire.UUID
	Topic   string
	Index   int32

	Replicas []wire.NodeID // the first is the preferred leader
	ISR      []wire.NodeID
	// ELR are replicas outside the ISR that hold every committed record, kept
	// while the ISR is smaller than min.insync.replicas (KIP-966).
	ELR []wire.NodeID
	// LastKnownELR has at most one member here: the last leader of a partition
	// whose ISR and ELR have both become empty (KIP-966, balanced recovery).
	LastKnownELR []wire.NodeID
	Adding       []wire.NodeID // replicas being added by a reassignment
	Removing     []wire.NodeID // replicas being removed by a reassignment
	Directories  []wire.UUID   // parallel to Replicas; empty if unknown

	Leader        wire.NodeID // or wire.NoNode
	LeaderEpoch   wire.LeaderEpoch
	Epoch         wire.PartitionEpoch
	RecoveryState LeaderRecoveryState
}

// HasReplica reports whether the node is assigned a replica.
func (p *Partition) HasReplica(id wire.NodeID) bool { return slices.Contains(p.Replicas, id) }

// InISR reports whether the node is in the ISR.
func (p *Partition) InISR(id wire.NodeID) bool { return slices.Contains(p.ISR, id) }

// InELR reports whether the node is an eligible leader replica.
func (p *Partition) InELR(id wire.NodeID) bool { return slices.Contains(p.ELR, id) }

// PreferredLeader is the first replica.
func (p *Partition) PreferredLeader() wire.NodeID {
	if len(p.Replicas) == 0 {
		return wire.NoNode
	}
	return p.Replicas[0]
}

// TopicIDPartition is the partition's identity.
func (p *Partition) TopicIDPartition() wire.TopicIDPartition {
	return wire.TopicIDPartition{TopicID: p.TopicID, Partition: p.Index}
}

// Record states the partition in full.
func (p *Partition) Record() *PartitionRecord {
	return &PartitionRecord{
		PartitionID: p.Index, TopicID: p.TopicID,
		Replicas: p.Replicas, ISR: p.ISR, ELR: p.ELR, LastKnownELR: p.LastKnownELR,
		AddingReplicas: p.Adding, RemovingReplicas: p.Removing, Directories: p.Directories,
		Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.Epoch,
		LeaderRecoveryState: p.RecoveryState,
	}
}

// newPartition builds the partition that a full record states.
func newPartition(topic string, r *PartitionRecord) *Partition {
	return &Partition{
		TopicID: r.TopicID, Topic: topic, Index: r.PartitionID,
		Replicas: r.Replicas, ISR: r.ISR, ELR: r.ELR, LastKnownELR: r.LastKnownELR,
		Adding: r.AddingReplicas, Removing: r.RemovingReplicas, Directories: r.Directories,
		Leader: r.Leader, LeaderEpoch: r.LeaderEpoch, Epoch: r.PartitionEpoch,
		RecoveryState: r.LeaderRecoveryState,
	}
}

// with returns the partition after a change.
func (p *Partition) with(r *PartitionChangeRecord) *Partition {
	q := *p
	replace(&q.ISR, r.ISR)
	replace(&q.Replicas, r.Replicas)
	replace(&q.Removing, r.RemovingReplicas)
	replace(&q.Adding, r.AddingReplicas)
	replace(&q.ELR, r.ELR)
	replace(&q.LastKnownELR, r.LastKnownELR)
	replace(&q.Directories, r.Directories)
	if r.Leader != NoLeaderChange {
		q.Leader = r.Leader
		q.LeaderEpoch++
	}
	if r.LeaderRecoveryState != NoRecoveryChange {
		q.RecoveryState = r.LeaderRecoveryState
	}
	q.Epoch++
	return &q
}

func replace[T any](dst *[]T, change []T) {
	if change != nil {
		*dst = change
	}
}

// TopicPartition is the partition's name.
func (p *Partition) TopicPartition() wire.TopicPartition {
	return wire.TopicPartition{Topic: p.Topic, Partition: p.Index}
}
