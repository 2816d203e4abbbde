package txn

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/failpoint"
)

// endTxn is EndTxn (key 26, versions 0-5; KIP-98, KIP-890): a producer commits or aborts its
// transaction. The answer leaves when that is decided; the markers follow.
//
// Versions 0-4 leave the producer its epoch. A second request is told how the transaction
// ended: CONCURRENT_TRANSACTIONS until it has, INVALID_TXN_STATE if it ended the other way.
//
// Version 5 answers with the producer id and epoch of the next transaction, which are new
// each time, so that a request is known for a second one by the epoch before:
//
//	              Abort                      Commit
//	              second       first         second       first
//	Ongoing       fenced       aborts        fenced       commits
//	Prepare*      concurrent   concurrent    concurrent   concurrent   (or INVALID_TXN_STATE)
//	Empty         fenced       aborts        fenced       INVALID_TXN_STATE
//	CompleteAbort   ok         aborts        INVALID...   INVALID_TXN_STATE
//	CompleteCommit  INVALID... aborts        ok           INVALID_TXN_STATE
//
// Aborting nothing is for a producer that does not know whether its first record arrived.
// Fenced is PRODUCER_FENCED (before version 2 INVALID_PRODUCER_EPOCH); an unknown
// transactional id, or another producer id, INVALID_PRODUCER_ID_MAPPING.
func (t *turn) endTxn(r coordinator.Request, req *kmsg.EndTxnRequest) {
	resp := kmsg.NewPtrEndTxnResponse()
	x, done, why := t.judgeEnd(req)
	version := int16(0)
	if req.Version >= 5 {
		version = 2
	}
	if why == nil && !done {
		next := noProducerID
		if version >= 2 && t.m.wornOut(x.epoch) {
			var ok bool
			if next, ok = t.takeProducerID(r); !ok {
				return
			}
		}
		x = t.end(x, req.Commit, version, next)
	}
	if why != nil {
		resp.ErrorCode = fenced(why, req.Version, 2).Code
	} else if version >= 2 {
		resp.ProducerID, resp.ProducerEpoch = x.successor()
	}
	t.reply(r, resp)
}

// judgeEnd finds the transaction to end; done says that it has ended, as is asked for.
func (t *turn) judgeEnd(req *kmsg.EndTxnRequest) (x *transaction, done bool, why *kerr.Error) {
	if req.TransactionalID == "" {
		return nil, false, kerr.InvalidRequest
	}
	if x = t.get(req.TransactionalID); x == nil {
		return nil, false, kerr.InvalidProducerIDMapping
	}
	if req.Version >= 5 {
		return t.judgeEndV2(x, req)
	}
	prepare, complete := outcome(req.Commit)
	switch {
	case x.awaits(req.ProducerID, req.ProducerEpoch):
		why = kerr.ConcurrentTransactions
	case x.producerID != req.ProducerID:
		why = kerr.InvalidProducerIDMapping
	case x.epoch != req.ProducerEpoch:
		why = kerr.ProducerFenced
	case x.state == Ongoing:
	case x.state == prepare:
		why = kerr.ConcurrentTransactions
	case x.state == complete:
		done = true
	default:
		why = kerr.InvalidTxnState
	}
	return x, done, why
}

func (t *turn) judgeEndV2(x *transaction, req *kmsg.EndTxnRequest) (_ *transaction, done bool, why *kerr.Error) {
	prepare, complete := outcome(req.Commit)
	first := x.producerID == req.ProducerID && x.epoch == req.ProducerEpoch
	// Only the end of a transaction in this protocol leaves the epoch that it is known by.
	second := x.version >= 2 && (x.producerID == req.ProducerID && int(x.epoch) == int(req.ProducerEpoch)+1 ||
		// The transaction before wore out the producer id.
		x.state.idle() && x.previousID == req.ProducerID && exhausted(req.ProducerEpoch) && x.epoch == 0)
	if second && x.state == Ongoing && t.m.cfg.Fail.On(failpoint.ZooLateEndTxn) {
		return x, false, nil
	}
	switch {
	case x.awaits(req.ProducerID, req.ProducerEpoch):
		why = kerr.ConcurrentTransactions
	case x.producerID != req.ProducerID && !second:
		why = kerr.InvalidProducerIDMapping
	case x.state == Ongoing && first:
	case x.state.prepared() && first:
		why = kerr.ConcurrentTransactions // it is in the next transaction already
	case x.state.prepared() && second:
		if why = kerr.InvalidTxnState; x.state == prepare {
			why = kerr.ConcurrentTransactions
		}
	case x.state.idle() && first:
		if req.Commit {
			why = kerr.InvalidTxnState
		}
	case (x.state == CompleteCommit || x.state == CompleteAbort) && second:
		if done = x.state == complete; !done {
			why = kerr.InvalidTxnState
		}
	default:
		why = kerr.ProducerFenced
	}
	return x, done, why
}

// end decides a transaction and has its markers sent.
func (t *turn) end(x *transaction, commit bool, version int16, next int64) *transaction {
	y := x.end(commit, version, t.m.bump(x.epoch, 1), next, t.at.Wall)
	t.write(y)
	kind := "transaction-aborting"
	if commit {
		kind = "transaction-committing"
	}
	t.event(kind, y)
	t.sendMarkers(y)
	return y
}

// abort ends an ongoing transaction against its producer.
func (t *turn) abort(x *transaction) {
	version := t.level()
	if version < 2 {
		version = 0
	}
	y := x.fence(t.m.bump(x.epoch, fencing(version)), version, t.at.Wall)
	t.write(y)
	t.sendMarkers(y)
}
