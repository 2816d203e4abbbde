package interop

import (
	"strings"
	"testing"
	"time"
)

// record is one record as a client gives or gets it. Key and Value are nil where
// Kafka's are null.
type record struct {
	Offset    int64    `json:"offset,omitempty"`
	Timestamp int64    `json:"timestamp,omitempty"` // milliseconds; 0 is the client's choice
	Key       *string  `json:"key"`
	Value     *string  `json:"value"`
	Headers   []header `json:"headers,omitempty"`
	// Codec is the codec of the record's batch, where the client tells.
	Codec string `json:"-"`
}

type header [2]string // name, value

// description is what a client learns from Metadata.
type description struct {
	Brokers []int32        `json:"brokers"`
	Topics  map[string]int `json:"topics"` // partitions
}

// produceRequest asks for records to be written to one partition, in order.
type produceRequest struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Codec     string `json:"codec"` // none, gzip, snappy, lz4, zstd
	Acks      int    `json:"acks"`  // -1 is all
	// Ordered asks the client to keep the order across retries without the help
	// of an idempotent producer.
	Ordered bool     `json:"ordered"`
	PauseMS int      `json:"pause_ms"` // between two records
	Records []record `json:"records"`
}

// consumeRequest asks for records of one partition until Count are there, or one
// with the value Until.
type consumeRequest struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      string `json:"from"` // beginning, offset or timestamp
	At        int64  `json:"at"`   // the offset, or the timestamp in milliseconds
	Count     int    `json:"count"`
	Until     string `json:"until"`
}

// Timestamps that offset takes besides real ones.
const (
	latest   = -1
	earliest = -2
)

// client is one Kafka client library, or a program around it.
type client interface {
	describe() (description, error)
	create(topic string, partitions, replication int) error
	// produce returns the offset of each record, or nil if the client does not
	// tell or acks is 0.
	produce(produceRequest) ([]int64, error)
	consume(consumeRequest) ([]record, error)
	// offset is the partition's offset for a timestamp (ListOffsets): the first
	// record at or after it.
	offset(topic string, partition int32, timestamp int64) (int64, error)
	close()
}

// kind is a client library and what can be asked of it.
type kind struct {
	// start connects to the cluster, or skips the test when what the client needs is
	// not installed.
	start  func(t *testing.T, bootstrap string) client
	codecs []string
	// What the client, or its program, has no way to do.
	noCreate, noOffsets, noTimestamps, noHeaders, noTombstones bool
	// emptyIsNull is a client that reads empty values as null ones.
	emptyIsNull bool
	// endsAlone is a client that gives up when no node answers at all.
	endsAlone bool
}

// patience bounds whatever a client is asked to do.
const patience = 60 * time.Second

func text(s string) *string { return &s }

// enough reports whether the request is satisfied by what was read.
func (r consumeRequest) enough(got []record) bool {
	if len(got) == 0 {
		return false
	}
	last := got[len(got)-1].Value
	return r.Count > 0 && len(got) >= r.Count || r.Until != "" && last != nil && *last == r.Until
}

func seeds(bootstrap string) []string { return strings.Split(bootstrap, ",") }
