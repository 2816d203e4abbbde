package sim

// queue is a 4-ary min-heap of pending events, ordered by (time, key). It holds
// only what ordering needs and a slot number; the events themselves lie still in
// the kernel's slab.
//
// What is planned for the next instant, as the wake-ups of processes are, stays out of the
// heap: next is earlier than everything in it.
type queue struct {
	next entry
	held bool // there is a next
	heap []entry
}

type entry struct {
	at   Time
	key  uint64 // tie-break << seqBits | sequence: unique
	slot uint32
}

// seqBits leaves room for 10^12 events in one run.
const seqBits = 40

func (a *entry) before(b *entry) bool {
	return a.at < b.at || a.at == b.at && a.key < b.key
}

func (q *queue) len() int {
	if q.held {
		return len(q.heap) + 1
	}
	return len(q.heap)
}

// first is the earliest entry. The queue must not be empty.
func (q *queue) first() *entry {
	if q.held {
		return &q.next
	}
	return &q.heap[0]
}

func (q *queue) push(e entry) {
	switch {
	case q.held && e.before(&q.next):
		q.next, e = e, q.next
	case !q.held && (len(q.heap) == 0 || e.before(&q.heap[0])):
		q.next, q.held = e, true
		return
	}
	q.heap = append(q.heap, e)
	q.up(len(q.heap)-1, e)
}

func (q *queue) up(i int, e entry) {
	h := q.heap
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
}

// pop removes the first entry. The queue must not be empty.
func (q *queue) pop() entry {
	if q.held {
		q.held = false
		return q.next
	}
	h := q.heap
	first := h[0]
	last := len(h) - 1
	e := h[last]
	q.heap = h[:last]
	if last > 0 {
		q.down(0, e)
	}
	return first
}

func (q *queue) down(i int, e entry) {
	h := q.heap
	n := len(h)
	for {
		child := 4*i + 1
		if child >= n {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, n); c++ {
			if h[c].before(&h[least]) {
				least = c
			}
		}
		if !h[least].before(&e) {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = e
}

// prune drops the entries that keep refuses. The order of the rest is total, so
// rebuilding the heap does not change what comes out of it.
func (q *queue) prune(keep func(slot uint32) bool) {
	q.held = q.held && keep(q.next.slot)
	kept := q.heap[:0]
	for _, e := range q.heap {
		if keep(e.slot) {
			kept = append(kept, e)
		}
	}
	q.heap = kept
	for i := (len(kept) - 2) / 4; i >= 0 && len(kept) > 1; i-- {
		q.down(i, kept[i])
	}
}
