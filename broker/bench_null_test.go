package broker_test

import (
	"cmp"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker"
	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// nullWorld is a world that costs next to nothing: one queue, a clock that stands still
// while there is work, a disk in memory that forgets the records and a network of one
// connection, whose client lives inside the benchmark. What is measured in it is the node.
type nullWorld struct {
	events []nullEvent
	spare  []nullEvent
	timers []*nullTimer
	now    env.Time
	seq    int
	files  map[string]*nullFile
	accept func(env.Conn)
}

// nullEvent is a callback that is due, of any of the kinds that the seam has.
type nullEvent struct {
	fn     func()
	onErr  func(error)
	onRead func(int, error)
	n      int
	err    error
}

func newNullNode(b testing.TB) (*nullWorld, *nullConn) {
	w := &nullWorld{files: map[string]*nullFile{}}
	e := &env.Env{Clock: w, Net: w, Disk: w, CPU: w, Rand: nullRand{}, Trace: nullTrace{}, Fail: &failpoint.Registry{}, Tasks: env.NewTasks()}
	cfg, static := benchConfig(b, map[string]string{"controller.quorum.voters": "1@null:1", "listeners": "PLAINTEXT://null:1"})
	ready := false
	broker.Start(e, broker.Options{
		Config: cfg, Static: static, Failed: func(err error) { b.Error(err) }, Ready: func(string) { ready = true },
	})
	for !ready {
		w.advance()
	}
	c := &nullConn{w: w}
	w.accept(c)
	return w, c
}

// drain runs what is due at this instant.
func (w *nullWorld) drain() {
	for len(w.events) > 0 {
		batch := w.events
		w.events = w.spare[:0]
		for i := range batch {
			e := batch[i]
			batch[i] = nullEvent{}
			switch {
			case e.fn != nil:
				e.fn()
			case e.onErr != nil:
				e.onErr(e.err)
			case e.onRead != nil:
				e.onRead(e.n, e.err)
			}
		}
		w.spare = batch
	}
}

// advance goes to the next timer.
func (w *nullWorld) advance() {
	w.drain()
	if len(w.timers) == 0 {
		return
	}
	t := slices.MinFunc(w.timers, func(a, b *nullTimer) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) })
	w.now = t.at
	if t.Stop() {
		t.fn()
	}
	w.drain()
}

func (w *nullWorld) Now() env.Time { return w.now }
func (w *nullWorld) Wall() int64   { return int64(w.now) + 1_700_000_000_000_000_000 }

func (w *nullWorld) After(d time.Duration, fn func()) env.Timer {
	if d <= 0 {
		w.events = append(w.events, nullEvent{fn: fn})
		return nullSoon{}
	}
	w.seq++
	t := &nullTimer{w: w, at: w.now.Add(d), seq: w.seq, fn: fn}
	w.timers = append(w.timers, t)
	return t
}

type nullTimer struct {
	w   *nullWorld
	at  env.Time
	seq int
	fn  func()
}

func (t *nullTimer) Stop() bool {
	i := slices.Index(t.w.timers, t)
	if i < 0 {
		return false
	}
	last := len(t.w.timers) - 1
	t.w.timers[i], t.w.timers[last] = t.w.timers[last], nil
	t.w.timers = t.w.timers[:last]
	return true
}

// nullSoon is what no code of the node stops.
type nullSoon struct{}

func (nullSoon) Stop() bool { panic("a timer of no time is stopped") }

func (w *nullWorld) Charge(env.Op, int) {}
func (w *nullWorld) Work(_ env.Op, _ int, fn, done func()) {
	fn()
	w.events = append(w.events, nullEvent{fn: done})
}

type nullRand struct{}

func (nullRand) Stream(name string) *rand.Rand { return rand.New(rand.NewPCG(1, uint64(len(name)))) }

type nullTrace struct{}

func (nullTrace) Event(env.Level, string, ...env.Attr) {}

func (w *nullWorld) Listen(addr string, accept func(env.Conn)) (env.Listener, error) {
	w.accept = accept
	return nullListener{}, nil
}
func (w *nullWorld) Dial(_ string, _ time.Duration, done func(env.Conn, error)) {
	w.After(0, func() { done(nil, env.ErrRefused) })
}

type nullListener struct{}

func (nullListener) Addr() string { return "null:1" }
func (nullListener) Close()       {}

// nullConn is the benchmark's connection, from the node's side.
type nullConn struct {
	w      *nullWorld
	inbox  []byte // sent by the benchmark, not read by the node
	buf    []byte
	min    int
	onRead func(int, error)
	got    int    // bytes answered
	keep   bool   // gather what is answered
	outbox []byte // what is answered, without what is in files
}

// send has the node find bytes in its connection.
func (c *nullConn) send(b []byte) {
	c.inbox = append(c.inbox, b...)
	c.deliver()
}

func (c *nullConn) deliver() {
	if c.onRead == nil || len(c.inbox) < c.min {
		return
	}
	n := copy(c.buf, c.inbox)
	c.inbox = c.inbox[:copy(c.inbox, c.inbox[n:])]
	c.w.events = append(c.w.events, nullEvent{onRead: c.onRead, n: n})
	c.onRead = nil
}

func (c *nullConn) Read(buf []byte, min int, done func(int, error)) {
	c.buf, c.min, c.onRead = buf, min, done
	c.deliver()
}

func (c *nullConn) Write(segs []env.Segment) {
	for _, s := range segs {
		c.got += s.Size()
		if c.keep {
			c.outbox = append(c.outbox, s.Bytes...)
		}
	}
}
func (c *nullConn) Buffered() int       { return 0 }
func (c *nullConn) OnDrain(int, func()) {}
func (c *nullConn) Close()              {}
func (c *nullConn) LocalAddr() string   { return "null:1" }
func (c *nullConn) RemoteAddr() string  { return "null:2" }

// nullFile keeps what is written, except records of the topic that is measured.
type nullFile struct {
	w       *nullWorld
	content []byte
	size    int64
	forgets bool
}

func (w *nullWorld) Open(name string, mode env.OpenMode, done func(env.File, error)) {
	f := w.files[name]
	w.After(0, func() {
		if f == nil && mode&env.Create == 0 {
			done(nil, fs.ErrNotExist)
			return
		}
		if f == nil {
			f = &nullFile{w: w, forgets: strings.HasPrefix(name, "bench") && strings.HasSuffix(name, ".log")}
			w.files[name] = f
		}
		done(f, nil)
	})
}

func (w *nullWorld) fine(done func(error))              { w.events = append(w.events, nullEvent{onErr: done}) }
func (w *nullWorld) Mkdir(_ string, done func(error))   { w.fine(done) }
func (w *nullWorld) SyncDir(_ string, done func(error)) { w.fine(done) }

func (w *nullWorld) Rename(from, to string, done func(error)) {
	if f := w.files[from]; f != nil {
		delete(w.files, from)
		w.files[to] = f
	}
	w.fine(done)
}

func (w *nullWorld) Remove(name string, done func(error)) {
	delete(w.files, name)
	w.fine(done)
}

func (w *nullWorld) List(dir string, done func([]env.DirEntry, error)) {
	w.After(0, func() { done(nil, nil) }) // the node starts with nothing
}

func (f *nullFile) Size() int64 { return f.size }

func (f *nullFile) ReadAt(buf []byte, off int64, done func(int, error)) {
	n := copy(buf, f.content[min(off, int64(len(f.content))):])
	var err error
	if n < len(buf) {
		err = io.EOF
	}
	f.w.events = append(f.w.events, nullEvent{onRead: done, n: n, err: err})
}

func (f *nullFile) WriteAt(bufs [][]byte, off int64, done func(error)) {
	for _, b := range bufs {
		if !f.forgets {
			f.content = append(f.content[:off], b...)
		}
		off += int64(len(b))
	}
	f.size = off
	f.w.fine(done)
}

func (f *nullFile) Sync(done func(error)) { f.w.fine(done) }
func (f *nullFile) Truncate(size int64, done func(error)) {
	f.content, f.size = f.content[:min(size, int64(len(f.content)))], size
	f.w.fine(done)
}
func (f *nullFile) Close() {}

// A request takes few allocations, and none for a record. The null world makes none.
func TestProduceAndFetchAllocateLittle(t *testing.T) {
	const most = 10
	for _, records := range []int{1, 1000} {
		n := nullNode(t)
		batch := sized(t, records, 100)
		req := produceTo("bench", 0, 1, batch)
		req.SetVersion(9)
		frame := wire.AppendRequest(nil, 1, "bench", req)
		resp := kmsg.NewPtrProduceResponse()
		call(t, n, produceTo("bench", 0, 1, batch), 9, resp)
		offset := resp.Topics[0].Partitions[0].BaseOffset
		for what, next := range map[string]func() []byte{
			"produce":            func() []byte { return frame },
			"fetch":              newFetch(t, n, offset, int32(len(batch)), false).next,
			"fetch in a session": newFetch(t, n, offset, int32(len(batch)), true).next,
		} {
			n.c.keep = false
			allocs := testing.AllocsPerRun(200, func() {
				n.write(next())
				n.read()
			})
			n.c.keep = true
			if allocs > most {
				t.Errorf("%s, %d records: %v allocations", what, records, allocs)
			}
		}
	}
}
