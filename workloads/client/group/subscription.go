package group

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// The classic protocol's coordinator does not look into what members tell each other.
// Among consumers it is Kafka's ConsumerProtocol: a subscription from every member to the
// leader, an assignment from the leader to every member.

// protocolType is what consumers' groups are called in JoinGroup.
const protocolType = "consumer"

// appendSubscription encodes what a member tells the leader under an assignor.
func (s *Subscriber) appendSubscription(a Assignor) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version = 3
	m.Topics = s.Topics
	m.Generation = s.Generation
	if s.Rack != "" {
		m.Rack = &s.Rack
	}
	switch {
	case a.Cooperative():
		eachTopic(s.Owned, func(topic string, partitions []int32) {
			m.OwnedPartitions = append(m.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: topic, Partitions: partitions})
		})
	case a.Name() == Sticky.Name():
		// An eager member owns nothing while it joins; what it had goes into the
		// assignor's own data.
		d := kmsg.NewStickyMemberMetadata()
		d.Generation = s.Generation
		eachTopic(s.Owned, func(topic string, partitions []int32) {
			d.CurrentAssignment = append(d.CurrentAssignment, kmsg.StickyMemberMetadataCurrentAssignment{Topic: topic, Partitions: partitions})
		})
		m.UserData = d.AppendTo(nil)
	}
	return m.AppendTo(nil)
}

// readSubscription decodes what another member told the leader.
func readSubscription(id string, instance *string, raw []byte, a Assignor) (Subscriber, error) {
	s := Subscriber{ID: id, Generation: -1}
	if instance != nil {
		s.Instance = *instance
	}
	m := kmsg.NewConsumerMemberMetadata()
	if err := m.ReadFrom(raw); err != nil {
		return s, fmt.Errorf("subscription of %s: %w", id, err)
	}
	s.Topics = slices.Clone(m.Topics)
	slices.Sort(s.Topics)
	s.Topics = slices.Compact(s.Topics)
	s.Generation = m.Generation
	if m.Rack != nil {
		s.Rack = *m.Rack
	}
	for _, o := range m.OwnedPartitions {
		s.Owned = appendPartitions(s.Owned, o.Topic, o.Partitions)
	}
	if a.Name() == Sticky.Name() && len(m.UserData) > 0 {
		d := kmsg.NewStickyMemberMetadata()
		if err := d.ReadFrom(m.UserData); err != nil {
			return s, fmt.Errorf("assignment of %s: %w", id, err)
		}
		s.Owned, s.Generation = nil, d.Generation
		for _, o := range d.CurrentAssignment {
			s.Owned = appendPartitions(s.Owned, o.Topic, o.Partitions)
		}
	}
	slices.SortFunc(s.Owned, wire.TopicPartition.Compare)
	s.Owned = slices.Compact(s.Owned)
	return s, nil
}

// appendAssignment encodes what the leader tells a member.
func appendAssignment(tps []wire.TopicPartition) []byte {
	m := kmsg.NewConsumerMemberAssignment()
	eachTopic(tps, func(topic string, partitions []int32) {
		m.Topics = append(m.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: topic, Partitions: partitions})
	})
	return m.AppendTo(nil)
}

// readAssignment decodes it, sorted. No bytes at all are no partitions: a leader may leave
// members out.
func readAssignment(raw []byte) ([]wire.TopicPartition, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	m := kmsg.NewConsumerMemberAssignment()
	if err := m.ReadFrom(raw); err != nil {
		return nil, fmt.Errorf("assignment: %w", err)
	}
	var tps []wire.TopicPartition
	for _, t := range m.Topics {
		tps = appendPartitions(tps, t.Topic, t.Partitions)
	}
	slices.SortFunc(tps, wire.TopicPartition.Compare)
	return slices.Compact(tps), nil
}

// ReadClassicMember decodes what a member of a classic group of consumers has told the
// leader and been told by it.
func ReadClassicMember(subscription, assignment []byte) (topics []string, assigned []wire.TopicPartition, err error) {
	if len(subscription) > 0 { // none before the group is stable
		s, err := readSubscription("", nil, subscription, Range)
		if err != nil {
			return nil, nil, err
		}
		topics = s.Topics
	}
	assigned, err = readAssignment(assignment)
	return topics, assigned, err
}

func appendPartitions(tps []wire.TopicPartition, topic string, partitions []int32) []wire.TopicPartition {
	for _, p := range partitions {
		tps = append(tps, wire.TopicPartition{Topic: topic, Partition: p})
	}
	return tps
}

// eachTopic calls fn with the partitions of each topic. tps are sorted.
func eachTopic(tps []wire.TopicPartition, fn func(topic string, partitions []int32)) {
	for i := 0; i < len(tps); {
		j := i
		var partitions []int32
		for ; j < len(tps) && tps[j].Topic == tps[i].Topic; j++ {
			partitions = append(partitions, tps[j].Partition)
		}
		fn(tps[i].Topic, partitions)
		i = j
	}
}

// without is what of a is not in b. Both are sorted.
func without(a, b []wire.TopicPartition) []wire.TopicPartition {
	var rest []wire.TopicPartition
	for _, tp := range a {
		if _, ok := slices.BinarySearchFunc(b, tp, wire.TopicPartition.Compare); !ok {
			rest = append(rest, tp)
		}
	}
	return rest
}
