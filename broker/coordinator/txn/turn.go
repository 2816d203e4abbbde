package txn

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// turn is one call of the machine: what it was told and what it has decided so far.
//
// The records of a turn are replayed when it is over. Until then decided has what they
// say, and get sees it, so that a request which names a transactional id twice is right.
type turn struct {
	m       *Machine
	at      coordinator.Moment
	out     coordinator.Decision
	decided map[string]*transaction // nil for one that is forgotten
}

// Event is an effect for the trace: something happened to a transaction, and has committed.
type Event struct {
	Kind            string // such as "transaction-committing"
	TransactionalID string
	ProducerID      int64
	Epoch           int16
	Partitions      int
	// Rare is what happens to few transactions: people want to see it.
	Rare bool
}

func (t *turn) event(kind string, x *transaction) {
	t.effect(Event{Kind: kind, TransactionalID: x.id, ProducerID: x.producerID, Epoch: x.epoch, Partitions: len(x.partitions)})
}

func (t *turn) rareEvent(kind string, x *transaction) {
	t.effect(Event{Kind: kind, TransactionalID: x.id, ProducerID: x.producerID, Epoch: x.epoch, Partitions: len(x.partitions), Rare: true})
}

func (t *turn) effect(e any) { t.out.Effects = append(t.out.Effects, e) }

// get is a transactional id as decided so far, nil if it is unknown.
func (t *turn) get(id string) *transaction {
	if x, ok := t.decided[id]; ok {
		return x
	}
	return t.m.transactions[id]
}

// unknown reports whether the metadata do not have a partition.
func (t *turn) unknown(tp wire.TopicPartition) bool {
	return t.at.Image.Partition(tp.Topic, tp.Partition) == nil
}

// level is that of the feature transaction.version.
func (t *turn) level() int16 { return t.at.Image.FeatureLevel(metadata.TransactionVersion) }

// write decides the next state of a transactional id.
func (t *turn) write(y *transaction) {
	x := t.get(y.id)
	check(x == nil && y.state == Empty || x != nil && y.state.mayFollow(x.state, y.version),
		"%q goes to %v from %v", y.id, y.state, x)
	check(y.epoch >= 0 || t.m.overflows(), "%q gets epoch %d", y.id, y.epoch)
	check(x == nil || y.producerID != x.producerID || y.epoch >= x.epoch || t.m.overflows(), "%q gets epoch %d after %v", y.id, y.epoch, x)
	t.keep(y)
	t.out.Append(y.record(t.level()))
}

// keep notes what the record of this turn will say, and what it will not.
func (t *turn) keep(y *transaction) {
	if t.decided == nil {
		t.decided = make(map[string]*transaction)
	}
	t.decided[y.id] = y
	t.m.soften(t.at, y)
}

// fits reports whether a transaction's record can be appended: a batch that the log
// refuses would end the shard.
func (t *turn) fits(y *transaction) bool {
	return coordinator.SizeOf(y.record(t.level())) <= coordinator.BatchLimit(t.m.cfg.Broker)
}

// reply answers a request.
func (t *turn) reply(r coordinator.Request, resp kmsg.Response) {
	resp.SetVersion(r.Msg.(kmsg.Request).GetVersion())
	t.out.Replies = append(t.out.Replies, coordinator.Reply{Token: r.Token, Response: resp})
}

// refuse answers with an error in every place that has one.
func (t *turn) refuse(r coordinator.Request, why *kerr.Error) {
	t.out.Replies = append(t.out.Replies, coordinator.Reply{Token: r.Token, Response: coordinator.Refuse(r.Msg.(kmsg.Request), why)})
}

// later is when something is due that is so many ms away.
func (t *turn) later(ms int) int64 { return t.at.Now + int64(ms)*int64(time.Millisecond) }

// fenced is the error for a producer whose epoch is over: PRODUCER_FENCED, which versions
// before it was there know as INVALID_PRODUCER_EPOCH (KIP-588).
func fenced(why *kerr.Error, version, since int16) *kerr.Error {
	if why == kerr.ProducerFenced && version < since {
		return kerr.InvalidProducerEpoch
	}
	return why
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
		panic("txn: " + fmt.Sprintf(format, args...))
	}
}
