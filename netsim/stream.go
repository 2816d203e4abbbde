package netsim

import (
	"errors"
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

// stream is one direction of a connection, both ends of it. A byte lives here:
// queued by a Write, taken into data as room in the window allows (and counted in
// a chunk that is on the wire), received when that chunk arrives, and gone when the
// reader has it.
type stream struct {
	link *link
	to   *conn // who reads

	queue  fifo[piece] // written and not taken
	queued int         // bytes in it

	data     fifo[[]byte] // taken and not read: first what was received, then the wire
	chunks   fifo[chunk]  // on the wire
	received int          // bytes of data that have arrived
	taken    int          // bytes of the window in use
	freed    int          // of those, read; the writer does not know yet

	last       sim.Time // latest planned arrival
	apart      bool     // the next chunk must arrive later than that
	planned    bool     // an event for it is pending
	stalled    bool     // the head of the wire was lost; waits for resume
	creditLost bool     // the news of freed was lost
	crediting  bool     // and is on its way
	resuming   bool

	finished bool  // the reader has got the end of the stream
	reset    bool  // a reset is on the wire; nothing after it
	err      error // a file region could not be read
}

// piece is (what is left of) a written segment.
type piece struct {
	seg  env.Segment
	sent sim.Time // when the process wrote it
}

// chunk is what arrives at once.
type chunk struct {
	kind   chunkKind
	size   int
	sent   sim.Time // when the process wrote it
	depart sim.Time // when its last bit is on the wire
	arrive sim.Time
}

type chunkKind uint8

const (
	chunkData chunkKind = iota
	chunkSynAck
	chunkFin
	chunkReset
)

// coalesce is how far apart writes may be that still leave as one chunk.
const coalesce = 50 * time.Microsecond

// fileReader is what a file must be to be sent from: the simulated disk's is.
type fileReader interface {
	ReadNow(buf []byte, off int64) error
}

var errNotSendable = errors.New("netsim: file of another world")

func (s *stream) write(segs []env.Segment, at sim.Time) {
	for _, seg := range segs {
		if n := seg.Size(); n > 0 {
			s.queue.push(piece{seg, at})
			s.queued += n
		}
	}
}

// space is the room in the window.
func (s *stream) space() int { return s.link.n.cfg.Window - s.taken }

// buffered is what the world will not take now.
func (s *stream) buffered() int {
	s.learn()
	return max(s.queued-max(s.space(), 0), 0)
}

// learn credits what was read. A writer that has not filled the window does not
// notice when the news arrive; one that has waits for them.
func (s *stream) learn() {
	if !s.crediting && !s.creditLost {
		s.taken -= s.freed
		s.freed = 0
	}
}

// transmit puts on the wire what fits into the window.
func (s *stream) transmit() {
	s.learn()
	cfg := &s.link.n.cfg
	for s.queued > 0 && s.err == nil {
		space := s.space()
		// Wait for a worthwhile opening, which comes: something taken is unread.
		if s.taken > 0 && space < min(s.queued, max(cfg.Window/4, 1)) {
			return
		}
		size, sent := s.nextChunk(min(space, cfg.MaxChunk))
		draw := s.link.random.Uint64()
		split := size > 1 && int(draw>>40%1000) < cfg.SplitPerMille
		if split {
			size = 1 + s.link.random.IntN(size-1)
		}
		digest := s.take(size)
		if s.err != nil {
			return
		}
		s.queued -= size
		s.taken += size
		s.link.n.k.Digest(digest)
		s.link.n.stats.BytesSent += uint64(size)
		s.put(chunkData, size, sent, draw&(1<<40-1))
		if split {
			s.apart = true
		}
	}
}

// nextChunk is how much to send together, and when the last of it was written.
func (s *stream) nextChunk(limit int) (int, sim.Time) {
	first := s.queue.front().sent
	size, sent := 0, first
	for i := s.queue.head; i < len(s.queue.items); i++ {
		p := &s.queue.items[i]
		if p.sent.Sub(first) > coalesce || size >= limit {
			break
		}
		size += p.seg.Size()
		sent = p.sent
	}
	return min(size, limit), sent
}

// take moves size bytes from the queue to data and digests them.
func (s *stream) take(size int) uint64 {
	digest := uint64(size)
	for size > 0 {
		p := s.queue.front()
		n := min(p.seg.Size(), size)
		b, err := p.cut(n)
		if err != nil {
			s.err = err
			return 0
		}
		if p.seg.Size() == 0 {
			s.queue.pop()
		}
		s.data.push(b)
		digest = sim.Mix(digest, sim.HashBytes(b))
		size -= n
	}
	return digest
}

// cut takes the first n bytes off the piece. A file's are read now.
func (p *piece) cut(n int) ([]byte, error) {
	if p.seg.File == nil {
		b := p.seg.Bytes[:n]
		p.seg.Bytes = p.seg.Bytes[n:]
		return b, nil
	}
	f, ok := p.seg.File.(fileReader)
	if !ok {
		return nil, errNotSendable
	}
	b := make([]byte, n)
	if err := f.ReadNow(b, p.seg.Off); err != nil {
		return nil, err
	}
	p.seg.Off += int64(n)
	p.seg.Len -= n
	return b, nil
}

// put plans the arrival of a chunk.
func (s *stream) put(kind chunkKind, size int, sent sim.Time, draw uint64) {
	if s.reset {
		return
	}
	n := s.link.n
	n.stats.Chunks++
	depart := s.link.serialise(max(sent, n.k.Now()), size)
	arrive := max(depart.Add(s.link.delay(draw)), s.last)
	if s.apart {
		arrive = max(arrive, s.last+1)
		s.apart = false
	}
	s.chunks.push(chunk{kind: kind, size: size, sent: sent, depart: depart, arrive: arrive})
	if s.stalled {
		s.stall(size)
	}
	if arrive > s.last || !s.planned {
		s.plan(arrive)
	}
	s.last = arrive
}

// control sends a chunk without bytes at an instant.
func (s *stream) control(kind chunkKind, at sim.Time) {
	s.put(kind, 0, at, s.link.random.Uint64()&(1<<40-1))
	s.reset = s.reset || kind == chunkReset
}

func (s *stream) plan(at sim.Time) {
	if s.stalled {
		return // resume plans it
	}
	s.planned = true
	s.link.n.k.Schedule(sim.Event{At: at, Node: s.link.to.node, Kind: s.link.n.kinds.deliver, Do: s.to, Arg: phaseArrive})
}

// arrive lets in what is due.
func (s *stream) arrive() {
	now := s.link.n.k.Now()
	s.planned = s.last > now
	if s.stalled || s.chunks.len() == 0 || s.chunks.front().arrive > now {
		return
	}
	if s.link.blocked() {
		s.stalled = true
		for i := s.chunks.head; i < len(s.chunks.items); i++ {
			s.stall(s.chunks.items[i].size)
		}
		return
	}
	for s.chunks.len() > 0 && s.chunks.front().arrive <= now {
		c := s.chunks.pop()
		s.received += c.size
		s.link.n.stats.BytesDelivered += uint64(c.size)
		s.to.arrived(c)
	}
}

func (s *stream) stall(size int) {
	if size > 0 {
		s.link.n.stats.BytesStalled += uint64(size)
		s.link.n.k.Reach(s.link.n.kinds.stalled, size)
	}
}

// planResume plans the retransmission that follows the end of a cut.
func (s *stream) planResume() {
	if s.resuming {
		return
	}
	s.resuming = true
	n := s.link.n
	wait := s.link.delay(0)
	if r := n.cfg.Retransmit; r > 0 {
		wait += time.Duration(s.link.random.Uint64N(uint64(r)))
	}
	n.k.Schedule(sim.Event{At: n.k.Now().Add(wait), Node: s.link.to.node, Kind: n.kinds.resume, Do: s.to, Arg: phaseResume})
}

func (s *stream) resume() {
	s.resuming = false
	if s.stalled && !s.link.blocked() {
		s.stalled = false
		s.arrive()
		// What was put on the wire meanwhile has no event yet.
		for i := s.chunks.head; i < len(s.chunks.items); i++ {
			s.plan(s.chunks.items[i].arrive)
		}
	}
	if s.creditLost && !s.link.back.blocked() {
		s.creditLost = false
		s.credit()
	}
}

// read moves received bytes to buf.
func (s *stream) read(buf []byte) int {
	total := 0
	for len(buf) > 0 && s.received > 0 {
		b := s.data.front()
		n := copy(buf, (*b)[:min(len(*b), s.received)])
		buf = buf[n:]
		total += n
		s.received -= n
		if *b = (*b)[n:]; len(*b) == 0 {
			s.data.pop()
		}
	}
	s.freed += total
	return total
}

// consumed tells the writer that there is room again, if it waits for that.
func (s *stream) consumed(at sim.Time) {
	if s.freed == 0 || s.queued == 0 || s.crediting || s.creditLost {
		return
	}
	s.crediting = true
	n := s.link.n
	at = max(at, n.k.Now()).Add(s.link.back.delay(s.link.back.random.Uint64() & (1<<40 - 1)))
	n.k.Schedule(sim.Event{At: at, Node: s.link.from.node, Kind: n.kinds.credit, Do: s.to, Arg: phaseCredit})
}

func (s *stream) credit() {
	s.crediting = false
	if s.link.back.blocked() {
		s.creditLost = true
		return
	}
	s.to.peer.flush()
	s.consumed(s.link.n.k.Now()) // still waiting, and more was read meanwhile
}

// trim takes back what did not happen: chunks for which gone holds, newest first.
func (s *stream) trim(gone func(c *chunk) bool) {
	back := 0
	for s.chunks.len() > 0 && gone(s.chunks.back()) {
		back += s.chunks.back().size
		s.chunks.dropBack()
	}
	s.taken -= back
	for back > 0 {
		b := s.data.back()
		n := min(len(*b), back)
		back -= n
		if *b = (*b)[:len(*b)-n]; len(*b) == 0 {
			s.data.dropBack()
		}
	}
	s.last = s.link.n.k.Now()
	if s.chunks.len() > 0 {
		s.last = max(s.last, s.chunks.back().arrive)
	}
}

// abandon drops what has not arrived.
func (s *stream) abandon() {
	s.queue.reset()
	s.queued = 0
}
