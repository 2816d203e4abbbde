package broker_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// edited is a batch with a change of its bytes, and with the right checksum again.
func edited(b []byte, change func(b []byte)) []byte {
	change(b)
	wire.SetCRC(b)
	return b
}

// shortened is a batch that claims to be shorter than its header.
func shortened(b []byte) []byte {
	binary.BigEndian.PutUint32(b[atLength:], 3)
	return b
}

// Offsets in a batch's header.
const (
	atLength     = 8
	atMagic      = 16
	atAttributes = 21
	atLastDelta  = 23
	atCount      = 57
)

func TestProduceErrors(t *testing.T) {
	l := newLab(t, 3, map[string]string{"min.insync.replicas": "2"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3})
		l.createTopic(task, "keyed", map[string]string{"cleanup.policy": "compact", "max.message.bytes": "2000"}, []int32{1, 2, 3})
		l.createTopic(task, "dated", map[string]string{"message.timestamp.after.max.ms": "1000"}, []int32{1, 2, 3})
	})
	leads, follows := l.leaders("orders", 0)
	if leads != 1 {
		t.Fatal("node 1 does not lead")
	}
	good := func() []byte { return batch(t, wire.BatchOptions{}, "a", "b") }
	keyless := wire.NewBuilder(wire.BatchOptions{})
	keyless.Append(wire.NoTimestamp, []byte("k"), []byte("v"))
	keyless.Append(wire.NoTimestamp, nil, []byte("v"))
	noKey, err := keyless.Build(nil, wire.NewCodec(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	future := wire.NewBuilder(wire.BatchOptions{})
	future.Append(1<<60, nil, []byte("v"))
	late, err := future.Build(nil, wire.NewCodec(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	txn := produceTo("orders", 0, -1, good())
	txn.TransactionID = kmsg.StringPtr("t")
	tests := []struct {
		name    string
		node    wire.NodeID
		req     *kmsg.ProduceRequest
		want    *kerr.Error
		records []int32 // at fault
	}{
		{"good", 1, produceTo("orders", 0, -1, good()), nil, nil},
		{"acks 2", 1, produceTo("orders", 0, 2, good()), kerr.InvalidRequiredAcks, nil},
		{"transactional id", 1, txn, nil, nil}, // and a plain batch
		{"transactional batch", 1, produceTo("orders", 0, -1, batch(t, wire.BatchOptions{Transactional: true, Producer: &wire.Producer{ID: 1}}, "a")), kerr.TransactionalIDAuthorizationFailed, nil},
		{"follower", follows, produceTo("orders", 0, -1, good()), kerr.NotLeaderForPartition, nil},
		{"unknown topic", 1, produceTo("nothing", 0, -1, good()), kerr.UnknownTopicOrPartition, nil},
		{"unknown partition", 1, produceTo("orders", 1, -1, good()), kerr.UnknownTopicOrPartition, nil},
		{"internal topic", 1, produceTo("__consumer_offsets", 0, -1, good()), kerr.InvalidTopicException, nil},
		{"the metadata log", 1, produceTo("__cluster_metadata", 0, -1, good()), kerr.UnknownTopicOrPartition, nil},
		{"null records", 1, produceTo("orders", 0, -1, nil), kerr.InvalidRecord, nil},
		{"no records", 1, produceTo("orders", 0, -1, []byte{}), kerr.InvalidRecord, nil},
		{"half a batch", 1, produceTo("orders", 0, -1, good()[:40]), kerr.InvalidRecord, nil},
		{"two batches", 1, produceTo("orders", 0, -1, append(good(), good()...)), kerr.InvalidRecord, nil},
		{"wrong CRC", 1, produceTo("orders", 0, -1, append(good()[:70], append([]byte{0xff}, good()[71:]...)...)), kerr.CorruptMessage, nil},
		{"magic 1", 1, produceTo("orders", 0, -1, edited(good(), func(b []byte) { b[atMagic] = 1 })), kerr.InvalidRecord, nil},
		{"magic 9", 1, produceTo("orders", 0, -1, edited(good(), func(b []byte) { b[atMagic] = 9 })), kerr.InvalidRecord, nil},
		{"length below a header", 1, produceTo("orders", 0, -1, shortened(good())), kerr.CorruptMessage, nil},
		{"count too high", 1, produceTo("orders", 0, -1, edited(good(), func(b []byte) { b[atCount+3], b[atLastDelta+3] = 3, 2 })), kerr.InvalidRecord, nil},
		{"count too low", 1, produceTo("orders", 0, -1, edited(good(), func(b []byte) { b[atCount+3], b[atLastDelta+3] = 1, 0 })), kerr.InvalidRecord, nil},
		{"absurd count", 1, produceTo("orders", 0, -1, edited(good(), func(b []byte) {
			binary.BigEndian.PutUint32(b[atCount:], 1<<31-1)
			binary.BigEndian.PutUint32(b[atLastDelta:], 1<<31-2)
		})), kerr.InvalidRecord, nil},
		{"control batch", 1, produceTo("orders", 0, -1, batch(t, wire.BatchOptions{Control: true}, "a")), kerr.InvalidRecord, nil},
		{"codec 7", 1, produceTo("orders", 0, -1, edited(good(), func(b []byte) { b[atAttributes+1] |= 7 })), kerr.UnsupportedCompressionType, nil},
		{"not gzip", 1, produceTo("orders", 0, -1, edited(good(), func(b []byte) { b[atAttributes+1] |= 1 })), kerr.InvalidRecord, nil},
		{"no key", 1, produceTo("keyed", 0, -1, noKey), kerr.InvalidRecord, []int32{1}},
		{"too large", 1, produceTo("keyed", 0, -1, batch(t, wire.BatchOptions{}, string(make([]byte, 3000)))), kerr.MessageTooLarge, nil},
		{"from the future", 1, produceTo("dated", 0, -1, late), kerr.InvalidTimestamp, []int32{0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l.t = t
			for v := int16(3); v <= 12; v++ {
				l.do(func(task *env.Task) {
					conn := l.dial(task, test.node)
					defer conn.c.Close()
					r := conn.call(task, test.req, v).(*kmsg.ProduceResponse)
					p := r.Topics[0].Partitions[0]
					wantCode(t, fmt.Sprintf("version %d", v), p.ErrorCode, test.want)
					if test.want != nil && (p.BaseOffset != -1 || p.LogAppendTime != -1 || p.LogStartOffset != -1) {
						t.Errorf("offsets with an error: %+v", p)
					}
					var got []int32
					for _, e := range p.ErrorRecords {
						got = append(got, e.RelativeOffset)
					}
					if want := test.records; v >= 8 && fmt.Sprint(got) != fmt.Sprint(want) || v < 8 && got != nil {
						t.Errorf("version %d: records %v at fault, want %v", v, got, want)
					}
					if v >= 8 && test.records != nil && p.ErrorMessage == nil {
						t.Error("no message")
					}
				})
			}
		})
	}
	l.t = t
	l.do(func(task *env.Task) {
		conn := l.dial(task, 1)
		zstd := produceTo("orders", 0, -1, batch(t, wire.BatchOptions{Compression: wire.Zstd}, "a"))
		wantCode(t, "zstd, version 6", conn.call(task, zstd, 6).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, kerr.UnsupportedCompressionType)
		zstd = produceTo("orders", 0, -1, batch(t, wire.BatchOptions{Compression: wire.Zstd}, "a"))
		wantCode(t, "zstd, version 7", conn.call(task, zstd, 7).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, nil)
	})
	// With one replica of two left, nothing is taken, but acks=1 still is.
	l.c.Node(2).Crash()
	l.c.Node(3).Crash()
	l.k.RunFor(100 * time.Millisecond)
	l.do(func(task *env.Task) {
		conn := l.dial(task, 1)
		timed := produceTo("orders", 0, -1, good())
		timed.TimeoutMillis = 100
		wantCode(t, "followers gone", conn.call(task, timed, 9).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, kerr.RequestTimedOut)
		wantCode(t, "acks=1", conn.call(task, produceTo("orders", 0, 1, good()), 9).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, nil)
	})
}

// A few kilobytes that decompress to hundreds of megabytes are refused without ever
// being held whole.
func TestCompressedBombsAreRefused(t *testing.T) {
	l := newLab(t, 1, map[string]string{"socket.request.max.bytes": "1000000"})
	l.do(func(task *env.Task) { l.createTopic(task, "orders", nil, []int32{1}) })
	for _, how := range []wire.Compression{wire.Gzip, wire.Snappy, wire.LZ4, wire.Zstd} {
		t.Run(how.String(), func(t *testing.T) {
			b := wire.NewBuilder(wire.BatchOptions{Compression: how})
			b.Append(wire.NoTimestamp, nil, make([]byte, 15<<20))
			bomb, err := b.Build(nil, wire.NewCodec(32<<20))
			if err != nil {
				t.Fatal(err)
			}
			l.t = t
			l.do(func(task *env.Task) {
				r := l.dial(task, 1).call(task, produceTo("orders", 0, 1, bomb), 9).(*kmsg.ProduceResponse)
				wantCode(t, "bomb", r.Topics[0].Partitions[0].ErrorCode, kerr.MessageTooLarge)
			})
		})
	}
}

func TestProduceJudgesPartitionsApart(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1}, []int32{1})
		req := produceTo("orders", 0, -1, batch(t, wire.BatchOptions{}, "a"))
		req.Topics[0].Partitions = append(req.Topics[0].Partitions,
			kmsg.ProduceRequestTopicPartition{Partition: 1, Records: []byte("no batch")},
			kmsg.ProduceRequestTopicPartition{Partition: 0, Records: batch(t, wire.BatchOptions{}, "b")})
		r := l.dial(task, 1).call(task, req, 9).(*kmsg.ProduceResponse)
		ps := r.Topics[0].Partitions
		if len(ps) != 3 || ps[0].ErrorCode != 0 || ps[0].BaseOffset != 0 || ps[1].ErrorCode == 0 || ps[2].ErrorCode != 0 || ps[2].BaseOffset != 1 {
			t.Errorf("answer %+v", ps)
		}
	})
}

func TestLogAppendTimeIsReported(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", map[string]string{"message.timestamp.type": "LogAppendTime"}, []int32{1})
		r := l.dial(task, 1).call(task, produceTo("orders", 0, 1, batch(t, wire.BatchOptions{}, "a")), 9).(*kmsg.ProduceResponse)
		now := l.env.Clock.Wall() / int64(time.Millisecond)
		if got := r.Topics[0].Partitions[0].LogAppendTime; got > now || got < now-1000 {
			t.Errorf("append time %d, now %d", got, now)
		}
	})
}
