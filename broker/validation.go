package broker

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/producers"
	"odradek/broker/wire"
)

// A produced batch is checked to its last record before it is appended. What a small one costs is
// less than handing it to another thread; a large one, or one that has to be decompressed, would
// keep everybody else waiting, and is checked off the loop. Those that come for the partition
// meanwhile stay behind it, so that batches are appended in the order in which they came.

// Batches from so many bytes on are checked off the loop.
const (
	largeBatch           = 128 << 10
	largeCompressedBatch = 16 << 10
)

// validation is a produced batch that is being checked, or has been and waits for those before.
//
//	checking -> ready       the check is done
//	ready -> appended       it is the partition's first: or refused, by the check or because the
//	                        leadership ended meanwhile
type validation struct {
	terms   appendTerms
	part    *produced
	records []byte
	rules   wire.ProduceRules

	header wire.BatchHeader
	batch  []byte
	err    error
	ready  bool
}

func (v *validation) check(codec *wire.Codec) {
	v.header, v.batch, v.err = codec.Validate(v.records, &v.rules)
	v.records = nil
}

// offLoop reports whether produced records are to be checked off the loop.
func (n *Node) offLoop(b []byte) bool {
	least := largeBatch
	if h, err := wire.ReadBatchHeader(b); err == nil && h.Compression() != wire.None {
		least = largeCompressedBatch
	}
	return len(b) >= least || n.env.Fail.On(failpoint.BrokerValidateOffLoop)
}

// validate checks produced records and goes on with admit, at once if it can.
func (p *partition) validate(terms appendTerms, b []byte, part *produced) {
	n := p.n
	off := n.offLoop(b)
	if !off && len(p.validations) == 0 {
		n.env.CPU.Charge(env.OpCRC, len(b))
		h, batch, err := n.codec.Validate(b, n.produceRules(terms.version, &p.topic))
		p.admit(terms, &h, batch, err, part)
		return
	}
	v := &validation{terms: terms, part: part, records: b, rules: *n.produceRules(terms.version, &p.topic)}
	p.validations = append(p.validations, v)
	if !off {
		n.env.CPU.Charge(env.OpCRC, len(b))
		v.check(n.codec)
		v.ready = true
		return
	}
	codec := n.takeCodec()
	n.env.CPU.Work(env.OpCRC, len(b), func() { v.check(codec) }, func() {
		n.giveCodec(codec)
		v.ready = true
		p.admitReady()
	})
}

// admitReady goes on with the first validations, as far as they are ready.
func (p *partition) admitReady() {
	for len(p.validations) > 0 && p.validations[0].ready {
		v := p.validations[0]
		p.validations[0] = nil
		if p.validations = p.validations[1:]; len(p.validations) == 0 {
			p.validations = nil
		}
		if p.n.stopped {
			continue
		}
		if code := p.mayAppend(v.terms.acks); code != 0 {
			v.part.finish(appendError(code, ""))
			continue
		}
		p.admit(v.terms, &v.header, v.batch, v.err, v.part)
	}
}

// mayAppend is why the partition takes no batch of a producer who waits for acks, or 0.
func (p *partition) mayAppend(acks int16) int16 {
	if code := p.notLeading(); code != 0 {
		return code
	}
	if acks == -1 {
		if kafkaErr := p.leader.CheckProduce(); kafkaErr != nil {
			return kafkaErr.Code
		}
	}
	return 0
}

// admit takes a checked batch to the log, or to the transaction coordinator first.
func (p *partition) admit(terms appendTerms, h *wire.BatchHeader, batch []byte, err error, part *produced) {
	if err != nil {
		var bad *wire.BatchError
		if !errors.As(err, &bad) {
			panic(err)
		}
		r := appendError(bad.Code.Code, bad.Message)
		r.records = bad.Records
		part.finish(r)
		return
	}
	rules := producers.Rules{Origin: producers.Client}
	if h.Transactional() {
		if terms.transactionalID == nil {
			part.finish(appendError(kerr.TransactionalIDAuthorizationFailed.Code, "a transactional batch in a request without a transactional id"))
			return
		}
		rules.Verify = p.n.cfg.TxnPartitionVerification || terms.version >= produceAdds
		if p.mustVerify(h, rules) {
			p.verify(h, terms, unverified{batch, terms.acks, part})
			return
		}
	}
	p.write(batch, terms.acks, rules, part)
}

// spareCodecs is how many codecs are kept for checks off the loop.
const spareCodecs = 4

// takeCodec is a codec that nobody else uses.
func (n *Node) takeCodec() *wire.Codec {
	if k := len(n.codecs); k > 0 {
		codec := n.codecs[k-1]
		n.codecs = n.codecs[:k-1]
		return codec
	}
	return wire.NewCodec(n.cfg.MaxRequestBytes)
}

func (n *Node) giveCodec(codec *wire.Codec) {
	if len(n.codecs) < spareCodecs {
		n.codecs = append(n.codecs, codec)
	}
}
