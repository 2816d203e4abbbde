package purgatory

import (
	"container/heap"
	"math"
)

// Never is the deadline of a purgatory in which nothing expires.
const Never int64 = math.MaxInt64

// Purgatory holds waiting operations by keys of type K. All times are nanoseconds of
// one clock.
//
// The functions of operations may call any method, also Watch and Check: operations
// added meanwhile are not tried again by the Check that is under way, and an operation
// is never tried inside its own try.
type Purgatory[K comparable] struct {
	byKey  map[K]*watchers[K]
	expiry expiryHeap[K]
	nextID int64
	free   *watchers[K]    // empty lists to use again
	batch  []*Operation[K] // scratch of the outermost Check
}

// Operation is something that waits. It ends exactly once: complete, expired or
// cancelled.
type Operation[K comparable] struct {
	id       int64
	deadline int64
	try      func(now int64) bool
	expire   func(now int64)
	index    int // in the heap; -1 once it ended
	trying   bool
	watches  []watch[K]
	one      [1]watch[K] // backs watches of a single key
}

// watch is an operation's place in the list of one of its keys.
type watch[K comparable] struct {
	op         *Operation[K]
	key        K
	list       *watchers[K]
	prev, next *watch[K]
}

// watchers are the operations of one key, oldest first.
type watchers[K comparable] struct {
	first, last *watch[K]
	nextFree    *watchers[K]
}

// New returns an empty purgatory.
func New[K comparable]() *Purgatory[K] {
	return &Purgatory[K]{byKey: make(map[K]*watchers[K])}
}

// Watch tries an operation and, if that does not complete it, keeps it until a Check
// of one of the keys does, or until deadline, when expire runs. It returns nil if the
// operation completed at once.
//
// try reports whether the operation is complete, after doing whatever completing it
// means; it is not called again then. A deadline that has passed expires with the next
// Tick. The keys must be different; there may be none.
func (p *Purgatory[K]) Watch(now int64, keys []K, deadline int64, try func(now int64) bool, expire func(now int64)) *Operation[K] {
	if try(now) {
		return nil
	}
	p.nextID++
	op := &Operation[K]{id: p.nextID, deadline: deadline, try: try, expire: expire}
	op.watches = op.one[:0]
	if len(keys) > 1 {
		op.watches = make([]watch[K], 0, len(keys))
	}
	for _, k := range keys {
		// The slice never grows past its capacity, so that the lists can point into it.
		op.watches = append(op.watches, watch[K]{op: op, key: k})
		p.link(&op.watches[len(op.watches)-1])
	}
	heap.Push(&p.expiry, op)
	return op
}

// Check tries the operations of a key, oldest first, and returns how many completed.
// Call it when something that they wait for may have happened.
func (p *Purgatory[K]) Check(now int64, key K) int {
	list := p.byKey[key]
	if list == nil {
		return 0
	}
	// What is tried may change the list: work on a copy.
	batch := p.batch[:0]
	p.batch = nil
	for w := list.first; w != nil; w = w.next {
		batch = append(batch, w.op)
	}
	completed := 0
	for _, op := range batch {
		if op.index < 0 || op.trying {
			continue
		}
		op.trying = true
		done := op.try(now)
		op.trying = false
		if done {
			completed++
			p.end(op)
		}
	}
	clear(batch)
	p.batch = batch
	return completed
}

// Tick expires the operations whose deadline has come and returns how many.
func (p *Purgatory[K]) Tick(now int64) int {
	expired := 0
	last := p.nextID // what expiries add waits for the next Tick
	for len(p.expiry) > 0 && p.expiry[0].deadline <= now && p.expiry[0].id <= last {
		op := p.expiry[0]
		p.end(op)
		expired++
		op.expire(now)
	}
	return expired
}

// Deadline is when Tick has something to do, or Never.
func (p *Purgatory[K]) Deadline() int64 {
	if len(p.expiry) == 0 {
		return Never
	}
	return p.expiry[0].deadline
}

// Cancel ends an operation without calling anything, for instance because its client
// has gone. Operations that ended, and nil, are left alone.
func (p *Purgatory[K]) Cancel(op *Operation[K]) {
	if op != nil {
		p.end(op)
	}
}

// Len is the number of waiting operations.
func (p *Purgatory[K]) Len() int { return len(p.expiry) }

// Watched is the number of operations that wait for a key.
func (p *Purgatory[K]) Watched(key K) int {
	n := 0
	if list := p.byKey[key]; list != nil {
		for w := list.first; w != nil; w = w.next {
			n++
		}
	}
	return n
}

// end takes an operation out of everything.
func (p *Purgatory[K]) end(op *Operation[K]) {
	if op.index < 0 {
		return
	}
	heap.Remove(&p.expiry, op.index)
	for i := range op.watches {
		p.unlink(&op.watches[i])
	}
}

func (p *Purgatory[K]) link(w *watch[K]) {
	list := p.byKey[w.key]
	if list == nil {
		if list = p.free; list != nil {
			p.free, list.nextFree = list.nextFree, nil
		} else {
			list = &watchers[K]{}
		}
		p.byKey[w.key] = list
	}
	w.list, w.prev = list, list.last
	if list.last != nil {
		list.last.next = w
	} else {
		list.first = w
	}
	list.last = w
}

func (p *Purgatory[K]) unlink(w *watch[K]) {
	list := w.list
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		list.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		list.last = w.prev
	}
	w.list, w.prev, w.next = nil, nil, nil
	if list.first == nil {
		delete(p.byKey, w.key)
		list.nextFree, p.free = p.free, list
	}
}

// expiryHeap orders operations by deadline, then registration.
type expiryHeap[K comparable] []*Operation[K]

func (h expiryHeap[K]) Len() int { return len(h) }

func (h expiryHeap[K]) Less(i, j int) bool {
	if h[i].deadline != h[j].deadline {
		return h[i].deadline < h[j].deadline
	}
	return h[i].id < h[j].id
}

func (h expiryHeap[K]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for container/heap.
func (h *expiryHeap[K]) Push(x any) {
	op := x.(*Operation[K])
	op.index = len(*h)
	*h = append(*h, op)
}

// Pop is for container/heap.
func (h *expiryHeap[K]) Pop() any {
	old := *h
	op := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	op.index = -1
	return op
}
