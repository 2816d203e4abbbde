package txn

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
)

// initProducerID is InitProducerId (key 22, versions 0-5; KIP-98, KIP-360) for a
// transactional id: whoever asks is its producer from now on, and all before are fenced.
// A transaction that is ongoing is aborted first; that, and one that is being completed, is
// CONCURRENT_TRANSACTIONS until it is done.
//
// A producer that names its id and epoch wants to go on after an error: the epoch must be the
// current one, or the one before if it asks a second time; else PRODUCER_FENCED (before version
// 4 INVALID_PRODUCER_EPOCH). An epoch at its end brings a fresh producer id.
//
// Deviation: Kafka aborts an ongoing transaction before it looks at the epoch, so that a
// producer that was fenced can abort its successor's.
func (t *turn) initProducerID(r coordinator.Request, req *kmsg.InitProducerIDRequest) {
	resp := kmsg.NewPtrInitProducerIDResponse()
	y, why := t.nextProducer(r, req)
	switch {
	case why != nil:
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = fenced(why, req.Version, 4).Code, noProducerID, noEpoch
	case y == nil:
		return // waits for a producer id
	default:
		t.write(y)
		t.rareEvent("transactional-id-initialised", y)
		resp.ProducerID, resp.ProducerEpoch = y.producerID, y.epoch
	}
	t.reply(r, resp)
}

// nextProducer decides who is the producer; both results are nil if that has to wait.
func (t *turn) nextProducer(r coordinator.Request, req *kmsg.InitProducerIDRequest) (*transaction, *kerr.Error) {
	id := ""
	if req.TransactionalID != nil {
		id = *req.TransactionalID
	}
	expects := req.ProducerID != noProducerID
	switch {
	case id == "" || len(id) > maxString || expects != (req.ProducerEpoch != noEpoch):
		return nil, kerr.InvalidRequest
	case req.TransactionTimeoutMillis <= 0 || int(req.TransactionTimeoutMillis) > t.m.cfg.Broker.TxnMaxTimeoutMs:
		return nil, kerr.InvalidTransactionTimeout
	}
	x := t.get(id)
	if x == nil {
		fresh := &transaction{id: id, producerID: noProducerID, previousID: noProducerID, nextID: noProducerID}
		if !t.fits(fresh) {
			return nil, kerr.InvalidRequest
		}
		producerID, ok := t.takeProducerID(r)
		if !ok {
			return nil, nil
		}
		return fresh.init(producerID, t.m.firstEpoch(), noEpoch, req.TransactionTimeoutMillis, t.at.Wall), nil
	}
	again := false // the same request as before, whose answer got lost
	if expects && !x.awaits(req.ProducerID, req.ProducerEpoch) {
		current := req.ProducerID == x.producerID && req.ProducerEpoch == x.epoch
		again = x.lastEpoch != noEpoch && req.ProducerEpoch == x.lastEpoch &&
			(req.ProducerID == x.producerID || req.ProducerID == x.previousID && exhausted(req.ProducerEpoch) && x.epoch == 0)
		if !current && !again {
			return nil, kerr.ProducerFenced
		}
	}
	switch {
	case x.state.prepared():
		return nil, kerr.ConcurrentTransactions
	case x.state == Ongoing:
		t.abort(x)
		t.rareEvent("transaction-fenced", x)
		return nil, kerr.ConcurrentTransactions
	case again:
		return x.init(x.producerID, x.epoch, x.lastEpoch, req.TransactionTimeoutMillis, t.at.Wall), nil
	}
	last := noEpoch
	if expects {
		last = x.epoch
	}
	if t.m.wornOut(x.epoch) {
		producerID, ok := t.takeProducerID(r)
		if !ok {
			return nil, nil
		}
		t.rareEvent("producer-id-worn-out", x)
		return x.init(producerID, 0, last, req.TransactionTimeoutMillis, t.at.Wall), nil
	}
	return x.init(x.producerID, t.m.bump(x.epoch, 1), last, req.TransactionTimeoutMillis, t.at.Wall), nil
}
