package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FetchPart is a run of an encoded Fetch response: Bytes, and then, unless
// Records is -1, the record bytes of a partition, which the caller supplies.
type FetchPart struct {
	Bytes   []byte
	Records int // position of the partition in the response, topics flattened
}

// FetchEncoder encodes Fetch responses. It keeps what it needs for that from one to the next.
type FetchEncoder struct {
	version  int16
	flexible bool
	buf      []byte
	sizes    []int
	next     int // partition, topics flattened
	cuts     []fetchCut
	records  int // bytes
	parts    []FetchPart
}

// Encode encodes everything of a Fetch response (versions 4 to 18)
// except record bytes, with length prefix and header. sizes has the number of
// record bytes for each partition, in the order of the response; -1 is null. The
// RecordBatches fields and unknown tags are ignored. Partitions of size 0 or -1
// get no part of their own. The parts are valid until the next call; their bytes are
// the caller's.
//
// kmsg would copy all records once more; like this they go from the page cache to
// the socket, and the cost does not depend on their size.
func (e *FetchEncoder) Encode(correlationID int32, resp *kmsg.FetchResponse, sizes []int) []FetchPart {
	*e = FetchEncoder{version: resp.Version, flexible: resp.IsFlexible(), sizes: sizes, cuts: e.cuts[:0], parts: e.parts}
	e.buf = make([]byte, 0, fetchResponseSize(resp))
	e.buf = appendResponseHeader(e.buf, correlationID, resp)
	e.response(resp)
	if e.next != len(sizes) {
		panic(fmt.Sprintf("wire: %d record sizes for %d partitions", len(sizes), e.next))
	}
	return e.finish()
}

// fetchCut is a place in the buffer where records belong.
type fetchCut struct{ at, partition int }

// fetchResponseSize estimates the buffer.
func fetchResponseSize(resp *kmsg.FetchResponse) int {
	n := 64 + 64*len(resp.Brokers)
	for i := range resp.Topics {
		t := &resp.Topics[i]
		n += 24 + len(t.Topic)
		for j := range t.Partitions {
			n += 96 + 17*len(t.Partitions[j].AbortedTransactions)
		}
	}
	return n
}

func (e *FetchEncoder) finish() []FetchPart {
	binary.BigEndian.PutUint32(e.buf, uint32(len(e.buf)-FramePrefix+e.records))
	clear(e.parts) // keep the space, not what was sent
	parts := e.parts[:0]
	from := 0
	for _, c := range e.cuts {
		parts = append(parts, FetchPart{e.buf[from:c.at:c.at], c.partition})
		from = c.at
	}
	if from < len(e.buf) {
		parts = append(parts, FetchPart{e.buf[from:], -1})
	}
	e.parts, e.buf, e.sizes = parts, nil, nil
	return parts
}

func (e *FetchEncoder) array(n int) {
	if e.flexible {
		e.buf = kbin.AppendCompactArrayLen(e.buf, n)
	} else {
		e.buf = kbin.AppendArrayLen(e.buf, n)
	}
}

func (e *FetchEncoder) string(s string) {
	if e.flexible {
		e.buf = kbin.AppendCompactString(e.buf, s)
	} else {
		e.buf = kbin.AppendString(e.buf, s)
	}
}

// noTags ends a structure in flexible versions.
func (e *FetchEncoder) noTags() {
	if e.flexible {
		e.buf = append(e.buf, 0)
	}
}

func (e *FetchEncoder) response(r *kmsg.FetchResponse) {
	e.buf = kbin.AppendInt32(e.buf, r.ThrottleMillis)
	if e.version >= 7 {
		e.buf = kbin.AppendInt16(e.buf, r.ErrorCode)
		e.buf = kbin.AppendInt32(e.buf, r.SessionID)
	}
	e.array(len(r.Topics))
	for i := range r.Topics {
		t := &r.Topics[i]
		if e.version >= 13 {
			e.buf = append(e.buf, t.TopicID[:]...)
		} else {
			e.string(t.Topic)
		}
		e.array(len(t.Partitions))
		for j := range t.Partitions {
			e.partition(&t.Partitions[j])
		}
		e.noTags()
	}
	if e.flexible {
		e.brokers(r.Brokers)
	}
}

func (e *FetchEncoder) partition(p *kmsg.FetchResponseTopicPartition) {
	e.buf = kbin.AppendInt32(e.buf, p.Partition)
	e.buf = kbin.AppendInt16(e.buf, p.ErrorCode)
	e.buf = kbin.AppendInt64(e.buf, p.HighWatermark)
	e.buf = kbin.AppendInt64(e.buf, p.LastStableOffset)
	if e.version >= 5 {
		e.buf = kbin.AppendInt64(e.buf, p.LogStartOffset)
	}
	e.aborted(p.AbortedTransactions)
	if e.version >= 11 {
		e.buf = kbin.AppendInt32(e.buf, p.PreferredReadReplica)
	}
	size := e.sizes[e.next]
	if e.flexible {
		e.buf = kbin.AppendUvarint(e.buf, uint32(size+1))
	} else {
		e.buf = kbin.AppendInt32(e.buf, int32(size))
	}
	if size > 0 {
		e.cuts = append(e.cuts, fetchCut{len(e.buf), e.next})
		e.records += size
	}
	e.next++
	if e.flexible {
		e.partitionTags(p)
	}
}

func (e *FetchEncoder) aborted(txns []kmsg.FetchResponseTopicPartitionAbortedTransaction) {
	if e.flexible {
		e.buf = kbin.AppendCompactNullableArrayLen(e.buf, len(txns), txns == nil)
	} else {
		e.buf = kbin.AppendNullableArrayLen(e.buf, len(txns), txns == nil)
	}
	for i := range txns {
		e.buf = kbin.AppendInt64(e.buf, txns[i].ProducerID)
		e.buf = kbin.AppendInt64(e.buf, txns[i].FirstOffset)
		e.noTags()
	}
}

// partitionTags writes the tagged fields that differ from their defaults. Each
// structure ends with a count of its own tags, 0.
func (e *FetchEncoder) partitionTags(p *kmsg.FetchResponseTopicPartition) {
	d, l, s := &p.DivergingEpoch, &p.CurrentLeader, &p.SnapshotID
	diverging := d.Epoch != -1 || d.EndOffset != -1
	leader := l.LeaderID != -1 || l.LeaderEpoch != -1
	snapshot := s.EndOffset != -1 || s.Epoch != -1
	count := byte(0)
	for _, present := range [...]bool{diverging, leader, snapshot} {
		if present {
			count++
		}
	}
	e.buf = append(e.buf, count)
	if diverging {
		e.buf = append(e.buf, 0, 4+8+1) // tag, size
		e.buf = kbin.AppendInt32(e.buf, d.Epoch)
		e.buf = kbin.AppendInt64(e.buf, d.EndOffset)
		e.buf = append(e.buf, 0)
	}
	if leader {
		e.buf = append(e.buf, 1, 4+4+1)
		e.buf = kbin.AppendInt32(e.buf, l.LeaderID)
		e.buf = kbin.AppendInt32(e.buf, l.LeaderEpoch)
		e.buf = append(e.buf, 0)
	}
	if snapshot {
		e.buf = append(e.buf, 2, 8+4+1)
		e.buf = kbin.AppendInt64(e.buf, s.EndOffset)
		e.buf = kbin.AppendInt32(e.buf, s.Epoch)
		e.buf = append(e.buf, 0)
	}
}

// brokers writes the tagged list of node endpoints (KIP-951).
func (e *FetchEncoder) brokers(brokers []kmsg.FetchResponseBroker) {
	if len(brokers) == 0 {
		e.buf = append(e.buf, 0)
		return
	}
	var list []byte
	list = kbin.AppendCompactArrayLen(list, len(brokers))
	for i := range brokers {
		b := &brokers[i]
		list = kbin.AppendInt32(list, b.NodeID)
		list = kbin.AppendCompactString(list, b.Host)
		list = kbin.AppendInt32(list, b.Port)
		list = kbin.AppendCompactNullableString(list, b.Rack)
		list = append(list, 0)
	}
	e.buf = append(e.buf, 1, 0) // one tag, number 0
	e.buf = kbin.AppendUvarint(e.buf, uint32(len(list)))
	e.buf = append(e.buf, list...)
}
