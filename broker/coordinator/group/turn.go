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
func (t *turn) append(records ...coordinator.Record) { t.out.Append(records...) }

// appendSplit writes records that need not become durable together, in as many batches
// as it takes.
func (t *turn) appendSplit(records []coordinator.Record) { t.out.AppendSplit(t.batchLimit(), records) }

// batchLimit is how many bytes of records a batch may have.
func (t *turn) batchLimit() int { return coordinator.BatchLimit(t.m.cfg.Broker) }

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
