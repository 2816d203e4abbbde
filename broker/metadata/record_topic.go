package metadata

import (
	"github.com/twmb/franz-go/pkg/kbin"

	"odradek/broker/wire"
)

// LeaderRecoveryState tells whether a leader was elected cleanly (KIP-704).
type LeaderRecoveryState int8

const (
	// Recovered: the leader came from the ISR or ELR, or has finished recovering.
	Recovered LeaderRecoveryState = 0
	// Recovering: the leader was elected uncleanly and has not finished recovering.
	Recovering LeaderRecoveryState = 1
	// NoRecoveryChange is only meaningful in a [PartitionChangeRecord].
	NoRecoveryChange LeaderRecoveryState = -1
)

func (s LeaderRecoveryState) String() string {
	switch s {
	case Recovered:
		return "recovered"
	case Recovering:
		return "recovering"
	}
	return "unchanged"
}

// TopicRecord (2) creates a topic without partitions.
type TopicRecord struct {
	Name    string
	TopicID wire.UUID
}

func (*TopicRecord) Type() RecordType { return TypeTopic }
func (*TopicRecord) version() uint32  { return 0 }

func (m *TopicRecord) append(dst []byte) []byte {
	dst = kbin.AppendCompactString(dst, m.Name)
	dst = kbin.AppendUuid(dst, m.TopicID)
	return noTags(dst)
}

func (m *TopicRecord) decode(r *kbin.Reader, _ uint32) {
	m.Name = r.CompactString()
	m.TopicID = r.Uuid()
	readTags(r, nil)
}

// RemoveTopicRecord (9) deletes a topic with its partitions and configs.
type RemoveTopicRecord struct {
	TopicID wire.UUID
}

func (*RemoveTopicRecord) Type() RecordType           { return TypeRemoveTopic }
func (*RemoveTopicRecord) version() uint32            { return 0 }
func (m *RemoveTopicRecord) append(dst []byte) []byte { return noTags(kbin.AppendUuid(dst, m.TopicID)) }
func (m *RemoveTopicRecord) decode(r *kbin.Reader, _ uint32) {
	m.TopicID = r.Uuid()
	readTags(r, nil)
}

// PartitionRecord (3) states a partition in full: a new one, or in a snapshot.
type PartitionRecord struct {
	PartitionID         int32
	TopicID             wire.UUID
	Replicas            []wire.NodeID // the first is the preferred leader
	ISR                 []wire.NodeID
	RemovingReplicas    []wire.NodeID
	AddingReplicas      []wire.NodeID
	Leader              wire.NodeID // or wire.NoNode
	LeaderRecoveryState LeaderRecoveryState
	LeaderEpoch         wire.LeaderEpoch
	PartitionEpoch      wire.PartitionEpoch
	// Directories is parallel to Replicas (KIP-858).
	Directories []wire.UUID
	// ELR and LastKnownELR are KIP-966's; null and empty mean the same here.
	ELR          []wire.NodeID
	LastKnownELR []wire.NodeID
}

func (*PartitionRecord) Type() RecordType { return TypePartition }
func (*PartitionRecord) version() uint32  { return 2 }

func (m *PartitionRecord) append(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, m.PartitionID)
	dst = kbin.AppendUuid(dst, m.TopicID)
	dst = appendNodes(dst, m.Replicas)
	dst = appendNodes(dst, m.ISR)
	dst = appendNodes(dst, m.RemovingReplicas)
	dst = appendNodes(dst, m.AddingReplicas)
	dst = kbin.AppendInt32(dst, int32(m.Leader))
	dst = kbin.AppendInt32(dst, int32(m.LeaderEpoch))
	dst = kbin.AppendInt32(dst, int32(m.PartitionEpoch))
	dst = appendUUIDs(dst, m.Directories)
	var tags tagWriter
	if m.LeaderRecoveryState != Recovered {
		tags.add(0, kbin.AppendInt8(nil, int8(m.LeaderRecoveryState)))
	}
	if len(m.ELR) > 0 {
		tags.addNodes(1, m.ELR)
	}
	if len(m.LastKnownELR) > 0 {
		tags.addNodes(2, m.LastKnownELR)
	}
	return tags.appendTo(dst)
}

func (m *PartitionRecord) decode(r *kbin.Reader, version uint32) {
	m.PartitionID = r.Int32()
	m.TopicID = r.Uuid()
	m.Replicas = readNodes(r)
	m.ISR = readNodes(r)
	m.RemovingReplicas = readNodes(r)
	m.AddingReplicas = readNodes(r)
	m.Leader = wire.NodeID(r.Int32())
	m.LeaderEpoch = wire.LeaderEpoch(r.Int32())
	m.PartitionEpoch = wire.PartitionEpoch(r.Int32())
	if version >= 1 {
		m.Directories = readUUIDs(r)
	}
	readTags(r, func(tag uint32, r *kbin.Reader) {
		switch tag {
		case 0:
			m.LeaderRecoveryState = LeaderRecoveryState(r.Int8())
		case 1:
			m.ELR = readNodes(r)
		case 2:
			m.LastKnownELR = readNodes(r)
		}
	})
}

// NoLeaderChange is a PartitionChangeRecord.Leader that leaves leader and leader
// epoch alone. Every other value, also the leader the partition has already,
// raises the leader epoch by one.
const NoLeaderChange wire.NodeID = -2

// PartitionChangeRecord (5) changes a partition; its partition epoch rises by one.
// Use [NewPartitionChange]: the zero value elects broker 0. Null lists are left
// alone, empty ones are set to empty.
type PartitionChangeRecord struct {
	PartitionID         int32
	TopicID             wire.UUID
	ISR                 []wire.NodeID
	Leader              wire.NodeID // NoLeaderChange, wire.NoNode, or the leader
	Replicas            []wire.NodeID
	RemovingReplicas    []wire.NodeID
	AddingReplicas      []wire.NodeID
	LeaderRecoveryState LeaderRecoveryState // or NoRecoveryChange
	ELR                 []wire.NodeID
	LastKnownELR        []wire.NodeID
	Directories         []wire.UUID
}

// NewPartitionChange returns a record that changes nothing yet.
func NewPartitionChange(topic wire.UUID, partition int32) *PartitionChangeRecord {
	return &PartitionChangeRecord{
		TopicID: topic, PartitionID: partition,
		Leader: NoLeaderChange, LeaderRecoveryState: NoRecoveryChange,
	}
}

// Empty reports whether the record changes nothing but the partition epoch.
func (m *PartitionChangeRecord) Empty() bool {
	return m.ISR == nil && m.Leader == NoLeaderChange && m.Replicas == nil &&
		m.RemovingReplicas == nil && m.AddingReplicas == nil && m.LeaderRecoveryState == NoRecoveryChange &&
		m.ELR == nil && m.LastKnownELR == nil && m.Directories == nil
}

func (*PartitionChangeRecord) Type() RecordType { return TypePartitionChange }
func (*PartitionChangeRecord) version() uint32  { return 2 }

func (m *PartitionChangeRecord) append(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, m.PartitionID)
	dst = kbin.AppendUuid(dst, m.TopicID)
	var tags tagWriter
	tags.addNodes(0, m.ISR)
	if m.Leader != NoLeaderChange {
		tags.add(1, kbin.AppendInt32(nil, int32(m.Leader)))
	}
	tags.addNodes(2, m.Replicas)
	tags.addNodes(3, m.RemovingReplicas)
	tags.addNodes(4, m.AddingReplicas)
	if m.LeaderRecoveryState != NoRecoveryChange {
		tags.add(5, kbin.AppendInt8(nil, int8(m.LeaderRecoveryState)))
	}
	tags.addNodes(6, m.ELR)
	tags.addNodes(7, m.LastKnownELR)
	tags.addUUIDs(8, m.Directories)
	return tags.appendTo(dst)
}

func (m *PartitionChangeRecord) decode(r *kbin.Reader, _ uint32) {
	m.PartitionID = r.Int32()
	m.TopicID = r.Uuid()
	m.Leader, m.LeaderRecoveryState = NoLeaderChange, NoRecoveryChange
	readTags(r, func(tag uint32, r *kbin.Reader) {
		switch tag {
		case 0:
			m.ISR = readNodes(r)
		case 1:
			m.Leader = wire.NodeID(r.Int32())
		case 2:
			m.Replicas = readNodes(r)
		case 3:
			m.RemovingReplicas = readNodes(r)
		case 4:
			m.AddingReplicas = readNodes(r)
		case 5:
			m.LeaderRecoveryState = LeaderRecoveryState(r.Int8())
		case 6:
			m.ELR = readNodes(r)
		case 7:
			m.LastKnownELR = readNodes(r)
		case 8:
			m.Directories = readUUIDs(r)
		}
	})
}
