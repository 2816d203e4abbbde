package group

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/wire"
)

// The versions of what is written (apache/kafka, OffsetCommitKey.json and its siblings).
// The version of a key is also what tells the kinds of records apart.
const (
	offsetKeyVersion = 1
	groupKeyVersion  = 2

	// An offset with a retention of its own is written in the last version that has a
	// field for it.
	offsetValueExpires = 1
	offsetValueVersion = 3
	groupValueVersion  = 3
)

// maxString is the longest string that fits a record, in bytes.
const maxString = math.MaxInt16

// replays has who replays a record, by the version of its key. What is not here, a newer
// Kafka wrote, and is skipped.
var replays = map[int16]func(m *Machine, e coordinator.Entry){
	0:                replayOffset,
	offsetKeyVersion: replayOffset,
	groupKeyVersion:  replayClassic,

	consumerGroupKey:      replayConsumer(replayConsumerGroup),
	consumerPartitionsKey: replayConsumer(replayConsumerPartitions),
	consumerMemberKey:     replayConsumer(replayConsumerMember),
	consumerTargetKey:     replayConsumer(replayConsumerTarget),
	consumerTargetOfKey:   replayConsumer(replayConsumerTargetOf),
	consumerCurrentKey:    replayConsumer(replayConsumerCurrent),
	consumerPatternKey:    replayConsumer(replayConsumerPattern),
}

// keyVersion is the first field of every key; -1 if there is none.
func keyVersion(key []byte) int16 {
	if len(key) < 2 {
		return -1
	}
	return int16(binary.BigEndian.Uint16(key))
}

func offsetKey(group string, tp wire.TopicPartition) []byte {
	k := kmsg.OffsetCommitKey{Version: offsetKeyVersion, Group: group, Topic: tp.Topic, Partition: tp.Partition}
	return k.AppendTo(nil)
}

func offsetTombstone(group string, tp wire.TopicPartition) coordinator.Record {
	return coordinator.Record{Key: offsetKey(group, tp)}
}

func offsetRecord(group string, tp wire.TopicPartition, o offset) coordinator.Record {
	v := kmsg.OffsetCommitValue{
		Version: offsetValueVersion, Offset: o.at, LeaderEpoch: o.leaderEpoch,
		Metadata: o.metadata, CommitTimestamp: o.committed,
	}
	if o.expires != noExpiry {
		v.Version, v.ExpireTimestamp = offsetValueExpires, o.expires
	}
	return coordinator.Record{Key: offsetKey(group, tp), Value: v.AppendTo(nil)}
}

func groupTombstone(group string) coordinator.Record {
	k := kmsg.GroupMetadataKey{Version: groupKeyVersion, Group: group}
	return coordinator.Record{Key: k.AppendTo(nil)}
}

// groupRecord is a classic group with the given assignments by member.
func groupRecord(g *classic, since int64, assignment func(*member) []byte) coordinator.Record {
	tomb := groupTombstone(g.id)
	v := kmsg.GroupMetadataValue{
		Version: groupValueVersion, ProtocolType: g.protocolType, Generation: g.generation,
		CurrentStateTimestamp: since,
	}
	if len(g.members) > 0 {
		v.Protocol, v.Leader = kmsg.StringPtr(g.protocol), kmsg.StringPtr(g.leader)
	}
	for _, mb := range g.order {
		v.Members = append(v.Members, kmsg.GroupMetadataValueMember{
			MemberID: mb.id, InstanceID: mb.instance, ClientID: mb.clientID, ClientHost: mb.clientHost,
			RebalanceTimeoutMillis: mb.rebalanceMs, SessionTimeoutMillis: mb.sessionMs,
			Subscription: mb.metadata(g.protocol), Assignment: assignment(mb),
		})
	}
	return coordinator.Record{Key: tomb.Key, Value: v.AppendTo(nil)}
}

// replayOffset takes a committed offset, or the tombstone of one.
func replayOffset(m *Machine, e coordinator.Entry) {
	var k kmsg.OffsetCommitKey
	if k.ReadFrom(e.Key) != nil {
		return
	}
	tp := wire.TopicPartition{Topic: k.Topic, Partition: k.Partition}
	if e.Value == nil {
		m.offsets.remove(k.Group, tp)
		if g, ok := m.groups[k.Group].(*classic); ok {
			m.dropIfVoid(g)
		}
		return
	}
	var v kmsg.OffsetCommitValue
	if !readable(e.Value, 4) || v.ReadFrom(e.Value) != nil {
		return
	}
	o := offset{
		at: v.Offset, leaderEpoch: -1, metadata: v.Metadata,
		committed: v.CommitTimestamp, expires: noExpiry, logOffset: e.Offset,
	}
	if v.Version >= 3 {
		o.leaderEpoch = v.LeaderEpoch
	}
	if v.Version == offsetValueExpires && v.ExpireTimestamp >= 0 {
		o.expires = v.ExpireTimestamp
	}
	if m.groups[k.Group] == nil {
		// Somebody commits who uses no other service of the group ("simple consumer").
		m.groups[k.Group] = newClassic(m, k.Group)
	}
	if e.Transaction != nil {
		m.offsets.putPending(*e.Transaction, k.Group, tp, o)
	} else {
		m.offsets.put(k.Group, tp, o)
	}
}

// replayClassic takes a classic group, or its tombstone.
func replayClassic(m *Machine, e coordinator.Entry) {
	var k kmsg.GroupMetadataKey
	if k.ReadFrom(e.Key) != nil {
		return
	}
	if e.Value == nil {
		if g, ok := m.groups[k.Group].(*classic); ok {
			g.dissolve()
			m.forget(k.Group)
		}
		return
	}
	var v kmsg.GroupMetadataValue
	// Metadata and assignments alias what they are read from, and e is the caller's.
	if !readable(e.Value, 4) || v.ReadFrom(bytes.Clone(e.Value)) != nil {
		return
	}
	if g, ok := m.groups[k.Group].(*classic); ok && m.live {
		g.replay(v)
	} else {
		m.groups[k.Group] = restored(m, k.Group, v)
	}
}

// readable reports whether a value has a version up to last.
func readable(value []byte, last int16) bool {
	v := keyVersion(value)
	return v >= 0 && v <= last
}
