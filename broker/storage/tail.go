package storage

import (
	"sort"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// tailPositions is how many appends the tail remembers by position.
const tailPositions = 4096

// tail remembers the latest appends: where they are, and the bytes of the very last
// ones, so that consumers and followers that keep up are served without asking the
// disk or the index. It holds consecutive appends up to the log's end.
//
// Bytes are whole appends as their senders allocated them: they must not be a small part of
// something larger, which the budget does not see.
type tail struct {
	chunks []*chunk
	cold   int   // the first that has its bytes
	bytes  int64 // in memory
	budget int64

	memory       *memory // nil for a tail that counts for itself
	older, newer *tail   // in memory, if held > 0
	held         int64   // what memory counts of it
}

// chunkOverhead is what an append costs besides its bytes.
const chunkOverhead = 256

func (t *tail) push(c *chunk) {
	if t.memory != nil {
		t.memory.reserve(t, c.size+chunkOverhead)
	}
	t.chunks = append(t.chunks, c)
	t.bytes += c.size
	t.trim()
	t.settle()
}

// settle has the memory count what there is.
func (t *tail) settle() {
	if t.memory != nil {
		t.memory.hold(t, t.bytes+int64(len(t.chunks))*chunkOverhead)
	}
}

// trim keeps the tail's own bounds.
func (t *tail) trim() {
	for t.bytes > t.budget {
		old := t.chunks[t.cold]
		old.bytes = nil
		t.bytes -= old.size
		t.cold++
	}
	// Dropping half at a time keeps this cheap and the slice's memory bounded.
	if len(t.chunks) >= 2*tailPositions {
		for _, old := range t.chunks[t.cold:max(t.cold, tailPositions)] {
			t.bytes -= old.size
		}
		n := copy(t.chunks, t.chunks[tailPositions:])
		clear(t.chunks[n:])
		t.chunks = t.chunks[:n]
		t.cold = max(0, t.cold-tailPositions)
	}
}

// forget drops the appends that lie wholly below an offset.
func (t *tail) forget(below wire.Offset) {
	n := sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].next() > below })
	for _, c := range t.chunks[min(t.cold, n):n] {
		t.bytes -= c.size
	}
	t.chunks = append([]*chunk(nil), t.chunks[n:]...)
	t.cold = max(0, t.cold-n)
	t.settle()
}

func (t *tail) clear() {
	t.chunks, t.cold, t.bytes = nil, 0, 0
	t.settle()
}

// find returns the index of the chunk that contains from or is the first after it.
func (t *tail) find(from wire.Offset) (int, bool) {
	if len(t.chunks) == 0 || from < t.chunks[0].base() {
		return 0, false
	}
	i := sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].next() > from })
	return i, i < len(t.chunks)
}

// read collects batches from req.From on. ok is false if the tail does not go back
// that far.
func (t *tail) read(req ReadRequest) (res ReadResult, ok bool) {
	i, ok := t.find(req.From)
	if !ok {
		return ReadResult{}, false
	}
	res = emptyRead(req.From)
	res.Segments = req.Space[:0]
	for ; i < len(t.chunks); i++ {
		c := t.chunks[i]
		first := 0
		if res.Size == 0 {
			first = sort.Search(len(c.batches), func(j int) bool { return c.batches[j].next > req.From })
		}
		last := first // exclusive
		for ; last < len(c.batches); last++ {
			b := &c.batches[last]
			if b.next > req.UpTo || (res.Size+int(b.size) > req.MaxBytes && (res.Size > 0 || !req.MinOneBatch)) {
				break
			}
			if res.Size == 0 {
				res.BaseOffset, res.Epoch = b.base, b.epoch
			}
			res.Size += int(b.size)
			res.NextOffset = b.next
		}
		if first < last {
			res.Segments = c.appendRegion(res.Segments, first, last)
		}
		if last < len(c.batches) {
			break
		}
	}
	return res, true
}

// appendRegion adds batches [first, last) to segs, from memory if they are there.
func (c *chunk) appendRegion(segs []env.Segment, first, last int) []env.Segment {
	from := c.batches[first].pos
	to := c.batches[last-1].pos + int64(c.batches[last-1].size)
	if c.bytes != nil {
		return append(segs, env.Segment{Bytes: c.bytes[from-c.pos : to-c.pos]})
	}
	if n := len(segs); n > 0 && segs[n-1].File == c.seg.file {
		segs[n-1].Len += int(to - from) // the chunks are next to each other in the file
		return segs
	}
	return append(segs, env.Segment{File: c.seg.file, Off: from, Len: int(to - from)})
}
