package interop

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestFranzGo(t *testing.T) {
	runSuite(t, kind{start: startFranz, codecs: allCodecs})
}

func TestFranzGoWhileNodesDie(t *testing.T) {
	runRestarts(t, kind{start: startFranz, codecs: allCodecs})
}

// franz is github.com/twmb/franz-go, the reference that the others are checked by.
type franz struct {
	seeds []string
	cl    *kgo.Client // for what needs no settings of its own
}

func startFranz(t *testing.T, bootstrap string) client {
	t.Helper()
	f := &franz{seeds: strings.Split(bootstrap, ",")}
	var err error
	if f.cl, err = f.open(); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *franz) open(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(f.seeds...), kgo.MetadataMinAge(100 * time.Millisecond),
	}, opts...)...)
}

func (f *franz) describe() (description, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m, err := kadm.NewClient(f.cl).Metadata(ctx)
	if err != nil {
		return description{}, err
	}
	d := description{Brokers: m.Brokers.NodeIDs(), Topics: map[string]int{}}
	for name, topic := range m.Topics {
		d.Topics[name] = len(topic.Partitions)
	}
	return d, nil
}

func (f *franz) create(topic string, partitions, replication int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := kadm.NewClient(f.cl).CreateTopic(ctx, int32(partitions), int16(replication), nil, topic)
	if err != nil {
		return err
	}
	return resp.Err
}

var franzCodecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func (f *franz) produce(r produceRequest) ([]int64, error) {
	opts := []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(franzCodecs[r.Codec]),
		kgo.ProducerBatchMaxBytes(1 << 20),
	}
	switch r.Acks {
	case 0:
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	case 1:
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	}
	if r.Ordered && r.Acks < 0 {
		opts = append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1))
	}
	cl, err := f.open(opts...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sent := make([]*kgo.Record, len(r.Records))
	errs := make([]error, len(r.Records))
	for i, in := range r.Records {
		out := &kgo.Record{Topic: r.Topic, Partition: r.Partition}
		if in.Key != nil {
			out.Key = []byte(*in.Key)
		}
		if in.Value != nil {
			out.Value = []byte(*in.Value)
		}
		if in.Timestamp != 0 {
			out.Timestamp = time.UnixMilli(in.Timestamp)
		}
		for _, h := range in.Headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
		sent[i] = out
		cl.Produce(ctx, out, func(_ *kgo.Record, err error) { errs[i] = err })
		time.Sleep(time.Duration(r.PauseMS) * time.Millisecond)
	}
	if err := cl.Flush(ctx); err != nil {
		return nil, err
	}
	offsets := make([]int64, len(sent))
	for i := range sent {
		if errs[i] != nil {
			return nil, fmt.Errorf("record %d: %w", i, errs[i])
		}
		offsets[i] = sent[i].Offset
	}
	return offsets, nil
}

func (f *franz) consume(r consumeRequest) ([]record, error) {
	from := kgo.NewOffset().AtStart()
	switch r.From {
	case "offset":
		from = kgo.NewOffset().At(r.At)
	case "timestamp":
		from = kgo.NewOffset().AfterMilli(r.At)
	}
	cl, err := f.open(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.Topic: {r.Partition: from}}))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var got []record
	for {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return got, fmt.Errorf("after %d records: %w", len(got), err)
		}
		var failed error
		fetches.EachError(func(_ string, _ int32, err error) { failed = err })
		if failed != nil {
			return got, failed
		}
		for _, in := range fetches.Records() {
			out := record{Offset: in.Offset, Timestamp: in.Timestamp.UnixMilli()}
			out.Codec = allCodecs[in.Attrs.CompressionType()]
			if in.Key != nil {
				out.Key = text(string(in.Key))
			}
			if in.Value != nil {
				out.Value = text(string(in.Value))
			}
			for _, h := range in.Headers {
				out.Headers = append(out.Headers, header{h.Key, string(h.Value)})
			}
			got = append(got, out)
			if r.enough(got) {
				return got, nil
			}
		}
	}
}

func (f *franz) offset(topic string, partition int32, timestamp int64) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	admin := kadm.NewClient(f.cl)
	list := func() (kadm.ListedOffsets, error) { return admin.ListOffsetsAfterMilli(ctx, timestamp, topic) }
	switch timestamp {
	case earliest:
		list = func() (kadm.ListedOffsets, error) { return admin.ListStartOffsets(ctx, topic) }
	case latest:
		list = func() (kadm.ListedOffsets, error) { return admin.ListEndOffsets(ctx, topic) }
	}
	listed, err := list()
	if err != nil {
		return 0, err
	}
	o, _ := listed.Lookup(topic, partition)
	return o.Offset, o.Err
}

func (f *franz) close() { f.cl.Close() }
