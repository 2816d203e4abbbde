package history

import (
	"math"
	"slices"

	"odradek/broker/wire"
)

// never is the end of what has not ended: later than every event and every time.
const never int64 = math.MaxInt64

// chronicle is a history, sorted by what it is about.
type chronicle struct {
	g        *Guarantees
	parts    []*partition // sorted
	byTP     map[wire.TopicPartition]*partition
	byValue  map[uint64]*appendOp
	txns     []*transaction // as begun
	byTxn    map[int64]*transaction
	groups   []*group // sorted
	byGroup  map[string]*group
	inits    []*initOp            // as returned
	isolated map[string]Isolation // by process: the weakest isolation of its polls
}

// collector reads a history from front to back.
type collector struct {
	*chronicle
	appends  map[int64]*appendOp
	requests map[int64][]int64 // open requests to the appends they carry
	doubtful map[int64]bool    // appends of which some request is not known to have failed
	writes   map[int64]*offsetWrite
	ends     map[int64]*endOp
	commits  map[int64]*commitAttempt
}

// collect sorts a history by partition, transaction and group.
func collect(events []Event, g *Guarantees) *chronicle {
	c := collector{
		chronicle: &chronicle{
			g: g, byTP: make(map[wire.TopicPartition]*partition), byValue: make(map[uint64]*appendOp),
			byTxn: make(map[int64]*transaction), byGroup: make(map[string]*group), isolated: make(map[string]Isolation),
		},
		appends: make(map[int64]*appendOp), requests: make(map[int64][]int64),
		doubtful: make(map[int64]bool), writes: make(map[int64]*offsetWrite), ends: make(map[int64]*endOp),
		commits: make(map[int64]*commitAttempt),
	}
	for i := range events {
		if e := &events[i]; e.Phase == Invoke {
			c.invoked(e)
		} else {
			c.returned(&events[place(events, e.Op)], e)
		}
	}
	for _, ops := range c.requests { //odradek:unordered sets members
		for _, op := range ops {
			c.doubtful[op] = true
		}
	}
	for op, a := range c.appends { //odradek:unordered each append on its own
		if a.outcome == Failed && c.doubtful[op] {
			a.outcome = Unknown
		}
	}
	slices.SortFunc(c.parts, func(a, b *partition) int { return a.tp.Compare(b.tp) })
	for _, p := range c.parts {
		p.consumers = sortedKeys(p.moves)
		p.askers = sortedKeys(p.latest)
		if p.compacts = g.Compacts(p.tp.Topic); p.compacts {
			p.tombstones = g.DeleteRetention
			p.keyed()
		}
		p.index()
	}
	for _, name := range sortedKeys(c.byGroup) {
		c.groups = append(c.groups, c.byGroup[name])
	}
	for _, t := range c.txns {
		t.resolve(c.chronicle)
	}
	return c.chronicle
}

// of is the partition that the event is about.
func (c *collector) of(e *Event) *partition {
	p := c.byTP[e.TP()]
	if p == nil {
		p = &partition{tp: e.TP(), byValue: make(map[uint64]*appendOp), moves: make(map[string][]move), latest: make(map[string][]latest)}
		c.byTP[e.TP()] = p
		c.parts = append(c.parts, p)
	}
	return p
}

func (c *collector) group(m *Member) *group {
	g := c.byGroup[m.Group]
	if g == nil {
		g = newGroup(m.Group)
		c.byGroup[m.Group] = g
	}
	return g
}

func (c *collector) invoked(e *Event) {
	switch e.Func {
	case Append:
		a := &appendOp{
			tp: e.TP(), process: e.Process, value: e.Value, acks: e.Acks, idempotent: e.Idempotent, inFlight: e.InFlight,
			key: e.Key, tombstone: e.Tombstone, input: e.Input, txn: c.byTxn[e.Txn],
			invokeSeq: e.Seq, invoked: e.Time, returned: never, outcome: Unknown, offset: wire.NoOffset,
		}
		c.appends[e.Op] = a
		c.byValue[a.value] = a
		p := c.of(e)
		p.appends = append(p.appends, a)
		p.byValue[a.value] = a
		if a.txn != nil {
			a.txn.appends = append(a.txn.appends, a)
		}
	case Request:
		c.requests[e.Op] = e.Of
	case Seek:
		p := c.of(e)
		p.moves[e.Process] = append(p.moves[e.Process], move{seq: e.Seq, time: e.Time, seek: true, offset: e.Offset})
	case Assigned, Revoked, Lost:
		c.group(e.Member).membershipChanged(e)
	case Heartbeat:
		c.commits[e.Op] = c.group(e.Member).attempted(e)
	case Commit:
		g := c.group(e.Member)
		c.commits[e.Op] = g.attempted(e)
		c.writes[e.Op] = g.offsets(e.TP()).write(e)
	case SendOffsets:
		w := c.group(e.Member).offsets(e.TP()).write(e)
		w.txn = c.byTxn[e.Txn]
		c.writes[e.Op] = w
		if w.txn != nil {
			w.txn.offsets = append(w.txn.offsets, w)
		}
	case Begin:
		t := &transaction{op: e.Op, process: e.Process, producer: e.Producer}
		c.byTxn[e.Op] = t
		c.txns = append(c.txns, t)
	case End:
		if t := c.byTxn[e.Txn]; t != nil {
			end := &endOp{invokeSeq: e.Seq, returnSeq: never, commit: e.Commit, outcome: Unknown}
			t.ends = append(t.ends, end)
			c.ends[e.Op] = end
		}
	}
}

func (c *collector) returned(begin, e *Event) {
	switch e.Func {
	case Append:
		a := c.appends[e.Op]
		a.returnSeq, a.returned, a.outcome = e.Seq, e.Time, e.Outcome
		if e.Outcome == OK {
			a.offset = e.Offset
		}
	case Request:
		if e.Outcome == Failed {
			delete(c.requests, e.Op)
		}
	case Poll:
		c.polled(begin, e)
	case Final:
		p := c.of(e)
		log := &p.log
		if e.Isolation == ReadCommitted {
			log = &p.committed
		}
		if !log.present || log.process == e.Process {
			log.add(e)
		} else {
			p.poll(e) // a second reader has to agree with the first
			return
		}
		if e.Isolation == ReadCommitted {
			p.saw(e)
		}
	case ListOffsets:
		// The last stable offset has its own order: a transaction that begins does not
		// move it back, but nothing says that the answers of both kinds are comparable.
		if e.Outcome == OK && begin.Which != "earliest" {
			p := c.of(e)
			asker := e.Process
			if e.Isolation == ReadCommitted {
				asker += " (" + string(ReadCommitted) + ")"
			}
			p.latest[asker] = append(p.latest[asker], latest{begin.Seq, e.Seq, begin.Time, e.Time, e.Offset, e.Epoch})
		}
	case Heartbeat:
		// A coordinator that has been replaced answers heartbeats until it hears of it: what
		// it decides is never written, and worth nothing.
		if !c.g.StaleAt(begin.Time) {
			c.group(e.Member).answered(c.commits[e.Op], e)
		}
	case Commit:
		c.group(e.Member).answered(c.commits[e.Op], e)
		c.writes[e.Op].returned(e)
	case SendOffsets:
		c.writes[e.Op].returned(e)
	case FetchCommitted:
		if e.Outcome == OK {
			o := c.group(e.Member).offsets(e.TP())
			o.reads = append(o.reads, offsetRead{invokeSeq: begin.Seq, returnSeq: e.Seq, time: begin.Time, offset: e.Offset, stable: begin.Stable, exact: begin.Exact, process: e.Process})
		}
	case FinalCommitted:
		if e.Outcome == OK {
			o := c.group(e.Member).offsets(e.TP())
			o.final = &finalOffset{offsetRead{invokeSeq: begin.Seq, returnSeq: e.Seq, time: begin.Time, offset: e.Offset, stable: true, exact: true, process: e.Process}, e.Start, e.Which == Live, e.Isolation}
		}
	case InitProducer:
		if e.Outcome == OK && e.Producer != nil {
			c.inits = append(c.inits, &initOp{process: e.Process, invokeSeq: begin.Seq, returnSeq: e.Seq, Producer: *e.Producer})
		}
	case End:
		if end := c.ends[e.Op]; end != nil {
			end.returnSeq, end.outcome = e.Seq, e.Outcome
		}
	}
}

// polled takes down what a consumer got.
func (c *collector) polled(begin, e *Event) {
	c.of(e).poll(e)
	if t := c.byTxn[begin.Txn]; t != nil {
		for _, r := range e.Records {
			t.read = append(t.read, r.Value)
		}
	}
	if before, known := c.isolated[e.Process]; !known || before == ReadCommitted {
		c.isolated[e.Process] = e.Isolation
	}
	if e.Member != nil {
		o := c.group(e.Member).offsets(e.TP())
		for _, r := range e.Records {
			o.given = append(o.given, r.Offset)
		}
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
