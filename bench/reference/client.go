package reference

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync/atomic"
)

// dial connects and says who it is.
func dial(addr string, who byte) (net.Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte{who}); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// A payload begins with its producer, its number of that producer's frames, and when it
// was due, in ns from the start of the run: what a reader needs to tell that nothing is
// missing, and how long it took.
const payloadHeader = 4 + 8 + 8

type stamp struct {
	producer uint32
	number   int64
	due      int64
}

func (s stamp) put(payload []byte) {
	binary.BigEndian.PutUint32(payload, s.producer)
	binary.BigEndian.PutUint64(payload[4:], uint64(s.number))
	binary.BigEndian.PutUint64(payload[12:], uint64(s.due))
}

func stampOf(payload []byte) stamp {
	return stamp{
		producer: binary.BigEndian.Uint32(payload),
		number:   int64(binary.BigEndian.Uint64(payload[4:])),
		due:      int64(binary.BigEndian.Uint64(payload[12:])),
	}
}

// producer sends frames of one size. One goroutine calls send, another acks.
type producer struct {
	id    uint32
	conn  net.Conn
	frame []byte
	sent  int64
	// due is when the frames in flight were due, in a ring.
	due []int64
	// acked frames. room has a token whenever it may have grown.
	acked atomic.Int64
	room  chan struct{}
}

// newProducer has frames of noise, of which at most window, if that is not 0, are in
// flight.
func newProducer(id uint32, addr string, noise []byte, window int) (*producer, error) {
	conn, err := dial(addr, isProducer)
	if err != nil {
		return nil, err
	}
	p := &producer{id: id, conn: conn, frame: make([]byte, frameHeader+len(noise)), due: make([]int64, window), room: make(chan struct{}, 1)}
	copy(p.frame[frameHeader:], noise)
	return p, nil
}

// waitForRoom blocks while the window is full. It reports false when the acknowledgements
// have ended.
func (p *producer) waitForRoom() bool {
	for p.sent-p.acked.Load() >= int64(len(p.due)) {
		if _, ok := <-p.room; !ok {
			return false
		}
	}
	return true
}

// send sends the next frame. The kernel has copied it when it returns.
func (p *producer) send(due int64) error {
	stamp{p.id, p.sent, due}.put(p.frame[frameHeader:])
	seal(p.frame)
	p.due[p.sent%int64(len(p.due))] = due
	p.sent++
	_, err := p.conn.Write(p.frame)
	return err
}

// acks calls use with when each acknowledged frame was due, in order, until the
// connection ends.
func (p *producer) acks(use func(due int64)) error {
	defer close(p.room)
	buf := make([]byte, 4096)
	for have := 0; ; {
		n, err := p.conn.Read(buf[have:])
		if err != nil {
			return err
		}
		have += n
		whole := have &^ 7
		if whole == 0 {
			continue
		}
		bytes := int64(binary.BigEndian.Uint64(buf[whole-8:])) // it counts the others' too
		have = copy(buf, buf[whole:have])
		if bytes%int64(len(p.frame)) != 0 {
			return fmt.Errorf("an acknowledgement of %d bytes, of frames of %d", bytes, len(p.frame))
		}
		to := bytes / int64(len(p.frame))
		for i := p.acked.Load(); i < to; i++ {
			use(p.due[i%int64(len(p.due))])
		}
		p.acked.Store(to)
		select {
		case p.room <- struct{}{}:
		default:
		}
	}
}

// reader is sent the log from its beginning, and checks it.
type reader struct {
	conn   net.Conn
	next   []int64 // number of each producer's next frame
	frames atomic.Int64
	// lost and duplicated frames, by their numbers.
	lost, duplicated int64
}

func newReader(addr string, producers int) (*reader, error) {
	conn, err := dial(addr, isReader)
	if err != nil {
		return nil, err
	}
	return &reader{conn: conn, next: make([]int64, producers)}, nil
}

// read calls use with when each frame was due, until there were as many frames, or the
// connection ends.
func (r *reader) read(frames int64, use func(due int64)) error {
	in := newReceiver(r.conn)
	for r.frames.Load() < frames {
		got, err := in.next()
		if err != nil {
			return err
		}
		n := int64(0)
		each(got, func(payload []byte) {
			s := stampOf(payload)
			next := &r.next[s.producer]
			if s.number >= *next {
				r.lost += s.number - *next
				*next = s.number + 1
			} else {
				r.duplicated++
			}
			use(s.due)
			n++
		})
		r.frames.Add(n)
	}
	return nil
}
