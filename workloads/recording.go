package workloads

import (
	"errors"

	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
)

func outcomeOf(o attempt.Outcome) history.Outcome {
	switch o {
	case attempt.OK:
		return history.OK
	case attempt.Failed:
		return history.Failed
	}
	return history.Unknown
}

// codeOf is the Kafka error code in an error, if there is one.
func codeOf(err error) int16 {
	var code *attempt.CodeError
	if errors.As(err, &code) {
		return code.Code
	}
	return 0
}

func detailOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// answered is the return of an operation that asks and changes nothing.
func (s *Site) answered(err error) history.Event {
	e := history.Event{Time: s.now(), Outcome: history.OK, Code: codeOf(err), Detail: detailOf(err), Offset: wire.NoOffset}
	if err != nil {
		e.Outcome = history.Failed
	}
	return e
}

// changed is the return of an operation of an administrator that changes something.
func (s *Site) changed(err error) history.Event {
	e := s.answered(err)
	if failed := (*client.AdminError)(nil); errors.As(err, &failed) {
		e.Outcome = outcomeOf(failed.Outcome)
	} else if err != nil {
		e.Outcome = history.Unknown
	}
	return e
}

// appends records the appends of one producer, and the requests that carry them.
type appends struct {
	client.NopObserver
	site    *Site
	process string
	cfg     *producer.Config
	// txn is the transaction under way, by the operation of its begin; 0 outside.
	txn int64
	// ops of the appends by token, and of the requests that are under way.
	ops      map[producer.Token]int64
	requests map[requestKey]int64
}

type requestKey struct {
	id attempt.ID
	tp wire.TopicPartition
}

func newAppends(s *Site, process string, cfg *producer.Config) *appends {
	return &appends{
		site: s, process: process, cfg: cfg,
		ops: make(map[producer.Token]int64), requests: make(map[requestKey]int64),
	}
}

// send sends a record and records its append, of which e says what the history is to say
// besides; done is called with the result.
func (a *appends) send(p *client.Producer, e history.Event, r producer.Record, done func(producer.Result)) {
	inFlight := a.cfg.MaxInFlight
	if a.cfg.Acks == producer.AcksNone {
		// A request without an answer is in flight for as long as the network likes.
		inFlight = max(inFlight, 2)
	}
	e.Time, e.Func, e.Process, e.Txn, e.Offset = a.site.now(), history.Append, a.process, a.txn, wire.NoOffset
	e.Acks, e.Idempotent, e.InFlight = int8(a.cfg.Acks), a.cfg.Idempotent || a.cfg.TransactionalID != "", inFlight
	op := a.site.Recorder.Invoke(e)
	token := p.SendAsync(r, func(res producer.Result) {
		delete(a.ops, res.Token)
		a.site.Recorder.Return(op, history.Event{
			Time: a.site.now(), Outcome: outcomeOf(res.Outcome), Offset: res.Offset, Code: codeOf(res.Err), Detail: detailOf(res.Err),
		})
		done(res)
	})
	a.ops[token] = op
}

// Attempt implements client.Observer.
func (a *appends) Attempt(info client.AttemptInfo) {
	e := history.Event{
		Time: a.site.now(), Func: history.Request, Process: a.process,
		Topic: info.Topic, Partition: info.Partition, Acks: int8(info.Acks), Offset: wire.NoOffset,
	}
	for _, token := range info.Tokens {
		e.Of = append(e.Of, a.ops[token])
	}
	a.requests[requestKey{info.Attempt.ID, info.TopicPartition}] = a.site.Recorder.Invoke(e)
}

// AttemptDone implements client.Observer.
func (a *appends) AttemptDone(info client.AttemptInfo) {
	key := requestKey{info.Attempt.ID, info.TopicPartition}
	op, ok := a.requests[key]
	if !ok {
		panic("workloads: an attempt ended that never began")
	}
	delete(a.requests, key)
	a.site.Recorder.Return(op, history.Event{
		Time: a.site.now(), Outcome: outcomeOf(info.Attempt.Outcome), Code: info.Attempt.Code,
		Offset: info.BaseOffset, Detail: detailOf(info.Attempt.Err),
	})
}

// reads records what one consumer experienced.
type reads struct {
	site    *Site
	process string
	// isolation that it reads with.
	isolation history.Isolation
	// member is who the consumer is in its group, nil outside of groups.
	member func() *history.Member
}

// polled records the records of a poll, as one operation for each partition: which
// ones there are is known only afterwards, so the operations begin late, which does no
// harm because only their ends are judged.
func (r *reads) polled(records []consumer.Record) {
	var member *history.Member
	if r.member != nil {
		member = r.member()
	}
	for len(records) > 0 {
		tp := records[0].TopicPartition
		n := 1
		for n < len(records) && records[n].TopicPartition == tp {
			n++
		}
		op := r.site.Recorder.Invoke(history.Event{
			Time: r.site.now(), Func: history.Poll, Process: r.process, Topic: tp.Topic, Partition: tp.Partition, Offset: wire.NoOffset,
			Member: member, Isolation: r.isolation,
		})
		r.site.Recorder.Return(op, history.Event{
			Time: r.site.now(), Outcome: history.OK, Offset: records[0].Offset, Records: recordsOf(records[:n]),
		})
		records = records[n:]
	}
}

func recordsOf(records []consumer.Record) []history.Record {
	out := make([]history.Record, len(records))
	for i := range records {
		out[i] = history.Record{Offset: records[i].Offset, Value: valueOf(&records[i])}
	}
	return out
}

// valueHeader has the unique value of a tombstone, which has no value to have it in.
const valueHeader = "value"

// valueOf is the unique value of a record.
func valueOf(r *consumer.Record) uint64 {
	if r.Value != nil {
		return readValue(r.Value)
	}
	for _, h := range r.Headers {
		if h.Key == valueHeader {
			return readValue(h.Value)
		}
	}
	return noSuchValue
}

// moved records that the position changed otherwise than by reading; NoOffset if it is
// not known to where.
func (r *reads) moved(tp wire.TopicPartition, to wire.Offset, why string) {
	r.site.Recorder.Invoke(history.Event{
		Time: r.site.now(), Func: history.Seek, Process: r.process, Topic: tp.Topic, Partition: tp.Partition, Offset: to, Detail: why,
	})
}

// listed records an answer about an offset. ask is called in between.
func (r *reads) listed(tp wire.TopicPartition, which string, ask func() (client.ListedOffset, error)) (client.ListedOffset, error) {
	op := r.site.Recorder.Invoke(history.Event{
		Time: r.site.now(), Func: history.ListOffsets, Process: r.process, Topic: tp.Topic, Partition: tp.Partition,
		Which: which, Isolation: r.isolation, Offset: wire.NoOffset,
	})
	got, err := ask()
	e := r.site.answered(err)
	if e.Epoch = got.Epoch; err == nil {
		e.Offset = got.Offset
	}
	r.site.Recorder.Return(op, e)
	return got, err
}
