//go:build !linux || goroutines

package realenv

import (
	"errors"
	"net"
	"sync"

	"odradek/broker/env"
)

const (
	// vecBuffers and vecBytes bound what one system call gets: an iovec's limit,
	// and how long nobody hears of progress.
	vecBuffers = 1024
	vecBytes   = 1 << 20
)

// writer is the sending half of a conn.
//
// States: writing -> failed, by an error; any -> ended, by the node's Close, after
// which it closes the socket and is gone.
type writer struct {
	c    *conn
	kick chan struct{} // one token, for an idle writer

	mu       sync.Mutex
	queue    []env.Segment
	buffered int // bytes of queue and of what is being sent
	mark     int // post drained when buffered falls to this; noMark is never
	idle     bool
	ended    bool
	failed   error

	// The writer's goroutine.
	batch []env.Segment
	vec   [][]byte    // gathered
	left  net.Buffers // of vec, while it is sent
	size  int         // bytes in vec
	part  []byte      // through which a file goes
}

const noMark = -1

func (o *writer) init(c *conn) {
	o.c, o.mark = c, noMark
	o.kick = make(chan struct{}, 1)
}

// put queues segments. Loop.
func (o *writer) put(segs []env.Segment) {
	o.mu.Lock()
	if o.failed != nil {
		o.mu.Unlock()
		return
	}
	for _, s := range segs {
		n := s.Size()
		if n == 0 {
			continue
		}
		retain(s)
		o.buffered += n
		o.queue = append(o.queue, s)
	}
	wake := o.idle && len(o.queue) > 0
	if wake {
		o.idle = false
	}
	o.mu.Unlock()
	if wake {
		o.kick <- struct{}{}
	}
}

func (o *writer) unsent() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffered
}

func (o *writer) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

// watch posts drained when at most low bytes are unsent. Loop.
func (o *writer) watch(low int) {
	o.mu.Lock()
	now := o.buffered <= low
	o.mark = low
	if now {
		o.mark = noMark
	}
	o.mu.Unlock()
	if now {
		o.c.w.loop.post((*drained)(o.c))
	}
}

// end makes the writer close the socket and stop. Loop.
func (o *writer) end() {
	o.mu.Lock()
	o.ended = true
	wake := o.idle
	o.idle = false
	o.mu.Unlock()
	if wake {
		o.kick <- struct{}{}
	}
}

// work is the writer's goroutine.
func (o *writer) work() {
	for o.next() {
		if err := o.sendAll(); err != nil {
			o.fail(err)
		}
	}
	_ = o.c.tcp.Close()
}

// next waits for segments and takes them; false is the end.
func (o *writer) next() bool {
	o.mu.Lock()
	for len(o.queue) == 0 && !o.ended {
		o.idle = true
		o.mu.Unlock()
		<-o.kick
		o.mu.Lock()
	}
	if o.ended {
		release(o.queue)
		o.queue = nil
		o.mu.Unlock()
		return false
	}
	o.batch, o.queue = o.queue, o.batch[:0]
	o.mu.Unlock()
	return true
}

// sendAll sends the batch: runs of bytes gathered, regions by themselves.
func (o *writer) sendAll() error {
	for i, s := range o.batch {
		err := o.add(s)
		if err == nil && i == len(o.batch)-1 {
			err = o.flush()
		}
		if s.File != nil {
			s.File.(*file).release()
		}
		if err != nil {
			release(o.batch[i+1:])
			clear(o.batch)
			return err
		}
	}
	clear(o.batch)
	return nil
}

// add gathers a segment, or sends a file's region after what is gathered.
func (o *writer) add(s env.Segment) error {
	if s.File != nil {
		if err := o.flush(); err != nil {
			return err
		}
		return o.sendFile(s.File.(*file), s.Off, s.Len)
	}
	for b := s.Bytes; len(b) > 0; {
		if len(o.vec) == vecBuffers || o.size == vecBytes {
			if err := o.flush(); err != nil {
				return err
			}
		}
		n := min(len(b), vecBytes-o.size)
		o.vec = append(o.vec, b[:n])
		o.size += n
		b = b[n:]
	}
	return nil
}

// flush sends what is gathered.
func (o *writer) flush() error {
	if len(o.vec) == 0 {
		return nil
	}
	var err error
	if len(o.vec) == 1 {
		_, err = o.c.tcp.Write(o.vec[0])
	} else {
		o.left = o.vec
		_, err = o.left.WriteTo(o.c.tcp)
		o.left = nil
	}
	size := o.size
	clear(o.vec)
	o.vec, o.size = o.vec[:0], 0
	if err == nil {
		o.took(size)
	}
	return err
}

// took notes that the kernel has n bytes more.
func (o *writer) took(n int) {
	o.mu.Lock()
	o.buffered -= n
	reached := o.mark != noMark && o.buffered <= o.mark
	if reached {
		o.mark = noMark
	}
	o.mu.Unlock()
	if reached {
		o.c.w.loop.post((*drained)(o.c))
	}
}

// fail drops what is queued, and what will be.
func (o *writer) fail(err error) {
	clear(o.vec)
	o.vec, o.size = o.vec[:0], 0
	o.mu.Lock()
	if o.failed == nil {
		o.failed = netError(err)
	}
	release(o.queue)
	clear(o.queue)
	o.queue = o.queue[:0]
	o.mu.Unlock()
	var bad *regionError
	if errors.As(err, &bad) {
		// The peer must not take a message cut short for a clean end: reset. The
		// reader wakes up too. (When it was the peer that failed us, what it had
		// sent before stays readable.)
		_ = o.c.tcp.SetLinger(0)
		_ = o.c.tcp.Close()
	}
}
