package storage

import (
	"math/rand/v2"
	"testing"

	"odradek/broker/wire"
)

// TestMemoryCountsWhatTailsHold has tails of many logs append, forget and end at random, and
// compares what is counted with what is there.
func TestMemoryCountsWhatTailsHold(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	m := &memory{limit: 20_000}
	tails := make([]*tail, 7)
	next := make([]wire.Offset, len(tails))
	for i := range tails {
		tails[i] = &tail{budget: 3000, memory: m}
	}
	evicted := 0
	for step := range 20_000 {
		i := r.IntN(len(tails))
		x := tails[i]
		switch r.IntN(100) {
		case 0:
			x.clear()
		case 1:
			x.forget(next[i] - wire.Offset(r.IntN(5)))
		default:
			others := 0
			for _, o := range tails {
				if o != x && o.held > 0 {
					others++
				}
			}
			size := int64(r.IntN(2000) + 1)
			x.push(&chunk{bytes: make([]byte, size), size: size, batches: []batchInfo{{base: next[i], next: next[i] + 1, size: int32(size)}}})
			next[i]++
			if len(x.chunks) == 0 || x.chunks[len(x.chunks)-1].base() != next[i]-1 || m.newest != x {
				t.Fatalf("step %d: the tail has lost what was appended last", step)
			}
			for _, o := range tails {
				if o != x && o.held > 0 {
					others--
				}
			}
			evicted += others
		}
		var held int64
		for _, x := range tails {
			var bytes int64
			for _, c := range x.chunks {
				bytes += int64(len(c.bytes))
			}
			if bytes != x.bytes || x.held != bytes+int64(len(x.chunks))*chunkOverhead {
				t.Fatalf("step %d: %d bytes in memory, the tail counts %d, of %d", step, bytes, x.bytes, x.held)
			}
			held += x.held
		}
		if held != m.held || held > m.limit {
			t.Fatalf("step %d: tails hold %d bytes, counted are %d of %d", step, held, m.held, m.limit)
		}
		var listed int64
		for x := m.oldest; x != nil; x = x.newer {
			listed += x.held
		}
		if listed != held {
			t.Fatalf("step %d: the list holds %d bytes of %d", step, listed, held)
		}
	}
	if evicted < 100 {
		t.Fatalf("only %d tails had to make room", evicted)
	}
}

func TestTheTailAppendedToLeastRecentlyMakesRoom(t *testing.T) {
	m := &memory{limit: 3 * (1000 + chunkOverhead)}
	push := func(x *tail) {
		x.push(&chunk{bytes: make([]byte, 1000), size: 1000, batches: []batchInfo{{next: 1, size: 1000}}})
	}
	a, b, c := &tail{budget: 5000, memory: m}, &tail{budget: 5000, memory: m}, &tail{budget: 5000, memory: m}
	push(a)
	push(b)
	push(a)
	push(c)
	if len(a.chunks) != 2 || len(b.chunks) != 0 || len(c.chunks) != 1 {
		t.Fatalf("left are %d, %d, %d", len(a.chunks), len(b.chunks), len(c.chunks))
	}
}
