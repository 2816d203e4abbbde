package history

import "odradek/broker/wire"

// Groups, transactions and tables of a script. Members and producers are named by their
// process.

// What sets more fields of an event.
func inPartition(tp int32) func(*Event) { return func(e *Event) { e.Partition = tp } }
func inTopic(topic string) func(*Event) { return func(e *Event) { e.Topic = topic } }
func keyed(key string) func(*Event)     { return func(e *Event) { e.Key = key } }
func tombstone(key string) func(*Event) { return func(e *Event) { e.Key, e.Tombstone = key, true } }
func inTxn(t int64) func(*Event)        { return func(e *Event) { e.Txn = t } }
func from(input uint64) func(*Event)    { return func(e *Event) { e.Input = input } }
func member(m *Member) func(*Event)     { return func(e *Event) { e.Member = m } }
func doubtful(e *Event)                 { e.Doubtful = true }
func stable(e *Event)                   { e.Stable = true }
func readCommitted(e *Event)            { e.Isolation = ReadCommitted }

func (s *script) with(e Event, fs ...func(*Event)) Event {
	e = s.event(e)
	for _, f := range fs {
		f(&e)
	}
	return e
}

func (s *script) read(proc string, records []Record, change ...func(*Event)) {
	op := s.Invoke(s.with(Event{Func: Poll, Process: proc}, change...))
	s.Return(op, s.event(Event{Outcome: OK, Records: records}))
}

// finals are the two final reads of a topic with transactions: all values, 0 being
// records of the broker, and of them those that are committed; the last stable offset is
// lso, or the end if it is negative.
func (s *script) finals(lso wire.Offset, committed []uint64, values ...uint64) {
	s.finalsOf("t", lso, committed, values...)
}

func (s *script) finalsOf(topic string, lso wire.Offset, committed []uint64, values ...uint64) {
	var all, some []Record
	for i, v := range values {
		all = append(all, Record{wire.Offset(i), v})
		for _, c := range committed {
			if c == v {
				some = append(some, Record{wire.Offset(i), v})
			}
		}
	}
	end := wire.Offset(len(values))
	if lso < 0 {
		lso = end
	}
	for _, f := range []struct {
		proc string
		iso  Isolation
		end  wire.Offset
		got  []Record
	}{{"final", ReadUncommitted, end, all}, {"final-committed", ReadCommitted, lso, some}} {
		op := s.Invoke(s.with(Event{Func: Final, Process: f.proc, Isolation: f.iso}, inTopic(topic)))
		s.Return(op, s.event(Event{Outcome: OK, End: f.end, Records: f.got}))
	}
}

func (s *script) begin(proc string, epoch int16) int64 {
	return s.Invoke(s.with(Event{Func: Begin, Process: proc, Producer: &Producer{"x", 1, epoch}}))
}

// ends a transaction; outcome "" leaves it open.
func (s *script) ends(proc string, txn int64, commit bool, outcome Outcome) {
	op := s.Invoke(s.with(Event{Func: End, Process: proc, Txn: txn, Commit: commit}))
	if outcome != "" {
		s.Return(op, s.event(Event{Outcome: outcome}))
	}
}

func (s *script) initialised(proc string, id int64, epoch int16) {
	s.initialisedAs(proc, "x", id, epoch)
}

func (s *script) initialisedAs(proc, txnID string, id int64, epoch int16) {
	op := s.Invoke(s.with(Event{Func: InitProducer, Process: proc, Producer: &Producer{txnID, -1, -1}}))
	s.Return(op, s.event(Event{Outcome: OK, Producer: &Producer{txnID, id, epoch}}))
}

// of is a classic member of group g, named as its process.
func of(id string, generation int32) *Member {
	return &Member{Group: "g", ID: id, Generation: generation}
}

func (s *script) member(f Func, proc string, m *Member, partitions ...int32) {
	var tps []wire.TopicPartition
	for _, p := range partitions {
		tps = append(tps, wire.TopicPartition{Topic: "t", Partition: p})
	}
	s.Invoke(Event{Time: s.now(), Func: f, Process: proc, Member: m, Partitions: tps})
}

func (s *script) beats(proc string, m *Member, outcome Outcome) {
	op := s.Invoke(Event{Time: s.now(), Func: Heartbeat, Process: proc, Member: m})
	s.Return(op, Event{Time: s.now(), Outcome: outcome})
}

// commits an offset; outcome "" leaves it open. The changes are of the return.
func (s *script) commits(proc string, m *Member, offset wire.Offset, outcome Outcome, change ...func(*Event)) int64 {
	op := s.Invoke(s.with(Event{Func: Commit, Process: proc, Member: m, Offset: offset}))
	if outcome != "" {
		s.Return(op, s.with(Event{Outcome: outcome}, change...))
	}
	return op
}

func (s *script) sendsOffset(proc string, txn int64, m *Member, offset wire.Offset, outcome Outcome) {
	op := s.Invoke(s.with(Event{Func: SendOffsets, Process: proc, Txn: txn, Member: m, Offset: offset}))
	if outcome != "" {
		s.Return(op, s.event(Event{Outcome: outcome}))
	}
}

func (s *script) fetches(proc string, offset wire.Offset, change ...func(*Event)) {
	op := s.Invoke(s.with(Event{Func: FetchCommitted, Process: proc, Member: &Member{Group: "g", Generation: -1}}, change...))
	s.Return(op, s.event(Event{Outcome: OK, Offset: offset}))
}

// settled is the final committed offset of a group that could read everything.
func (s *script) settled(offset wire.Offset, change ...func(*Event)) {
	op := s.Invoke(s.with(Event{Func: FinalCommitted, Process: "final", Member: &Member{Group: "g", Generation: -1}}))
	s.Return(op, s.with(Event{Outcome: OK, Offset: offset, Which: Live}, change...))
}

func offset(i int) wire.Offset { return wire.Offset(i) }
