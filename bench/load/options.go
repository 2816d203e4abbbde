package load

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odradek/bench"
)

// recordOverhead bounds what a batch and a record add to the key and value of one.
const recordOverhead = 256

// ProducerOptions are a scenario's producerConfig for franz-go. What franz-go cannot do as
// Kafka's producer would is an error.
func ProducerOptions(s *bench.Scenario) ([]kgo.Opt, error) {
	c := configs{get: s.Producer}
	// Kafka's producer turns idempotence off by itself if acks does not allow it, unless it
	// was asked for.
	_, asked := s.ProducerConfig["enable.idempotence"]
	all := c.choice("acks", "all", "-1", "1", "0")
	idempotent := c.choice("enable.idempotence", "true", "false") == "true"
	if strict := all == "all" || all == "-1"; !strict && idempotent {
		if asked || s.RecordsPerTransaction > 0 {
			c.wrong("acks=%s: idempotence and transactions need acks=all", all)
		}
		idempotent = false
	}
	if !idempotent && s.RecordsPerTransaction > 0 {
		c.wrong("enable.idempotence=false: transactions need it")
	}
	var opts []kgo.Opt
	switch all {
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()))
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()))
	}
	inflight := c.number("max.in.flight.requests.per.connection", 1, 1000)
	if !idempotent {
		opts = append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(inflight))
	} else if inflight != 5 {
		c.wrong("max.in.flight.requests.per.connection=%d: franz-go's idempotent producer has 5", inflight)
	}
	opts = append(opts, kgo.ProducerLinger(time.Duration(c.number("linger.ms", 0, 60_000))*time.Millisecond))
	// To Kafka's producer batch.size is when to send; what is larger goes alone. franz-go
	// would refuse it.
	batch := c.number("batch.size", 1, 1<<30)
	opts = append(opts, kgo.ProducerBatchMaxBytes(int32(max(batch, s.MessageSize+recordOverhead))))
	// Without keys a partition gets a batch before it is another's turn, as in Kafka.
	opts = append(opts, kgo.RecordPartitioner(kgo.UniformBytesPartitioner(batch, true, true, nil)))
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	opts = append(opts, kgo.ProducerBatchCompression(codecs[c.choice("compression.type", "none", "gzip", "snappy", "lz4", "zstd")]))
	timeout := c.number("transaction.timeout.ms", 1, 1<<31-1)
	if s.RecordsPerTransaction > 0 {
		opts = append(opts, kgo.TransactionTimeout(time.Duration(timeout)*time.Millisecond))
	}
	return opts, c.err("producerConfig")
}

// ConsumerOptions are a scenario's consumerConfig for franz-go: of any consumer, and what
// members of groups have besides.
func ConsumerOptions(s *bench.Scenario) (opts, member []kgo.Opt, err error) {
	c := configs{get: s.Consumer}
	if c.choice("isolation.level", "read_uncommitted", "read_committed") == "read_committed" {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	total, partition := c.number("fetch.max.bytes", 1, 1<<31-1), c.number("max.partition.fetch.bytes", 1, 1<<31-1)
	opts = append(opts,
		kgo.FetchMinBytes(int32(c.number("fetch.min.bytes", 1, 1<<31-1))),
		kgo.FetchMaxWait(time.Duration(c.number("fetch.max.wait.ms", 0, 60_000))*time.Millisecond),
		// A partition may not be asked for more than the whole, which to Kafka is no error.
		kgo.FetchMaxBytes(int32(total)), kgo.FetchMaxPartitionBytes(int32(min(partition, total))),
		kgo.BrokerMaxReadBytes(int32(min(2*int64(max(total, 64<<20)), 1<<31-1))),
	)
	if c.choice("group.protocol", "classic", "consumer") == "consumer" {
		member = append(member, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	}
	return opts, member, c.err("consumerConfig")
}

// configs reads configs and gathers what is wrong with them.
type configs struct {
	get  func(name string) string
	errs []error
}

func (c *configs) wrong(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

func (c *configs) choice(name string, of ...string) string {
	got := c.get(name)
	for _, v := range of {
		if got == v {
			return got
		}
	}
	c.wrong("%s=%s: want one of %v", name, got, of)
	return of[0]
}

func (c *configs) number(name string, least, most int) int {
	n, err := strconv.Atoi(c.get(name))
	if err != nil || n < least || n > most {
		c.wrong("%s=%s: want a number from %d to %d", name, c.get(name), least, most)
		return least
	}
	return n
}

func (c *configs) err(field string) error {
	if len(c.errs) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", field, errors.Join(c.errs...))
}
