package history

import (
	"fmt"

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
	key        string
	tombstone  bool
	input      uint64
	txn        *transaction // nil if it is in none

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

// aborted reports whether the append certainly has no effect on who reads committed
// records only.
func (a *appendOp) aborted() bool { return a.txn != nil && a.txn.fate == aborted }

// read is one record in one poll.
type read struct {
	Record
	process   string
	returnSeq int64
	time      int64
	isolation Isolation
}

// move is a step of one consumer: a seek, or a poll's records.
type move struct {
	seq       int64
	time      int64
	seek      bool
	offset    wire.Offset // of a seek; -1 is not known
	isolation Isolation
	records   []Record
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
	// committed is what a read_committed reader of the final log sees.
	committed finalLog
	lastOfKey map[string]wire.Offset // in the final log
	compacts  bool
	// Of a compacted log: its appends by key, as invoked, and how long it keeps tombstones.
	byKey      map[string][]*appendOp
	tombstones int64
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
	time       int64 // when it ended
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
	l.seq, l.time = e.Seq, e.Time
}

// poll takes down what a consumer got, and that it moved on.
func (p *partition) poll(e *Event) {
	p.moves[e.Process] = append(p.moves[e.Process], move{seq: e.Seq, time: e.Time, isolation: e.Isolation, records: e.Records})
	p.saw(e)
}

// saw takes down what a reader got.
func (p *partition) saw(e *Event) {
	for _, r := range e.Records {
		p.reads = append(p.reads, read{r, e.Process, e.Seq, e.Time, e.Isolation})
	}
}

// index prepares what is asked about the whole log.
func (p *partition) index() {
	p.lastOfKey = make(map[string]wire.Offset)
	for _, r := range p.log.records {
		a := p.byValue[r.Value]
		if a == nil || a.key == "" || a.txn != nil && p.committed.present && len(p.committed.offsets[r.Value]) == 0 {
			continue // what is aborted replaces nothing
		}
		p.lastOfKey[a.key] = r.Offset
	}
}

// keyed sorts the appends of a compacted log by their keys.
func (p *partition) keyed() {
	p.byKey = make(map[string][]*appendOp)
	for _, a := range p.appends {
		if a.key != "" {
			p.byKey[a.key] = append(p.byKey[a.key], a)
		}
	}
}

// superseded reports whether a compacted log may do without the append at offset o.
func (p *partition) superseded(a *appendOp, o wire.Offset) bool {
	last, ok := p.lastOfKey[a.key]
	return a.key == "" || a.tombstone || ok && last > o
}

// sight is what a read_committed reader of the final log sees of an append.
type sight uint8

const (
	// unclear: nobody read the final log so, or the record may have been removed.
	unclear sight = iota
	visible
	// hidden: the log has it, and skips it.
	hidden
	// beyond: the log has it, at or past the last stable offset.
	beyond
	// gone: the log does not have it.
	gone
)

func (p *partition) sightOf(a *appendOp, g *Guarantees) sight {
	if !p.committed.present || !p.log.present {
		return unclear
	}
	if len(p.committed.offsets[a.value]) > 0 {
		return visible
	}
	at := a.offset
	if offsets := p.log.offsets[a.value]; len(offsets) > 0 {
		at = offsets[0]
		switch {
		case at >= p.committed.end:
			return beyond
		case at >= p.committed.start && !(p.compacts && p.superseded(a, at)):
			return hidden
		}
		return unclear // removed between the two reads
	}
	if g.Retention && at < p.log.start || p.compacts && p.superseded(a, at) {
		return unclear
	}
	return gone
}
