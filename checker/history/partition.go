package history

import (
	"fmt"
	"math"
	"slices"

	"odradek/broker/wire"
)

// appendOp is an append with both its ends.
type appendOp struct {
	tp         wire.TopicPartition
	process    string
	value      uint64
	acks       int8
	idempotent bool
	inFlight   int

	invokeSeq, returnSeq int64 // returnSeq is 0 if it never returned
	invoked, returned    int64 // times; returned is far away if it never did
	outcome              Outcome
	offset               wire.Offset // -1 if not told
}

// seqs are the operation's events.
func (a *appendOp) seqs() []int64 {
	if a.returnSeq == 0 {
		return []int64{a.invokeSeq}
	}
	return []int64{a.invokeSeq, a.returnSeq}
}

// read is one record in one poll.
type read struct {
	Record
	process   string
	returnSeq int64
	time      int64
}

// move is a step of one consumer: a seek, or a poll's records.
type move struct {
	seq     int64
	time    int64
	seek    bool
	offset  wire.Offset // of a seek; -1 is not known
	records []Record
}

// latest is one answer about the latest offset.
type latest struct {
	invokeSeq, returnSeq int64
	invoked, returned    int64
	offset               wire.Offset
	epoch                wire.LeaderEpoch
}

// partition is what a history says about one partition.
type partition struct {
	tp      wire.TopicPartition
	appends []*appendOp // as invoked
	byValue map[uint64]*appendOp
	reads   []read // as returned

	moves     map[string][]move // by consumer
	consumers []string          // its keys, sorted
	latest    map[string][]latest
	askers    []string // its keys, sorted

	log finalLog
}

// finalLog is the log as read after everything healed.
type finalLog struct {
	present    bool
	process    string // that read it
	start, end wire.Offset
	records    []Record               // ascending
	at         map[wire.Offset]uint64 // offset to value
	offsets    map[uint64][]wire.Offset
	seq        int64 // last event of the read
	broken     string
}

func (l *finalLog) covers(o wire.Offset) bool { return l.present && o >= l.start && o < l.end }

// add appends a piece of the final read.
func (l *finalLog) add(e *Event) {
	if !l.present {
		*l = finalLog{present: true, process: e.Process, start: e.Start, end: e.Start, at: make(map[wire.Offset]uint64), offsets: make(map[uint64][]wire.Offset)}
	}
	if l.end != e.Start || e.End < e.Start {
		l.broken = fmt.Sprintf("a piece from %d to %d follows offset %d", e.Start, e.End, l.end)
	}
	last := e.Start - 1
	for _, r := range e.Records {
		if r.Offset <= last || r.Offset >= e.End {
			l.broken = fmt.Sprintf("offset %d after %d in a piece from %d to %d", r.Offset, last, e.Start, e.End)
		}
		last = r.Offset
		l.records = append(l.records, r)
		l.at[r.Offset] = r.Value
		if r.Value != 0 {
			l.offsets[r.Value] = append(l.offsets[r.Value], r.Offset)
		}
	}
	l.end = e.End
	l.seq = e.Seq
}

// collect sorts a history by partition.
func collect(events []Event) []*partition {
	byTP := make(map[wire.TopicPartition]*partition)
	var parts []*partition
	of := func(e *Event) *partition {
		p := byTP[e.TP()]
		if p == nil {
			p = &partition{tp: e.TP(), byValue: make(map[uint64]*appendOp), moves: make(map[string][]move), latest: make(map[string][]latest)}
			byTP[e.TP()] = p
			parts = append(parts, p)
		}
		return p
	}
	invocations := make(map[int64]*Event)
	appends := make(map[int64]*appendOp)
	requests := make(map[int64][]int64) // open requests to the appends they carry
	doubtful := make(map[int64]bool)    // appends of which some request is not known to have failed
	for i := range events {
		e := &events[i]
		if e.Phase == Invoke {
			invocations[e.Op] = e
			switch e.Func {
			case Append:
				a := &appendOp{
					tp: e.TP(), process: e.Process, value: e.Value, acks: e.Acks, idempotent: e.Idempotent, inFlight: e.InFlight,
					invokeSeq: e.Seq, invoked: e.Time, returned: math.MaxInt64, outcome: Unknown, offset: wire.NoOffset,
				}
				appends[e.Op] = a
				p := of(e)
				p.appends = append(p.appends, a)
				p.byValue[a.value] = a
			case Request:
				requests[e.Op] = e.Of
			case Seek:
				p := of(e)
				p.moves[e.Process] = append(p.moves[e.Process], move{seq: e.Seq, time: e.Time, seek: true, offset: e.Offset})
			}
			continue
		}
		begin := invocations[e.Op]
		switch e.Func {
		case Append:
			a := appends[e.Op]
			a.returnSeq, a.returned, a.outcome = e.Seq, e.Time, e.Outcome
			if e.Outcome == OK {
				a.offset = e.Offset
			}
		case Request:
			if e.Outcome == Failed {
				delete(requests, e.Op)
			}
		case Poll:
			of(e).poll(e)
		case Final:
			p := of(e)
			if !p.log.present || p.log.process == e.Process {
				p.log.add(e)
			} else {
				p.poll(e) // a second reader has to agree with the first
			}
		case ListOffsets:
			if e.Outcome == OK && begin.Which != "earliest" {
				p := of(e)
				p.latest[e.Process] = append(p.latest[e.Process], latest{begin.Seq, e.Seq, begin.Time, e.Time, e.Offset, e.Epoch})
			}
		}
	}
	for _, ops := range requests { //odradek:unordered sets members
		for _, op := range ops {
			doubtful[op] = true
		}
	}
	for op, a := range appends { //odradek:unordered each append on its own
		if a.outcome == Failed && doubtful[op] {
			a.outcome = Unknown
		}
	}
	slices.SortFunc(parts, func(a, b *partition) int { return a.tp.Compare(b.tp) })
	for _, p := range parts {
		p.consumers = sortedKeys(p.moves)
		p.askers = sortedKeys(p.latest)
	}
	return parts
}

func (p *partition) poll(e *Event) {
	p.moves[e.Process] = append(p.moves[e.Process], move{seq: e.Seq, time: e.Time, records: e.Records})
	for _, r := range e.Records {
		p.reads = append(p.reads, read{r, e.Process, e.Seq, e.Time})
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m { //odradek:unordered sorted below
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
