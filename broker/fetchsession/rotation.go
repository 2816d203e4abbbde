package fetchsession

import (
	"cmp"

	"odradek/broker/wire"
)

// entry is a partition of a session: what was asked, and what the client was told
// last.
type entry struct {
	Partition
	highWatermark wire.Offset
	logStart      wire.Offset
	prev, next    *entry
}

// newEntry is a partition of which the client was told nothing yet.
func newEntry(p Partition) *entry {
	return &entry{Partition: p, highWatermark: wire.NoOffset, logStart: wire.NoOffset}
}

// update takes a result and reports whether the client needs to hear of it.
func (e *entry) update(r Result) bool {
	tell := r.RecordBytes > 0 || r.Special || r.Err != 0 || r.HighWatermark != e.highWatermark || r.LogStart != e.logStart
	e.highWatermark, e.logStart = r.HighWatermark, r.LogStart
	if r.Err != 0 || r.Special {
		// The client acts on that instead of what else the result says, so the next
		// ordinary result is told, whatever it says.
		e.highWatermark = wire.NoOffset
	}
	return tell
}

// rotation is a set of partitions in serving order: a linked list with an index.
type rotation struct {
	byKey       map[Key]*entry
	first, last *entry
}

func (r *rotation) len() int { return len(r.byKey) }

// set adds a partition at the end, or changes what is asked of it in place.
func (r *rotation) set(p Partition) {
	if e := r.byKey[p.Key]; e != nil {
		e.Partition = p
		return
	}
	if r.byKey == nil {
		r.byKey = make(map[Key]*entry)
	}
	e := newEntry(p)
	r.byKey[p.Key] = e
	r.link(e)
}

func (r *rotation) remove(k Key) {
	if e := r.byKey[k]; e != nil {
		r.unlink(e)
		delete(r.byKey, k)
	}
}

// toEnd makes a partition the last to be served. One that was removed meanwhile
// stays so.
func (r *rotation) toEnd(e *entry) {
	if r.byKey[e.Key] == e {
		r.unlink(e)
		r.link(e)
	}
}

// take fills an empty rotation with entries.
func (r *rotation) take(es []*entry) {
	r.byKey = make(map[Key]*entry, len(es))
	for _, e := range es {
		e.prev, e.next = nil, nil
		r.byKey[e.Key] = e
		r.link(e)
	}
}

// list is the partitions in order, in es if that is large enough.
func (r *rotation) list(es []*entry) []*entry {
	if len(r.byKey) > cap(es) {
		es = make([]*entry, 0, len(r.byKey))
	}
	for e := r.first; e != nil; e = e.next {
		es = append(es, e)
	}
	return es
}

func (r *rotation) link(e *entry) {
	e.prev = r.last
	if r.last != nil {
		r.last.next = e
	} else {
		r.first = e
	}
	r.last = e
}

func (r *rotation) unlink(e *entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		r.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		r.last = e.prev
	}
	e.prev, e.next = nil, nil
}

// compare orders by a value, then by session id, which makes it total.
func compare[T cmp.Ordered](a, b T, aID, bID int32) int {
	return cmp.Or(cmp.Compare(a, b), cmp.Compare(aID, bID))
}
