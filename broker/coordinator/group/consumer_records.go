package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/wire"
)

// The records of consumer groups (apache/kafka, ConsumerGroupMetadataKey.json and its
// siblings; kmsg does not have them). A key is its version and strings; every value is
// version 0, of flexible fields, so that what later versions add is a tag to be skipped.
//
//	3   the group's epoch, and the hash of the metadata that it is about
//	4   the partitions of its topics: older Kafkas wrote that, here it is only taken back
//	5   a member as it describes itself
//	6   the epoch of the target assignment
//	7   a member's target
//	8   a member's current assignment: what it has and has to give up
//	16  what a regular expression stands for
const (
	consumerGroupKey      = 3
	consumerPartitionsKey = 4
	consumerMemberKey     = 5
	consumerTargetKey     = 6
	consumerTargetOfKey   = 7
	consumerCurrentKey    = 8
	consumerPatternKey    = 16
)

// consumerKey is the key of a record of a group, or with a name of a part of it.
func consumerKey(version int16, group string, part ...string) []byte {
	b := kbin.AppendString(kbin.AppendInt16(nil, version), group)
	for _, p := range part {
		b = kbin.AppendString(b, p)
	}
	return b
}

func consumerTombstone(version int16, group string, part ...string) coordinator.Record {
	return coordinator.Record{Key: consumerKey(version, group, part...)}
}

// valueVersion begins every value; noTags ends every structure in it.
func valueVersion() []byte            { return kbin.AppendInt16(nil, 0) }
func noTags(dst []byte) []byte        { return append(dst, 0) }
func skipTags(b *kbin.Reader)         { readTags(b, func(uint32, *kbin.Reader) {}) }
func readVersion(b *kbin.Reader) bool { return b.Int16() == 0 && b.Ok() }

// readTags hands every tagged field to f, which may leave it unread.
func readTags(b *kbin.Reader, f func(tag uint32, b *kbin.Reader)) {
	for n := b.Uvarint(); n > 0 && b.Ok(); n-- {
		tag, size := b.Uvarint(), b.Uvarint()
		field := kbin.Reader{Src: b.Span(int(size))}
		if b.Ok() {
			f(tag, &field)
		}
	}
}

func appendPartitions(dst []byte, s partitions) []byte {
	topics := 0
	s.eachTopic(func(wire.UUID, []int32) { topics++ })
	dst = kbin.AppendCompactArrayLen(dst, topics)
	s.eachTopic(func(topic wire.UUID, indexes []int32) {
		dst = kbin.AppendUuid(dst, topic)
		dst = kbin.AppendCompactArrayLen(dst, len(indexes))
		for _, i := range indexes {
			dst = kbin.AppendInt32(dst, i)
		}
		dst = noTags(dst)
	})
	return dst
}

func readPartitions(b *kbin.Reader) partitions {
	var list []wire.TopicIDPartition
	for n := b.CompactArrayLen(); n > 0 && b.Ok(); n-- {
		topic := wire.UUID(b.Uuid())
		for k := b.CompactArrayLen(); k > 0 && b.Ok(); k-- {
			list = append(list, wire.TopicIDPartition{TopicID: topic, Partition: b.Int32()})
		}
		skipTags(b)
	}
	return setOf(list)
}

func appendStrings(dst []byte, list []string) []byte {
	dst = kbin.AppendCompactArrayLen(dst, len(list))
	for _, s := range list {
		dst = kbin.AppendCompactString(dst, s)
	}
	return dst
}

func readStrings(b *kbin.Reader) []string {
	var list []string
	for n := b.CompactArrayLen(); n > 0 && b.Ok(); n-- {
		list = append(list, b.CompactString())
	}
	return list
}

func (g *consumer) groupRecord() coordinator.Record {
	v := kbin.AppendInt32(valueVersion(), g.epoch)
	// One tagged field: the hash.
	v = append(v, 1, 0, 8)
	v = kbin.AppendInt64(v, g.hash)
	return coordinator.Record{Key: consumerKey(consumerGroupKey, g.id), Value: v}
}

func replayConsumerGroup(g *consumer, _ string, v *kbin.Reader) {
	g.epoch = v.Int32()
	readTags(v, func(tag uint32, b *kbin.Reader) {
		if tag == 0 {
			g.hash = b.Int64()
		}
	})
}

func replayConsumerPartitions(g *consumer, _ string, v *kbin.Reader) { g.partitionMetadata = v != nil }

func (g *consumer) targetRecord() coordinator.Record {
	return coordinator.Record{Key: consumerKey(consumerTargetKey, g.id), Value: noTags(kbin.AppendInt32(valueVersion(), g.targetEpoch))}
}

func replayConsumerTarget(g *consumer, _ string, v *kbin.Reader) {
	if g.targetEpoch = 0; v != nil {
		g.targetEpoch = v.Int32()
	}
}

func (g *consumer) memberRecord(mb *consumerMember) coordinator.Record {
	v := kbin.AppendCompactNullableString(valueVersion(), mb.instance)
	v = kbin.AppendCompactNullableString(v, mb.rack)
	v = kbin.AppendCompactString(v, mb.clientID)
	v = kbin.AppendCompactString(v, mb.clientHost)
	v = appendStrings(v, mb.topics)
	v = kbin.AppendCompactNullableString(v, optional(mb.pattern))
	v = kbin.AppendInt32(v, mb.rebalanceMs)
	v = kbin.AppendCompactNullableString(v, optional(mb.assignor))
	if mb.classic == nil {
		v = noTags(v)
	} else {
		// A structure that may be null begins with a byte that says that it is there.
		c := kbin.AppendInt32([]byte{1}, mb.classic.sessionMs)
		c = kbin.AppendCompactArrayLen(c, len(mb.classic.protocols))
		for _, p := range mb.classic.protocols {
			c = noTags(kbin.AppendCompactBytes(kbin.AppendCompactString(c, p.Name), p.Metadata))
		}
		c = noTags(c)
		v = append(v, 1, 0)
		v = append(kbin.AppendUvarint(v, uint32(len(c))), c...)
	}
	return coordinator.Record{Key: consumerKey(consumerMemberKey, g.id, mb.id), Value: v}
}

func replayConsumerMember(g *consumer, id string, v *kbin.Reader) {
	if v == nil {
		if mb := g.members[id]; mb != nil {
			g.drop(mb)
		}
		return
	}
	mb := g.memberOrNew(id)
	if mb.instance != nil {
		delete(g.statics, *mb.instance)
	}
	mb.instance, mb.rack = v.CompactNullableString(), v.CompactNullableString()
	mb.clientID, mb.clientHost = v.CompactString(), v.CompactString()
	mb.topics = readStrings(v)
	mb.pattern = text(v.CompactNullableString())
	mb.rebalanceMs = v.Int32()
	mb.assignor = text(v.CompactNullableString())
	mb.classic = nil
	readTags(v, func(tag uint32, b *kbin.Reader) {
		if tag != 0 || b.Int8() != 1 {
			return
		}
		mb.classic = &classicProtocol{sessionMs: b.Int32()}
		for n := b.CompactArrayLen(); n > 0 && b.Ok(); n-- {
			p := kmsg.JoinGroupRequestProtocol{Name: b.CompactString()}
			p.Metadata = slices.Clone(b.CompactBytes())
			skipTags(b)
			mb.classic.protocols = append(mb.classic.protocols, p)
		}
	})
	if mb.instance != nil {
		g.statics[*mb.instance] = id
	}
}

func (g *consumer) targetOfRecord(mb *consumerMember) coordinator.Record {
	return coordinator.Record{Key: consumerKey(consumerTargetOfKey, g.id, mb.id), Value: noTags(appendPartitions(valueVersion(), mb.target))}
}

func replayConsumerTargetOf(g *consumer, id string, v *kbin.Reader) {
	switch mb := g.members[id]; {
	case v != nil:
		g.memberOrNew(id).target = readPartitions(v)
	case mb != nil:
		mb.target = nil
	}
}

func (g *consumer) currentRecord(mb *consumerMember) coordinator.Record {
	v := kbin.AppendInt32(valueVersion(), mb.epoch)
	v = kbin.AppendInt32(v, mb.previous)
	v = kbin.AppendInt8(v, int8(mb.state))
	v = appendPartitions(v, mb.assigned)
	v = appendPartitions(v, mb.revoking)
	return coordinator.Record{Key: consumerKey(consumerCurrentKey, g.id, mb.id), Value: noTags(v)}
}

func replayConsumerCurrent(g *consumer, id string, v *kbin.Reader) {
	if v == nil {
		if mb := g.members[id]; mb != nil {
			mb.epoch, mb.previous, mb.state, mb.assigned, mb.revoking = 0, 0, memberStable, nil, nil
		}
		return
	}
	mb := g.memberOrNew(id)
	mb.epoch, mb.previous, mb.state = v.Int32(), v.Int32(), memberState(v.Int8())
	mb.assigned, mb.revoking = readPartitions(v), readPartitions(v)
}

func (g *consumer) patternRecord(p *pattern) coordinator.Record {
	v := appendStrings(valueVersion(), p.topics)
	v = kbin.AppendInt64(v, 0) // of the metadata: they are looked at anew by a new coordinator
	v = kbin.AppendInt64(v, p.resolved)
	return coordinator.Record{Key: consumerKey(consumerPatternKey, g.id, p.text), Value: noTags(v)}
}

func replayConsumerPattern(g *consumer, text string, v *kbin.Reader) {
	if v == nil {
		delete(g.patterns, text)
		return
	}
	p := &pattern{text: text, topics: readStrings(v)}
	v.Int64()
	p.resolved = v.Int64()
	g.patterns[text] = p
}

// replayConsumer is the replay of a record of a consumer group. The value is nil for a
// tombstone; part is what follows the group in the key.
//
// In a machine that runs, the group is what its records say already (turn.done): all that
// is left is to let go of a group that has been taken back.
func replayConsumer(replay func(g *consumer, part string, v *kbin.Reader)) func(*Machine, coordinator.Entry) {
	return func(m *Machine, e coordinator.Entry) {
		key := kbin.Reader{Src: e.Key}
		version, id := key.Int16(), key.String()
		part := ""
		if version != consumerGroupKey && version != consumerPartitionsKey && version != consumerTargetKey {
			part = key.String()
		}
		g, known := m.groups[id].(*consumer)
		end := version == consumerGroupKey && e.Value == nil
		switch {
		case !key.Ok():
		case end && known && (g.ended || !m.live):
			g.dissolve()
			m.forget(id)
		case m.live || end || e.Value == nil && !known:
		default:
			var v *kbin.Reader
			if e.Value != nil {
				if v = (&kbin.Reader{Src: e.Value}); !readVersion(v) {
					return
				}
			}
			if !known {
				// A group of the other protocol has been taken back before, if there was one.
				// What is here has only offsets.
				g = newConsumer(m, id)
				m.groups[id] = g
			}
			g.written = true
			replay(g, part, v)
		}
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
