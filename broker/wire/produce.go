package wire

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AppendProduceResponse is [AppendResponse] for the answer that nearly every Produce request of a
// served version gets: nothing has to be said of the leader, of single records or in words. kmsg
// compares structures by reflection to find that out.
func AppendProduceResponse(dst []byte, correlationID int32, resp *kmsg.ProduceResponse) []byte {
	if !plainAnswer(resp) {
		return AppendResponse(dst, correlationID, resp)
	}
	at := len(dst)
	dst = appendResponseHeader(dst, correlationID, resp)
	flexible := resp.Version >= flexibleProduce
	dst = appendCount(dst, flexible, len(resp.Topics))
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if flexible {
			dst = kbin.AppendCompactString(dst, t.Topic)
		} else {
			dst = kbin.AppendString(dst, t.Topic)
		}
		dst = appendCount(dst, flexible, len(t.Partitions))
		for j := range t.Partitions {
			dst = appendProduced(dst, resp.Version, &t.Partitions[j])
		}
		if flexible {
			dst = append(dst, 0)
		}
	}
	dst = kbin.AppendInt32(dst, resp.ThrottleMillis)
	if flexible {
		dst = append(dst, 0)
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-FramePrefix))
	return dst
}

// plainAnswer reports whether nothing in the response is behind a tag or of variable length,
// except the names of topics.
func plainAnswer(resp *kmsg.ProduceResponse) bool {
	if resp.Version < lowestProduce || resp.Version > 12 || len(resp.Brokers) > 0 || resp.UnknownTags.Len() > 0 {
		return false
	}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.UnknownTags.Len() > 0 {
			return false
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			l := &p.CurrentLeader
			if len(p.ErrorRecords) > 0 || p.ErrorMessage != nil || p.UnknownTags.Len() > 0 ||
				l.LeaderID != -1 || l.LeaderEpoch != -1 || l.UnknownTags.Len() > 0 {
				return false
			}
		}
	}
	return true
}

func appendProduced(dst []byte, version int16, p *kmsg.ProduceResponseTopicPartition) []byte {
	be := binary.BigEndian
	dst = be.AppendUint32(dst, uint32(p.Partition))
	dst = be.AppendUint16(dst, uint16(p.ErrorCode))
	dst = be.AppendUint64(dst, uint64(p.BaseOffset))
	dst = be.AppendUint64(dst, uint64(p.LogAppendTime))
	if version >= 5 {
		dst = be.AppendUint64(dst, uint64(p.LogStartOffset))
	}
	switch {
	case version >= flexibleProduce:
		dst = append(dst, 1, 0, 0) // no records at fault, no message, no tags
	case version >= 8:
		dst = append(dst, 0, 0, 0, 0, 0xff, 0xff)
	}
	return dst
}

func appendCount(dst []byte, flexible bool, n int) []byte {
	if flexible {
		return kbin.AppendCompactArrayLen(dst, n)
	}
	return kbin.AppendArrayLen(dst, n)
}
