package group

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/metadata"
)

// turn is one call of the machine: what it was told and what it has decided so far.
//
// The records of a turn are replayed when it is over. So within a turn the state does
// not show them yet, and at most one record of a classic group may be decided in one;
// every path that writes one is the last of its group in that turn. A consumer group is
// changed at once, and what has changed is written when the turn is over.
type turn struct {
	m   *Machine
	at  coordinator.Moment
	out coordinator.Decision
	// touched are the consumer groups whose changes are written in the end (done).
	touched []*consumer
}

// Event is an effect for the trace: something happened to a group, and has committed.
type Event struct {
	Kind       string // such as "group-stable"
	Group      string
	Member     string // "" if it is not about one
	Generation int32
	Count      int // members, or offsets
}

// waiting is a request that a member is answered later. The zero value is none.
type waiting struct {
	token   coordinator.Token
	version int16
}

// later is when a timer ends that is ms long from now on.
func (t *turn) later(ms int64) int64 { return t.at.Now + ms*int64(time.Millisecond) }

func (t *turn) event(e Event) { t.out.Effects = append(t.out.Effects, e) }

// reply answers a request. version is the request's.
func (t *turn) reply(w waiting, resp kmsg.Response) {
	resp.SetVersion(w.version)
	t.out.Replies = append(t.out.Replies, coordinator.Reply{Token: w.token, Response: resp})
}

// refuse answers with an error in every place that has one.
func (t *turn) refuse(r coordinator.Request, why *kerr.Error) {
	t.out.Replies = append(t.out.Replies, coordinator.Reply{Token: r.Token, Response: coordinator.Refuse(r.Msg.(kmsg.Request), why)})
}

// append writes records in one batch, which the caller knows to fit.
func (t *turn) append(records ...coordinator.Record) {
	if len(records) > 0 {
		t.out.Batches = append(t.out.Batches, coordinator.Batch{Records: records})
	}
}

// appendSplit writes records that need not become durable together, in as many batches
// as it takes.
func (t *turn) appendSplit(records []coordinator.Record) {
	limit, size, from := t.batchLimit(), 0, 0
	for i, r := range records {
		if size += sizeOf(r); size > limit && i > from {
			t.append(records[from:i]...)
			from, size = i, sizeOf(r)
		}
	}
	t.append(records[from:]...)
}

// batchOverhead is a batch's header and a bit; recordOverhead what a record takes
// besides its key and value, at most. In bytes.
const (
	batchOverhead  = 128
	recordOverhead = 48
)

// batchLimit is how many bytes of records (sizeOf) a batch may have. What is larger has to
// be refused here: the log would refuse it, and that ends the shard.
func (t *turn) batchLimit() int {
	return t.m.cfg.Broker.TopicDefaults.MaxMessageBytes - batchOverhead
}

func sizeOf(records ...coordinator.Record) int {
	n := 0
	for _, r := range records {
		n += len(r.Key) + len(r.Value) + recordOverhead
	}
	return n
}

// hasPartition reports whether the metadata know a partition.
func hasPartition(image *metadata.Image, topic string, partition int32) bool {
	return image.Partition(topic, partition) != nil
}

// code is the error's, 0 for nil.
func code(err *kerr.Error) int16 {
	if err == nil {
		return 0
	}
	return err.Code
}

// check panics if a rule is broken that only a bug can break.
func check(ok bool, format string, args ...any) {
	if !ok {
		panic("group: " + fmt.Sprintf(format, args...))
	}
}
