package interop

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// kafka-go's Reader returns empty values as nil.
var kafkaGoKind = kind{start: startKafkaGo, codecs: allCodecs, emptyIsNull: true}

func TestKafkaGo(t *testing.T) { runSuite(t, kafkaGoKind) }

func TestKafkaGoWhileNodesDie(t *testing.T) { runRestarts(t, kafkaGoKind) }

// kafkaGo is github.com/segmentio/kafka-go.
type kafkaGo struct {
	seeds     []string
	transport *kafka.Transport
	cl        *kafka.Client
}

func startKafkaGo(_ *testing.T, bootstrap string) client {
	g := &kafkaGo{seeds: strings.Split(bootstrap, ","), transport: new(kafka.Transport)}
	g.cl = &kafka.Client{Addr: kafka.TCP(g.seeds...), Timeout: patience, Transport: g.transport}
	return g
}

func (g *kafkaGo) describe() (description, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d := description{Topics: map[string]int{}}
	m, err := g.cl.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return d, err
	}
	for _, b := range m.Brokers {
		d.Brokers = append(d.Brokers, int32(b.ID))
	}
	for _, t := range m.Topics {
		d.Topics[t.Name] = len(t.Partitions)
	}
	return d, nil
}

func (g *kafkaGo) create(topic string, partitions, replication int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := g.cl.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: replication}},
	})
	if err != nil {
		return err
	}
	return resp.Errors[topic]
}

var kafkaGoCodecs = map[string]kafka.Compression{
	"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
}

func (g *kafkaGo) produce(r produceRequest) ([]int64, error) {
	offsets := make([]int64, len(r.Records))
	var mu sync.Mutex
	var failed error
	// A transport of its own: it would not ask again for topics that it has just seen
	// missing.
	transport := &kafka.Transport{MetadataTTL: time.Second}
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{
		Addr: kafka.TCP(g.seeds...), Topic: r.Topic, Transport: transport,
		Balancer:     kafka.BalancerFunc(func(kafka.Message, ...int) int { return int(r.Partition) }),
		RequiredAcks: kafka.RequiredAcks(r.Acks), Compression: kafkaGoCodecs[r.Codec],
		BatchTimeout: 5 * time.Millisecond, MaxAttempts: 100, WriteBackoffMax: 500 * time.Millisecond,
		BatchBytes: 1_000_000, Async: true,
		Completion: func(sent []kafka.Message, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
			}
			for _, m := range sent {
				offsets[m.WriterData.(int)] = m.Offset
			}
		},
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i, in := range r.Records {
		out := kafka.Message{WriterData: i}
		if in.Key != nil {
			out.Key = []byte(*in.Key)
		}
		if in.Value != nil {
			out.Value = []byte(*in.Value)
		}
		if in.Timestamp != 0 {
			out.Time = time.UnixMilli(in.Timestamp)
		}
		for _, h := range in.Headers {
			out.Headers = append(out.Headers, kafka.Header{Key: h[0], Value: []byte(h[1])})
		}
		if err := w.WriteMessages(ctx, out); err != nil {
			return nil, err
		}
		time.Sleep(time.Duration(r.PauseMS) * time.Millisecond)
	}
	if err := w.Close(); err != nil { // waits for what is under way
		return nil, err
	}
	return offsets, failed
}

func (g *kafkaGo) consume(r consumeRequest) ([]record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: g.seeds, Topic: r.Topic, Partition: int(r.Partition), MaxWait: 200 * time.Millisecond,
		ReadBackoffMax: 250 * time.Millisecond, MaxBytes: 4 << 20,
	})
	defer reader.Close()
	var err error
	switch r.From {
	case "beginning":
		err = reader.SetOffset(kafka.FirstOffset)
	case "offset":
		err = reader.SetOffset(r.At)
	case "timestamp":
		err = reader.SetOffsetAt(ctx, time.UnixMilli(r.At))
	}
	if err != nil {
		return nil, err
	}
	var got []record
	for !r.enough(got) {
		in, err := reader.ReadMessage(ctx)
		if err != nil && ctx.Err() == nil {
			continue // it reports every failed attempt to connect, and tries again
		}
		if err != nil {
			return got, fmt.Errorf("after %d records: %w", len(got), err)
		}
		out := record{Offset: in.Offset, Timestamp: in.Time.UnixMilli()}
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
	}
	return got, nil
}

func (g *kafkaGo) offset(topic string, partition int32, timestamp int64) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ask := kafka.OffsetRequest{Partition: int(partition), Timestamp: timestamp} // earliest and latest are Kafka's
	resp, err := g.cl.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {ask}}})
	if err != nil {
		return 0, err
	}
	o := resp.Topics[topic][0]
	switch {
	case o.Error != nil:
		return 0, o.Error
	case timestamp == earliest:
		return o.FirstOffset, nil
	case timestamp == latest:
		return o.LastOffset, nil
	}
	for found := range o.Offsets {
		return found, nil
	}
	return -1, nil
}

func (g *kafkaGo) close() { g.transport.CloseIdleConnections() }
