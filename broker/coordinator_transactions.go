package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/producers"
	"odradek/broker/wire"
)

// A shard replays what it decides before the log has taken it, and the log must then not
// refuse it. So what a partition demands of a producer's batches is asked before the
// shard decides, in the same turn of the loop.

// askInTransaction has the shard decide a TxnOffsetCommit, once the transaction is known to
// include this partition: else no marker would ever come, and the offsets would stay
// pending (KIP-890). From version 5 on that includes it.
func (c *coordination) askInTransaction(from sender, req *kmsg.TxnOffsetCommitRequest, done func(kmsg.Response)) {
	refuse := func(why *kerr.Error) { done(coordinator.Refuse(req, why)) }
	if req.ProducerID < 0 || req.ProducerEpoch < 0 {
		refuse(kerr.InvalidProducerIDMapping)
		return
	}
	h := c.headerOf(req)
	adds := req.Version >= 5
	rules := producers.Rules{Origin: producers.Coordinator, Verify: adds || c.n.cfg.TxnPartitionVerification}
	decide := func(guard producers.Guard) {
		rules.Guard = guard
		if _, _, err := c.p.log.Producers().Check(&h, rules); err != nil {
			refuse(kerr.TypedErrorForCode(c.p.refusal(err).code))
			return
		}
		c.decide(from, req, done)
	}
	if !c.shard.Active() || !c.p.mustVerify(&h, rules) {
		decide(producers.NoGuard)
		return
	}
	c.n.verifyTransaction(c.p, req.TransactionalID, &h, adds, func(guard producers.Guard, code int16) {
		code = verificationCode(code, produceLike(req.Version))
		switch {
		case c.over:
			refuse(kerr.NotCoordinator)
		case code == kerr.NotEnoughReplicas.Code:
			// It passes by itself. This one makes clients try again without looking
			// for another coordinator.
			refuse(kerr.CoordinatorLoadInProgress)
		case code != 0:
			refuse(kerr.TypedErrorForCode(code))
		default:
			decide(guard)
		}
	})
}

// headerOf is that of the batch which the request's offsets would become.
func (c *coordination) headerOf(req *kmsg.TxnOffsetCommitRequest) wire.BatchHeader {
	b := wire.NewBuilder(wire.BatchOptions{
		Producer: &wire.Producer{ID: req.ProducerID, Epoch: req.ProducerEpoch, Sequence: wire.NoSequence}, Transactional: true,
	})
	b.Append(c.n.wallMillis(), nil, nil)
	batch, err := b.Build(nil, nil)
	if err == nil {
		var h wire.BatchHeader
		if h, err = wire.ReadBatchHeader(batch); err == nil {
			return h
		}
	}
	panic("broker: a batch cannot be built: " + err.Error())
}

// produceLike is the version of Produce whose clients know what those of a version of
// TxnOffsetCommit know.
func produceLike(version int16) int16 {
	switch {
	case version >= 5:
		return produceAdds
	case version == 4:
		return produceAbortable
	}
	return produceAbortable - 1
}

// mark ends a transaction in the partition. done gets nil once the marker has committed,
// or why that is not known. The caller has checked the marker against the partition's
// producers, in this turn of the loop.
func (c *coordination) mark(m coordinator.Marker, done func(*kerr.Error)) {
	token := c.n.coordinators.token()
	c.marking[token] = done
	c.run(c.shard.Mark(c.moment(), token, m))
}
