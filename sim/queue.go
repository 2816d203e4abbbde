package sim

// queue is a 4-ary min-heap of pending events, ordered by (time, key). It holds
// only what ordering needs and a slot number; the events themselves lie still in
// the kernel's slab.
type queue struct {
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

func (q *queue) push(e entry) {
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
