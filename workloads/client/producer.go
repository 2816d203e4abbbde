package client

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/workloads/client/producer"
	"odradek/workloads/client/txn"
)

// Producer sends records.
type Producer struct {
	net  *network
	core *producer.Core
	cfg  producer.Config
	// waiting for results, by token.
	waiting map[producer.Token]func(producer.Result)
	last    producer.Token
	flushes []*flush
	// txn and awaiting are those of a transactional producer.
	txn      *txn.Core
	awaiting []*awaited
}

// flush waits for the records sent before it.
type flush struct {
	upTo producer.Token
	left int
	wake func()
}

func newProducer(n *network, cfg producer.Config) *Producer {
	p := &Producer{net: n, cfg: cfg, waiting: make(map[producer.Token]func(producer.Result))}
	p.core = producer.New(cfg, n.meta, n.rng)
	if cfg.TransactionalID != "" {
		p.txn = txn.New(txn.Config{
			TransactionalID: cfg.TransactionalID, Timeout: cfg.TransactionTimeout, Backoff: cfg.Backoff,
		}, p.core, n.meta, n.rng)
	}
	n.core = p
	return p
}

// Send sends a record and waits for its result.
func (p *Producer) Send(t *env.Task, r producer.Record) producer.Result {
	return env.Await(t, func(done func(producer.Result)) { p.SendAsync(r, done) })
}

// SendAsync sends a record; done gets its result on a later turn of the loop.
// Records that wait for memory or metadata keep their order. The token is the one
// of the result.
func (p *Producer) SendAsync(r producer.Record, done func(producer.Result)) producer.Token {
	wallMs := p.net.env.Clock.Wall() / int64(time.Millisecond)
	p.last = p.core.Send(p.net.now(), wallMs, r)
	p.waiting[p.last] = done
	p.wakeUp()
	return p.last
}

// wakeUp makes a turn happen. A closed network has none; then the results are handed
// out by themselves.
func (p *Producer) wakeUp() {
	if p.net.closed {
		p.net.env.Clock.After(0, func() { p.deliver(p.net.now()) })
		return
	}
	p.net.kick()
}

// Flush makes all accepted records sendable at once and waits for their results.
func (p *Producer) Flush(t *env.Task) {
	if len(p.waiting) == 0 {
		return
	}
	p.core.Flush()
	p.wakeUp()
	t.Suspend(func(wake func()) {
		p.flushes = append(p.flushes, &flush{upTo: p.last, left: len(p.waiting), wake: wake})
	})
}

// Pending is how many records have no result yet.
func (p *Producer) Pending() int { return len(p.waiting) }

// Close ends the producer; pending records end with producer.ErrClosed on a later
// turn of the loop (outcome unknown if they were ever sent). Flush first to avoid
// that.
func (p *Producer) Close() {
	if p.net.closed {
		return
	}
	p.net.close()
	if p.txn != nil {
		p.txn.Close()
	}
	p.core.Close()
	p.wakeUp()
}

// poll sends what is ready.
func (p *Producer) poll(now int64) {
	if p.txn != nil {
		p.txn.Notice()
	}
	p.pollRecords(now)
	if p.txn != nil {
		p.pollTransaction(now)
	}
}

func (p *Producer) pollRecords(now int64) {
	for _, req := range p.core.Poll(now) {
		p.observe(req.Batches, false)
		p.net.call(req.Request, p.cfg.RequestTimeout, func(resp kmsg.Response, err error) {
			now := p.net.now()
			var ended []producer.BatchAttempt
			if err != nil {
				ended = p.core.OnFailure(now, req.ID, err)
			} else {
				ended = p.core.OnResponse(now, req.ID, resp)
			}
			p.observe(ended, true)
		})
	}
}

func (p *Producer) observe(batches []producer.BatchAttempt, done bool) {
	o := p.net.cfg.Observer
	if o == nil {
		return
	}
	for i := range batches {
		b := &batches[i]
		info := AttemptInfo{
			ClientID: p.net.cfg.ClientID, Acks: p.cfg.Acks, TopicPartition: b.TopicPartition,
			Tokens: b.Tokens, Attempt: b.Attempt, BaseOffset: b.BaseOffset,
			Identity: b.Identity, Transaction: b.Transaction,
		}
		if done {
			o.AttemptDone(info)
		} else {
			o.Attempt(info)
		}
	}
}

// deliver hands out results.
func (p *Producer) deliver(now int64) {
	if p.txn != nil {
		p.deliverEvents()
	}
	for _, r := range p.core.Results() {
		done := p.waiting[r.Token]
		delete(p.waiting, r.Token)
		var flushed []*flush
		for _, f := range p.flushes {
			if r.Token <= f.upTo {
				f.left--
			}
		}
		for len(p.flushes) > 0 && p.flushes[0].left == 0 {
			// A flush covers all that an earlier one does, so they end in order.
			flushed = append(flushed, p.flushes[0])
			p.flushes = p.flushes[1:]
		}
		done(r)
		for _, f := range flushed {
			f.wake()
		}
	}
	// After the results: whoever waits for the end of a transaction has seen them.
	p.wakeAwaiting(now)
}

func (p *Producer) deadline() int64 {
	d := p.core.Deadline()
	if p.txn != nil {
		d = min(d, p.txn.Deadline())
		for _, a := range p.awaiting {
			d = min(d, a.until)
		}
	}
	return d
}
