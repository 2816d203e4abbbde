package wire

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"iter"
	"strings"
)

// NodeID identifies a broker or controller; -1 is none.
type NodeID int32

// Offset is a position in a partition's log, counted in records.
type Offset int64

// LeaderEpoch counts the leaders of a partition; -1 is unknown.
type LeaderEpoch int32

// PartitionEpoch counts the changes of a partition's state in the metadata.
type PartitionEpoch int32

// BrokerEpoch identifies one registration of a broker (the offset of its
// registration record); -1 is unknown.
type BrokerEpoch int64

// Values that mean "none".
const (
	NoNode        NodeID      = -1
	NoOffset      Offset      = -1
	NoLeaderEpoch LeaderEpoch = -1
	NoBrokerEpoch BrokerEpoch = -1
)

// UUID is a topic id, directory id or incarnation id. Its text form is Kafka's:
// 22 characters of URL-safe base64.
type UUID [16]byte

// IsZero reports whether the id is unset.
func (u UUID) IsZero() bool { return u == UUID{} }

func (u UUID) String() string { return base64.RawURLEncoding.EncodeToString(u[:]) }

// ParseUUID reads the text form.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(u) {
		return u, fmt.Errorf("%q is not an id of 22 base64 characters", s)
	}
	copy(u[:], b)
	return u, nil
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

func (tp TopicPartition) String() string { return fmt.Sprintf("%s-%d", tp.Topic, tp.Partition) }

// Compare orders by topic, then partition.
func (tp TopicPartition) Compare(o TopicPartition) int {
	if c := strings.Compare(tp.Topic, o.Topic); c != 0 {
		return c
	}
	return cmp.Compare(tp.Partition, o.Partition)
}

// ByTopic yields the topics of partitions, each with the indexes of its partitions, in
// their order. Those of one topic have to stand together, as they do when sorted.
func ByTopic(tps []TopicPartition) iter.Seq2[string, []int32] {
	return func(yield func(string, []int32) bool) {
		for from, to := 0, 0; from < len(tps); from = to {
			var indexes []int32
			for to = from; to < len(tps) && tps[to].Topic == tps[from].Topic; to++ {
				indexes = append(indexes, tps[to].Partition)
			}
			if !yield(tps[from].Topic, indexes) {
				return
			}
		}
	}
}

// TopicIDPartition names a partition of one incarnation of a topic (KIP-516).
type TopicIDPartition struct {
	TopicID   UUID
	Partition int32
}
