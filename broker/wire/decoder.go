package wire

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Decoder is [DecodeRequest] for whoever decodes many requests. It reads the Produce and Fetch
// requests that clients send all the time in one pass and without an allocation for every field;
// in all others, and in whatever is not plain about these, it leaves everything to DecodeRequest,
// which it always agrees with. It is not safe for concurrent use.
type Decoder struct {
	// names are the client ids, topics, transactional ids and cluster ids that came last, each
	// in its place by hash: requests name the same ones again and again.
	names [256]*string
}

// What a plain request has at most; more costs kmsg relatively little.
const (
	plainTopics     = 16
	plainPartitions = 64
	plainName       = 255 // bytes
)

// Decode decodes a frame without its length prefix, as [DecodeRequest] does. Strings that
// are pointed to must not be changed.
func (d *Decoder) Decode(frame []byte, versions *Versions) (RequestHeader, kmsg.Request, error) {
	if h, req := d.plain(frame, versions); req != nil {
		return h, req, nil
	}
	return DecodeRequest(frame, versions)
}

// plain decodes a plain Produce or Fetch request; nil if it is another.
func (d *Decoder) plain(frame []byte, versions *Versions) (h RequestHeader, req kmsg.Request) {
	if len(frame) < minRequestHeader {
		return h, nil
	}
	r := plainReader{rest: frame, ok: true, names: d}
	h.Key, h.Version, h.CorrelationID = r.int16(), r.int16(), r.int32()
	if h.Key != keyProduce && h.Key != keyFetch || !versions.Serves(h.Key, h.Version) {
		return h, nil
	}
	h.ClientID = r.nullable(int(r.int16()))
	r.flexible = h.Version >= flexibleProduce
	if h.Key == keyFetch {
		r.flexible = h.Version >= flexibleFetch
	}
	r.noTags()
	if h.Key == keyProduce {
		req = r.produce(h.Version)
	} else {
		req = r.fetch(h.Version)
	}
	if !r.ok || len(r.rest) > 0 {
		return h, nil
	}
	return h, req
}

const (
	keyFetch = 1
	// The first flexible versions (KIP-482).
	flexibleProduce = 9
	flexibleFetch   = 12
)

// plainReader reads a plain request. Once ok is false nothing that it returned means anything.
type plainReader struct {
	rest     []byte
	flexible bool
	ok       bool
	names    *Decoder
}

// produce is a request with the arrays of the common case behind it, in one piece of memory.
type plainProduce struct {
	kmsg.ProduceRequest
	topics     [1]kmsg.ProduceRequestTopic
	partitions [1]kmsg.ProduceRequestTopicPartition
}

func (r *plainReader) produce(version int16) *kmsg.ProduceRequest {
	m := &plainProduce{}
	req := &m.ProduceRequest
	req.Default()
	req.Version = version
	req.TransactionID = r.nullable(r.length16())
	req.Acks = r.int16()
	req.TimeoutMillis = r.int32()
	n := r.count(plainTopics)
	if n == 1 {
		req.Topics = m.topics[:]
	} else if n > 0 {
		req.Topics = make([]kmsg.ProduceRequestTopic, n)
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		t.Default()
		t.Topic = r.string()
		n := r.count(plainPartitions)
		if n == 1 && len(req.Topics) == 1 {
			t.Partitions = m.partitions[:]
		} else if n > 0 {
			t.Partitions = make([]kmsg.ProduceRequestTopicPartition, n)
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			p.Default()
			p.Partition = r.int32()
			p.Records = r.take(r.length32())
			r.noTags()
		}
		r.noTags()
		if !r.ok {
			return req
		}
	}
	r.noTags()
	return req
}

type plainFetch struct {
	kmsg.FetchRequest
	topics     [1]kmsg.FetchRequestTopic
	partitions [1]kmsg.FetchRequestTopicPartition
}

func (r *plainReader) fetch(version int16) *kmsg.FetchRequest {
	m := &plainFetch{}
	req := &m.FetchRequest
	req.Default()
	req.Version = version
	if version <= 14 {
		req.ReplicaID = r.int32()
	}
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = r.int32(), r.int32(), r.int32()
	req.IsolationLevel = r.int8()
	if version >= 7 {
		req.SessionID, req.SessionEpoch = r.int32(), r.int32()
	}
	n := r.count(plainTopics)
	if n == 1 {
		req.Topics = m.topics[:]
	} else if n > 0 {
		req.Topics = make([]kmsg.FetchRequestTopic, n)
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		t.Default()
		if version >= 13 {
			copy(t.TopicID[:], r.take(16))
		} else {
			t.Topic = r.string()
		}
		n := r.count(plainPartitions)
		if n == 1 && len(req.Topics) == 1 {
			t.Partitions = m.partitions[:]
		} else if n > 0 {
			t.Partitions = make([]kmsg.FetchRequestTopicPartition, n)
		}
		for j := range t.Partitions {
			r.fetchPartition(version, &t.Partitions[j])
		}
		r.noTags()
		if !r.ok {
			return req
		}
	}
	if version >= 7 && r.count(0) != 0 { // none is forgotten
		r.ok = false
	}
	if version >= 11 {
		req.Rack = r.string()
	}
	r.fetchTags(version, req)
	return req
}

func (r *plainReader) fetchPartition(version int16, p *kmsg.FetchRequestTopicPartition) {
	p.Default()
	p.Partition = r.int32()
	if version >= 9 {
		p.CurrentLeaderEpoch = r.int32()
	}
	p.FetchOffset = r.int64()
	if version >= 12 {
		p.LastFetchedEpoch = r.int32()
	}
	if version >= 5 {
		p.LogStartOffset = r.int64()
	}
	p.PartitionMaxBytes = r.int32()
	r.noTags()
}

// fetchTags reads the tags that followers send with every request: the cluster's id and who
// they are.
func (r *plainReader) fetchTags(version int16, req *kmsg.FetchRequest) {
	if version < 15 {
		r.noTags()
		return
	}
	n := r.uvarint()
	if n > 2 {
		r.ok = false
	}
	for last := -1; n > 0 && r.ok; n-- {
		tag, size := r.uvarint(), r.uvarint()
		content := r.take(size)
		if tag <= last || !r.ok {
			r.ok = false // out of order, or twice
			return
		}
		last = tag
		in := plainReader{rest: content, flexible: true, ok: true, names: r.names}
		switch tag {
		case 0:
			req.ClusterID = in.nullable(in.length16())
		case 1:
			req.ReplicaState.ID, req.ReplicaState.Epoch = in.int32(), in.int64()
			in.noTags()
		default:
			in.ok = false
		}
		r.ok = in.ok && len(in.rest) == 0
	}
}

// take is the next n bytes, of which nobody may append to the last.
func (r *plainReader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.ok = false
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// fixed is a number of n bytes, big endian; 0 after a failure.
func (r *plainReader) fixed(n int) []byte {
	if b := r.take(n); b != nil {
		return b
	}
	return zeroes[:n]
}

var zeroes [8]byte

func (r *plainReader) int8() int8   { return int8(r.fixed(1)[0]) }
func (r *plainReader) int16() int16 { return int16(binary.BigEndian.Uint16(r.fixed(2))) }
func (r *plainReader) int32() int32 { return int32(binary.BigEndian.Uint32(r.fixed(4))) }
func (r *plainReader) int64() int64 { return int64(binary.BigEndian.Uint64(r.fixed(8))) }

// uvarint is a number of at most four bytes, which covers every length of a frame.
func (r *plainReader) uvarint() int {
	u := 0
	for shift := 0; shift < 28; shift += 7 {
		c := r.fixed(1)[0]
		u |= int(c&0x7f) << shift
		if c < 0x80 {
			return u
		}
	}
	r.ok = false
	return 0
}

// length16 and length32 are lengths of strings and of bytes, -1 for null.
func (r *plainReader) length16() int {
	if r.flexible {
		return r.uvarint() - 1
	}
	return int(r.int16())
}

func (r *plainReader) length32() int {
	if r.flexible {
		return r.uvarint() - 1
	}
	return int(r.int32())
}

// count is the length of an array of at most most elements.
func (r *plainReader) count(most int) int {
	n := r.length32()
	if n < 0 || n > most {
		r.ok = false
		return 0
	}
	return n
}

// noTags reads the count of a structure's tags, which is 0.
func (r *plainReader) noTags() {
	if r.flexible && r.fixed(1)[0] != 0 {
		r.ok = false
	}
}

// string is a string that may not be null.
func (r *plainReader) string() string {
	s := r.nullable(r.length16())
	if s == nil {
		r.ok = false
		return ""
	}
	return *s
}

// nullable is a string of n bytes, nil if n is -1.
func (r *plainReader) nullable(n int) *string {
	if n == -1 {
		return nil
	}
	if n > plainName {
		r.ok = false
	}
	b := r.take(n)
	if !r.ok {
		return nil
	}
	return r.names.intern(b)
}

// intern is a string of these bytes.
func (d *Decoder) intern(b []byte) *string {
	h := uint32(2166136261) // FNV-1a
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	place := &d.names[(h^h>>16)%uint32(len(d.names))]
	if *place == nil || **place != string(b) {
		s := string(b)
		*place = &s
	}
	return *place
}
