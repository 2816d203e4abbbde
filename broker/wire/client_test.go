package wire

import (
	"context"
	"encoding/binary"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var update = flag.Bool("update", false, "write testdata/produce-*.bin anew with franz-go's client")

// clientRecords is what the fixtures hold.
var clientRecords = []struct {
	key, value string
	headers    []kgo.RecordHeader
	ms         int64
}{
	{"k0", strings.Repeat("the first value ", 20), nil, 1_700_000_000_000},
	{"", "no key", []kgo.RecordHeader{{Key: "h", Value: []byte("v")}, {Key: "empty", Value: nil}}, 1_700_000_000_005},
	{"k2", "", nil, 1_700_000_000_003},
}

var clientCodecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func fixture(t testing.TB, codec string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "produce-"+codec+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestUnmodifiedClientProduces lets franz-go's client speak to a broker of a few
// lines made of this package's parts. With -update the frames of its Produce
// requests become the fixtures.
func TestUnmodifiedClientProduces(t *testing.T) {
	for name, codec := range clientCodecs {
		t.Run(name, func(t *testing.T) {
			broker := &tinyBroker{t: t, versions: ServedVersions(0, 3, 18, 22)}
			client, err := kgo.NewClient(
				kgo.SeedBrokers("tiny:9092"), kgo.Dialer(broker.dial), kgo.ProducerBatchCompression(codec),
				kgo.ClientID("fixture"), kgo.DefaultProduceTopic("topic"), kgo.ProducerLinger(20*time.Millisecond),
				kgo.RecordPartitioner(kgo.ManualPartitioner()),
			)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			var records []*kgo.Record
			for _, r := range clientRecords {
				rec := &kgo.Record{Value: []byte(r.value), Headers: r.headers, Timestamp: time.UnixMilli(r.ms)}
				if r.key != "" {
					rec.Key = []byte(r.key)
				}
				records = append(records, rec)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if broker.produce == nil {
				t.Fatal("no produce request arrived")
			}
			if *update {
				if err := os.WriteFile(filepath.Join("testdata", "produce-"+name+".bin"), broker.produce, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// tinyBroker leads partition 0 of every topic and stores nothing.
type tinyBroker struct {
	t        *testing.T
	versions *Versions
	produce  []byte // frame of the last Produce request
}

func (b *tinyBroker) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go b.serve(server)
	return client, nil
}

func (b *tinyBroker) serve(conn net.Conn) {
	defer conn.Close()
	codec := NewCodec(DefaultMaxDecompressed)
	for {
		var prefix [FramePrefix]byte
		if _, err := io.ReadFull(conn, prefix[:]); err != nil {
			return
		}
		n, err := ReadFrameSize(prefix[:], MaxFrame)
		if err != nil {
			b.t.Error(err)
			return
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		h, req, err := DecodeRequest(frame, b.versions)
		var resp kmsg.Response
		switch req := req.(type) {
		case nil:
			fe := err.(*FrameError)
			if fe.Fault != UnsupportedVersion || h.Key != 18 {
				b.t.Error(err)
				return
			}
			resp = b.versions.ApiVersionsResponse(h.Version, nil, -1)
		case *kmsg.ApiVersionsRequest:
			resp = b.versions.ApiVersionsResponse(h.Version, []Feature{{"metadata.version", 1, 29, 29}}, 7)
		case *kmsg.MetadataRequest:
			resp = b.metadata(req)
		case *kmsg.InitProducerIDRequest:
			r := req.ResponseKind().(*kmsg.InitProducerIDResponse)
			r.ProducerID, r.ProducerEpoch = 1234, 5
			resp = r
		case *kmsg.ProduceRequest:
			b.produce = frame
			resp = b.accept(codec, req)
		}
		if _, err := conn.Write(AppendResponse(nil, h.CorrelationID, resp)); err != nil {
			return
		}
	}
}

func (b *tinyBroker) metadata(req *kmsg.MetadataRequest) kmsg.Response {
	r := req.ResponseKind().(*kmsg.MetadataResponse)
	broker := kmsg.NewMetadataResponseBroker()
	broker.NodeID, broker.Host, broker.Port = 1, "tiny", 9092
	r.Brokers = append(r.Brokers, broker)
	for _, t := range req.Topics {
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic = t.Topic
		topic.TopicID = [16]byte{1}
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Leader, p.LeaderEpoch, p.Replicas, p.ISR = 1, 3, []int32{1}, []int32{1}
		topic.Partitions = append(topic.Partitions, p)
		r.Topics = append(r.Topics, topic)
	}
	return r
}

func (b *tinyBroker) accept(codec *Codec, req *kmsg.ProduceRequest) kmsg.Response {
	r := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range req.Topics {
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.Partition = p.Partition
			if _, _, err := codec.Validate(p.Records, looseRules()); err != nil {
				b.t.Error(err)
			}
			topic.Partitions = append(topic.Partitions, part)
		}
		r.Topics = append(r.Topics, topic)
	}
	return r
}

// looseRules are those of a topic with default configuration, on a day when the
// fixtures' timestamps are fresh.
func looseRules() *ProduceRules {
	return &ProduceRules{
		RequestVersion: 9, MaxBytes: 1 << 20, Now: 1_700_000_001_000,
		BeforeMax: 1<<63 - 1, AfterMax: 3_600_000, Compression: ProducerCompression,
	}
}

// fixtureBatch is the record batch in a fixture's Produce request.
func fixtureBatch(t testing.TB, codec string) []byte {
	t.Helper()
	_, req, err := DecodeRequest(fixture(t, codec), ServedVersions(0))
	if err != nil {
		t.Fatal(err)
	}
	p := req.(*kmsg.ProduceRequest)
	if len(p.Topics) != 1 || p.Topics[0].Topic != "topic" || len(p.Topics[0].Partitions) != 1 {
		t.Fatalf("the fixture has topics %+v", p.Topics)
	}
	return p.Topics[0].Partitions[0].Records
}

func TestFixturesDecodeToWhatTheClientSent(t *testing.T) {
	for name := range clientCodecs {
		t.Run(name, func(t *testing.T) {
			batch := fixtureBatch(t, name)
			h, err := ReadBatchHeader(batch)
			if err != nil {
				t.Fatal(err)
			}
			if h.Size() != len(batch) || !CheckCRC(batch) {
				t.Fatalf("size %d of %d, CRC right: %v", h.Size(), len(batch), CheckCRC(batch))
			}
			if h.Compression().String() != name || h.ProducerID != 1234 || h.ProducerEpoch != 5 || h.BaseSequence != 0 ||
				h.Count != 3 || h.LastOffset() != 2 || h.NextOffset() != 3 || h.LastSequence() != 2 ||
				h.Control() || h.Transactional() || h.TimestampType() != CreateTime || h.MaxTimestamp != 1_700_000_000_005 {
				t.Fatalf("header %+v", h)
			}
			recs, err := NewCodec(1 << 20).Records(batch)
			if err != nil {
				t.Fatal(err)
			}
			var r Record
			for i := range clientRecords {
				want := clientRecords[i]
				if !recs.Next(&r) {
					t.Fatalf("record %d: %v", i, recs.Err())
				}
				if string(r.Key) != want.key || string(r.Value) != want.value || r.Timestamp != want.ms || r.Offset != Offset(i) {
					t.Fatalf("record %d: %+v", i, r)
				}
				hs := r.Headers()
				if len(hs) != len(want.headers) {
					t.Fatalf("record %d: headers %+v", i, hs)
				}
				for j := range hs {
					if hs[j].Key != want.headers[j].Key || string(hs[j].Value) != string(want.headers[j].Value) {
						t.Fatalf("record %d: header %+v", i, hs[j])
					}
				}
			}
			if recs.Next(&r) || recs.Err() != nil {
				t.Fatalf("after the end: %v", recs.Err())
			}
		})
	}
}

// changed is a copy of batch b with an int32 overwritten and the CRC mended.
func changed(b []byte, at int, v int32) []byte {
	c := slices.Clone(b)
	binary.BigEndian.PutUint32(c[at:], uint32(v))
	SetCRC(c)
	return c
}
