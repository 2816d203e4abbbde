package interop

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

func TestSarama(t *testing.T) { runSuite(t, saramaKind(sarama.MaxVersion)) }

// The oldest versions with record batches and zstd, of every request.
func TestSaramaAsOf2_1(t *testing.T) { runSuite(t, saramaKind(sarama.V2_1_0_0)) }

// The oldest with record batches; zstd is younger.
func TestSaramaAsOf0_11(t *testing.T) {
	k := saramaKind(sarama.V0_11_0_0)
	k.codecs = allCodecs[:4]
	runSuite(t, k)
}

func TestSaramaWhileNodesDie(t *testing.T) { runRestarts(t, saramaKind(sarama.MaxVersion)) }

func saramaKind(version sarama.KafkaVersion) kind {
	return kind{codecs: allCodecs, start: func(t *testing.T, bootstrap string) client {
		return &saramaClient{strings.Split(bootstrap, ","), version}
	}}
}

// saramaClient is github.com/IBM/sarama, which sends the requests of the Kafka that
// it is told it talks to.
type saramaClient struct {
	seeds   []string
	version sarama.KafkaVersion
}

func (s *saramaClient) config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = s.version
	c.Metadata.Retry.Max, c.Metadata.Retry.Backoff = 40, 250*time.Millisecond
	return c
}

func (s *saramaClient) describe() (description, error) {
	d := description{Topics: map[string]int{}}
	cl, err := sarama.NewClient(s.seeds, s.config())
	if err != nil {
		return d, err
	}
	defer cl.Close()
	for _, b := range cl.Brokers() {
		d.Brokers = append(d.Brokers, b.ID())
	}
	topics, err := cl.Topics()
	if err != nil {
		return d, err
	}
	for _, t := range topics {
		partitions, err := cl.Partitions(t)
		if err != nil {
			return d, err
		}
		d.Topics[t] = len(partitions)
	}
	return d, nil
}

func (s *saramaClient) create(topic string, partitions, replication int) error {
	admin, err := sarama.NewClusterAdmin(s.seeds, s.config())
	if err != nil {
		return err
	}
	defer admin.Close()
	return admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: int16(replication)}, false)
}

var saramaCodecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

func (s *saramaClient) produce(r produceRequest) ([]int64, error) {
	c := s.config()
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Compression = saramaCodecs[r.Codec]
	c.Producer.RequiredAcks = sarama.RequiredAcks(r.Acks)
	c.Producer.Return.Successes = true
	c.Producer.Retry.Max, c.Producer.Retry.Backoff = 100, 250*time.Millisecond
	if r.Ordered {
		c.Net.MaxOpenRequests = 1
	} else if r.Acks < 0 && s.version.IsAtLeast(sarama.V0_11_0_0) {
		c.Producer.Idempotent, c.Net.MaxOpenRequests = true, 1
	}
	p, err := sarama.NewAsyncProducer(s.seeds, c)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	offsets := make([]int64, len(r.Records))
	done := make(chan error, 1)
	go func() {
		deadline := time.After(patience)
		for range r.Records {
			select {
			case m := <-p.Successes():
				offsets[m.Metadata.(int)] = m.Offset
			case err := <-p.Errors():
				done <- err
				return
			case <-deadline:
				done <- errors.New("timed out")
				return
			}
		}
		done <- nil
	}()
	for i, in := range r.Records {
		m := &sarama.ProducerMessage{Topic: r.Topic, Partition: r.Partition, Metadata: i}
		if in.Key != nil {
			m.Key = sarama.StringEncoder(*in.Key)
		}
		if in.Value != nil {
			m.Value = sarama.StringEncoder(*in.Value)
		}
		if in.Timestamp != 0 {
			m.Timestamp = time.UnixMilli(in.Timestamp)
		}
		for _, h := range in.Headers {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h[0]), Value: []byte(h[1])})
		}
		select {
		case p.Input() <- m:
		case err := <-done:
			return nil, err
		}
		time.Sleep(time.Duration(r.PauseMS) * time.Millisecond)
	}
	return offsets, <-done
}

func (s *saramaClient) consume(r consumeRequest) ([]record, error) {
	c := s.config()
	c.Consumer.Return.Errors, c.Consumer.MaxWaitTime = true, 100*time.Millisecond
	c.Consumer.Retry.Backoff = 250 * time.Millisecond
	cl, err := sarama.NewClient(s.seeds, c)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	from := sarama.OffsetOldest
	switch r.From {
	case "offset":
		from = r.At
	case "timestamp":
		if from, err = cl.GetOffset(r.Topic, r.Partition, r.At); err != nil {
			return nil, err
		}
	}
	consumer, err := sarama.NewConsumerFromClient(cl)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	part, err := consumer.ConsumePartition(r.Topic, r.Partition, from)
	if err != nil {
		return nil, err
	}
	defer part.Close()
	var got []record
	var last error
	deadline := time.After(patience)
	for !r.enough(got) {
		select {
		case in := <-part.Messages():
			out := record{Offset: in.Offset, Timestamp: in.Timestamp.UnixMilli()}
			if in.Key != nil {
				out.Key = text(string(in.Key))
			}
			if in.Value != nil {
				out.Value = text(string(in.Value))
			}
			for _, h := range in.Headers {
				out.Headers = append(out.Headers, header{string(h.Key), string(h.Value)})
			}
			got = append(got, out)
		case last = <-part.Errors(): // it tries again
		case <-deadline:
			return got, fmt.Errorf("timed out after %d records; last error %v", len(got), last)
		}
	}
	return got, nil
}

func (s *saramaClient) offset(topic string, partition int32, timestamp int64) (int64, error) {
	cl, err := sarama.NewClient(s.seeds, s.config())
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	return cl.GetOffset(topic, partition, timestamp) // its names for earliest and latest are Kafka's, too
}

func (s *saramaClient) close() {}
