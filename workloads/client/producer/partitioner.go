package producer

import (
	"math/rand/v2"

	"odradek/broker/wire"
	"odradek/workloads/client/cluster"
)

// keyPartition is the partition of a key among n, as in every Kafka client.
func keyPartition(key []byte, n int) int32 {
	return int32(murmur2(key)&0x7fffffff) % int32(n)
}

// sticky is where the keyless records of a topic go for now.
type sticky struct {
	partition int32
	// bytes appended since the partition was chosen.
	bytes int
}

// chooseSticky draws a partition among those with a leader, or among all if none
// has one.
func chooseSticky(t *cluster.Topic, rng *rand.Rand) int32 {
	n := 0
	for _, p := range t.Partitions {
		if p.Leader != wire.NoNode {
			n++
		}
	}
	if n == 0 || n == len(t.Partitions) {
		return rng.Int32N(int32(len(t.Partitions)))
	}
	k := rng.IntN(n)
	for i, p := range t.Partitions {
		if p.Leader == wire.NoNode {
			continue
		}
		if k == 0 {
			return int32(i)
		}
		k--
	}
	panic("producer: fewer partitions with a leader than counted")
}

// spent tells whether it is time for another partition (KIP-794): a batch's worth
// of bytes went to this one and its batch is full, so that switching does not
// leave a small batch behind; or twice as much went there anyhow.
func (s *sticky) spent(batchSize int, batchFull bool) bool {
	return s.bytes >= batchSize && batchFull || s.bytes >= 2*batchSize
}
