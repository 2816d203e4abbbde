package replica

import (
	"slices"

	"odradek/broker/wire"
)

// Partition is a partition's state in the metadata, as committed by the
// controller.
type Partition struct {
	LeaderEpoch    wire.LeaderEpoch
	PartitionEpoch wire.PartitionEpoch
	Replicas       []wire.NodeID
	ISR            []wire.NodeID
	// ELR is the eligible leader replicas (KIP-966): out of the ISR, but known to
	// hold everything below the high watermark, because that stands still while
	// the ISR is below its minimum. Only the controller acts on it.
	ELR []wire.NodeID
}

func (p Partition) clone() Partition {
	p.Replicas = slices.Clone(p.Replicas)
	p.ISR = slices.Clone(p.ISR)
	p.ELR = slices.Clone(p.ELR)
	slices.Sort(p.ISR)
	return p
}

// BrokerState is what the metadata says about a broker.
type BrokerState struct {
	// Epoch is that of its present registration, NoBrokerEpoch if it has none.
	Epoch        wire.BrokerEpoch
	Fenced       bool
	ShuttingDown bool // in controlled shutdown
}

// ISRMember is a replica in a proposed ISR, with the registration that the leader
// knows it by (KIP-903). NoBrokerEpoch tells the controller not to compare.
type ISRMember struct {
	Node  wire.NodeID
	Epoch wire.BrokerEpoch
}

// AlterPartition is a request to the controller (version 3 or later) to change
// the ISR. LeaderRecoveryState is always RECOVERED: a leader that was elected
// uncleanly has nothing left to recover.
type AlterPartition struct {
	// ID names the proposal in OnAlterPartitionResult. A retry keeps it.
	ID             int64
	LeaderEpoch    wire.LeaderEpoch
	PartitionEpoch wire.PartitionEpoch
	ISR            []ISRMember
}
