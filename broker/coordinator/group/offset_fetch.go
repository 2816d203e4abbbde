package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/wire"
)

// OffsetFetch (key 9, versions 1-9). A partition without a committed offset, or of a group
// that does not exist, is offset -1 without an error. No list of topics is all of them
// (version 2); several groups at once from version 8 on; from version 9 on a member of a
// consumer group says who it is and is fenced.
//
// With require_stable (version 7, KIP-447) a partition that an open transaction has an
// offset of is UNSTABLE_OFFSET_COMMIT. Unlike Kafka that also goes, when all topics are
// asked for, for partitions that have nothing but the pending offset: a client that does
// not hear of them would start where its policy says.
func (t *turn) offsetFetch(r coordinator.Request, req *kmsg.OffsetFetchRequest) {
	resp := wire.AnswerOffsetFetch(req, func(group kmsg.OffsetFetchRequestGroup) kmsg.OffsetFetchResponseGroup {
		return t.fetchGroup(group, req.RequireStable)
	})
	t.reply(waiting{r.Token, req.Version}, resp)
}

func (t *turn) fetchGroup(req kmsg.OffsetFetchRequestGroup, stable bool) kmsg.OffsetFetchResponseGroup {
	resp := kmsg.NewOffsetFetchResponseGroup()
	resp.Group = req.Group
	if g := t.m.groups[req.Group]; g != nil {
		if err := g.checkFetch(req.MemberID, req.MemberEpoch); err != nil {
			resp.ErrorCode = err.Code
			return resp
		}
	}
	topics := req.Topics
	if topics == nil {
		topics = t.topicsOf(req.Group, stable)
	}
	// A partition that is named again is left out: its metadata can be a thousand times as
	// long as its name.
	seen := make(map[wire.TopicPartition]bool)
	for _, topic := range topics {
		rt := kmsg.NewOffsetFetchResponseGroupTopic()
		rt.Topic = topic.Topic
		for _, partition := range topic.Partitions {
			tp := wire.TopicPartition{Topic: topic.Topic, Partition: partition}
			if seen[tp] {
				continue
			}
			seen[tp] = true
			rt.Partitions = append(rt.Partitions, t.fetchOffset(req.Group, tp, stable))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (t *turn) fetchOffset(group string, tp wire.TopicPartition, stable bool) kmsg.OffsetFetchResponseGroupTopicPartition {
	p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = tp.Partition, -1, -1, kmsg.StringPtr("")
	if stable && t.m.offsets.unstable(group, tp) {
		p.ErrorCode = kerr.UnstableOffsetCommit.Code
	} else if o, ok := t.m.offsets.get(group, tp); ok {
		p.Offset, p.LeaderEpoch, p.Metadata = o.at, o.leaderEpoch, kmsg.StringPtr(o.metadata)
	}
	return p
}

// topicsOf asks for all partitions of a group, sorted; for those that have nothing but a
// pending offset only if that matters.
func (t *turn) topicsOf(group string, stable bool) []kmsg.OffsetFetchRequestGroupTopic {
	tps := slices.DeleteFunc(t.m.offsets.partitions(group), func(tp wire.TopicPartition) bool {
		_, ok := t.m.offsets.get(group, tp)
		return !ok && !stable
	})
	var topics []kmsg.OffsetFetchRequestGroupTopic
	for topic, indexes := range wire.ByTopic(tps) {
		topics = append(topics, kmsg.OffsetFetchRequestGroupTopic{Topic: topic, Partitions: indexes})
	}
	return topics
}

// OffsetDelete (key 47, version 0; KIP-496). GROUP_ID_NOT_FOUND and NON_EMPTY_GROUP are of
// the whole request, the second only for groups whose subscriptions nobody here can read;
// otherwise a topic that members subscribe to is GROUP_SUBSCRIBED_TO_TOPIC. To
// delete what is not there is no error.
func (t *turn) offsetDelete(r coordinator.Request, req *kmsg.OffsetDeleteRequest) {
	g := t.m.groups[req.Group]
	if g == nil {
		t.refuse(r, kerr.GroupIDNotFound)
		return
	}
	if err := g.checkOffsetDelete(); err != nil {
		t.refuse(r, err)
		return
	}
	resp := kmsg.NewPtrOffsetDeleteResponse()
	have := t.m.offsets.partitions(req.Group)
	var records []coordinator.Record
	for _, topic := range req.Topics {
		rt := kmsg.NewOffsetDeleteResponseTopic()
		rt.Topic = topic.Topic
		subscribed := g.subscribes(topic.Topic)
		for _, p := range topic.Partitions {
			rp := kmsg.NewOffsetDeleteResponseTopicPartition()
			rp.Partition = p.Partition
			tp := wire.TopicPartition{Topic: topic.Topic, Partition: p.Partition}
			at, found := slices.BinarySearchFunc(have, tp, wire.TopicPartition.Compare)
			switch {
			case subscribed:
				rp.ErrorCode = kerr.GroupSubscribedToTopic.Code
			case !hasPartition(t.at.Image, tp.Topic, tp.Partition):
				rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
			case found:
				records = append(records, offsetTombstone(req.Group, tp))
				have = slices.Delete(have, at, at+1) // once is enough
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	t.appendSplit(records)
	t.reply(waiting{r.Token, req.Version}, resp)
}
