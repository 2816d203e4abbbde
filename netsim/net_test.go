package netsim

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"odradek/broker/env"
	"odradek/sim"
)

// lab is a few hosts with a process each, which need no events of their own: tests
// call the seam between the kernel's steps.
type lab struct {
	t     interface{ Fatalf(string, ...any) }
	k     *sim.Kernel
	n     *Network
	procs map[string]*sim.Proc
	nets  map[string]env.Net
}

func newLab(t interface{ Fatalf(string, ...any) }, seed uint64, cfg Config, hosts ...string) *lab {
	k := sim.New(seed)
	l := &lab{t: t, k: k, n: New(k, cfg), procs: make(map[string]*sim.Proc), nets: make(map[string]env.Net)}
	for _, name := range hosts {
		l.n.NewHost(name, k.NewNode(name))
		l.boot(name)
	}
	return l
}

func (l *lab) boot(name string) {
	h := l.n.Host(name)
	h.PowerOn()
	l.procs[name] = l.k.NewProc(h.node)
	l.nets[name] = h.Attach(l.procs[name])
}

func (l *lab) crash(name string) {
	l.procs[name].Kill()
	l.n.Host(name).ProcessCrash()
}

func (l *lab) powerLoss(name string) {
	l.procs[name].Kill()
	l.n.Host(name).PowerLoss()
}

// until runs the kernel until the condition holds, for a minute at most.
func (l *lab) until(what string, cond func() bool) {
	end := l.k.Now().Add(time.Minute)
	for !cond() {
		if l.k.Now() > end || !l.k.Step() {
			l.t.Fatalf("never: %s", what)
		}
	}
}

// connect dials from one host to another and returns both ends.
func (l *lab) connect(from, to string) (client, server env.Conn) {
	lis, err := l.nets[to].Listen(to+":0", func(c env.Conn) { server = c })
	if err != nil {
		l.t.Fatalf("listen: %v", err)
	}
	l.nets[from].Dial(lis.Addr(), time.Second, func(c env.Conn, err error) {
		if err != nil {
			l.t.Fatalf("dial: %v", err)
		}
		client = c
	})
	l.until("connected", func() bool { return client != nil && server != nil })
	lis.Close()
	return client, server
}

func send(c env.Conn, s string) { c.Write([]env.Segment{{Bytes: []byte(s)}}) }

// receive reads exactly n bytes, or what there is before the error.
func (l *lab) receive(c env.Conn, n int) (string, error) {
	buf := make([]byte, n)
	got, err, called := 0, error(nil), false
	c.Read(buf, n, func(n int, e error) { got, err, called = n, e, true })
	l.until("read", func() bool { return called })
	return string(buf[:got]), err
}

// ending is how the stream ends, with what it brings before.
func (l *lab) ending(c env.Conn) error {
	for {
		if _, err := l.receive(c, 1); err != nil {
			return err
		}
	}
}

type memFile struct {
	env.File
	data []byte
}

func (f *memFile) ReadNow(buf []byte, off int64) error {
	if int(off)+len(buf) > len(f.data) {
		return io.ErrUnexpectedEOF
	}
	copy(buf, f.data[off:])
	return nil
}

func TestBytesArriveInOrderWhateverTheChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.Window = rapid.IntRange(1, 5000).Draw(t, "window")
		cfg.MaxChunk = rapid.IntRange(1, 2000).Draw(t, "chunk")
		cfg.SplitPerMille = rapid.IntRange(0, 1000).Draw(t, "split")
		l := newLab(t, rapid.Uint64().Draw(t, "seed"), cfg, "a", "b")
		client, server := l.connect("a", "b")
		var want, got bytes.Buffer
		serial := byte(0)
		for range rapid.IntRange(1, 10).Draw(t, "writes") {
			var segs []env.Segment
			for range rapid.IntRange(0, 3).Draw(t, "segments") {
				data := make([]byte, rapid.IntRange(0, 3000).Draw(t, "size"))
				for i := range data {
					serial++
					data[i] = serial
				}
				want.Write(data)
				if rapid.Bool().Draw(t, "file") {
					segs = append(segs, env.Segment{File: &memFile{data: append([]byte("head"), data...)}, Off: 4, Len: len(data)})
				} else {
					segs = append(segs, env.Segment{Bytes: data})
				}
			}
			client.Write(segs)
			if b := client.Buffered(); b < 0 || b > want.Len() {
				t.Fatalf("Buffered() is %d after %d bytes", b, want.Len())
			}
			l.k.RunFor(time.Duration(rapid.IntRange(0, 1000).Draw(t, "wait")) * time.Microsecond)
			if rapid.Bool().Draw(t, "read") && want.Len() > got.Len() {
				n := rapid.IntRange(1, want.Len()-got.Len()).Draw(t, "n")
				s, err := l.receive(server, n)
				if err != nil {
					t.Fatalf("read: %v", err)
				}
				got.WriteString(s)
			}
			// What has left the writer and is not read stays within the window, and
			// what one Read may have absorbed.
			if out := want.Len() - got.Len() - client.Buffered(); out > cfg.Window {
				t.Fatalf("%d bytes outstanding, window %d", out, cfg.Window)
			}
		}
		s, err := l.receive(server, want.Len()-got.Len())
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		got.WriteString(s)
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatal("bytes differ from what was written")
		}
		if client.Buffered() != 0 {
			t.Fatalf("Buffered() is %d after everything was read", client.Buffered())
		}
		client.Close()
		if err := l.ending(server); err != io.EOF {
			t.Fatalf("after Close: %v", err)
		}
		server.Close()
		l.k.RunFor(time.Second)
		if l.n.Conns() != 0 {
			t.Fatalf("%d connections left", l.n.Conns())
		}
	})
}

func TestSlowReaderPushesBack(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Window = 10_000
	l := newLab(t, 1, cfg, "a", "b")
	client, server := l.connect("a", "b")
	send(client, strings.Repeat("x", 50_000))
	l.k.RunFor(time.Second)
	if b := client.Buffered(); b != 40_000 {
		t.Fatalf("%d bytes wait for a reader who does not read, want 40000", b)
	}
	drained := false
	client.OnDrain(20_000, func() {
		drained = true
		if client.Buffered() > 20_000 {
			t.Errorf("drained at %d", client.Buffered())
		}
	})
	l.receive(server, 10_000)
	l.k.RunFor(time.Second)
	if drained {
		t.Fatal("drained too early")
	}
	l.receive(server, 15_000)
	l.until("drained", func() bool { return drained })
	if got, err := l.receive(server, 25_000); err != nil || len(got) != 25_000 {
		t.Fatalf("rest: %d bytes, %v", len(got), err)
	}
}

func TestSmallRequestAndResponseAreOneEventEach(t *testing.T) {
	cfg := DefaultConfig()
	cfg.SplitPerMille = 0
	l := newLab(t, 1, cfg, "a", "b")
	client, server := l.connect("a", "b")
	const rounds = 100
	buf, rbuf := make([]byte, 100), make([]byte, 100)
	left := rounds
	var serve func(int, error)
	serve = func(n int, _ error) {
		send(server, "re") // two writes, one chunk
		send(server, "sponse")
		server.Read(rbuf, 7, serve)
	}
	server.Read(rbuf, 7, serve)
	var ask func(int, error)
	ask = func(int, error) {
		if left--; left >= 0 {
			send(client, "request")
			client.Read(buf, 8, ask)
		}
	}
	before := l.k.Steps()
	ask(0, nil)
	l.until("done", func() bool { return left < 0 })
	if steps := l.k.Steps() - before; steps > 2*rounds+5 {
		t.Fatalf("%d events for %d round trips", steps, rounds)
	}
}

func TestLargeTransferIsFewEvents(t *testing.T) {
	l := newLab(t, 1, DefaultConfig(), "a", "b")
	client, server := l.connect("a", "b")
	before, start := l.k.Steps(), l.k.Now()
	send(client, strings.Repeat("x", 1<<20))
	l.receive(server, 1<<20)
	if steps := l.k.Steps() - before; steps > 60 {
		t.Fatalf("%d events for 1 MiB", steps)
	}
	// 1 MiB at 1.25 GB/s is 0.84 ms; the window costs some round trips.
	if took := l.k.Now().Sub(start); took < 840*time.Microsecond || took > 3*time.Millisecond {
		t.Fatalf("took %v", took)
	}
}

func TestWritesLeaveAfterTheComputingTimeChargedSoFar(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Jitter = 0
	l := newLab(t, 1, cfg, "a", "b")
	client, server := l.connect("a", "b")
	var arrived []time.Duration
	start := l.k.Now()
	var next func(int, error)
	buf := make([]byte, 1)
	next = func(n int, _ error) {
		if n > 0 {
			arrived = append(arrived, l.k.Now().Sub(start)-cfg.Latency)
		}
		server.Read(buf, 1, next)
	}
	next(0, nil)
	p := l.procs["a"]
	p.Post(0, sim.Func(func() {
		send(client, "1")
		p.Charge(time.Millisecond)
		send(client, "2")
		p.Charge(time.Hour)
	}), 0)
	l.k.RunFor(time.Second)
	if len(arrived) != 2 || arrived[0] > time.Microsecond || arrived[1] < time.Millisecond || arrived[1] > 1001*time.Microsecond {
		t.Fatalf("departed after %v, want 0 and 1ms", arrived)
	}
}

func TestPartitionStallsAndHealsWithoutLoss(t *testing.T) {
	for _, oneWay := range []bool{false, true} {
		l := newLab(t, 3, DefaultConfig(), "a", "b")
		client, server := l.connect("a", "b")
		l.n.Cut("a", "b")
		if !oneWay {
			l.n.Cut("b", "a")
		}
		for range 5 {
			send(client, "tick")
			l.k.RunFor(time.Second)
		}
		send(server, "back")
		got := ""
		client.Read(make([]byte, 4), 4, func(n int, err error) { got = "yes" })
		l.k.RunFor(time.Second)
		if (got == "yes") != oneWay {
			t.Fatalf("one way %v: the other direction arrived %q", oneWay, got)
		}
		if s := l.n.Stats(); s.BytesStalled < 20 || l.k.Count("net-bytes-stalled") != s.BytesStalled {
			t.Fatalf("%d bytes stalled, want at least 20", s.BytesStalled)
		}
		l.n.HealAll()
		healed := l.k.Now()
		if s, err := l.receive(server, 20); err != nil || s != strings.Repeat("tick", 5) {
			t.Fatalf("after healing: %q, %v", s, err)
		}
		if d := l.k.Now().Sub(healed); d > time.Second {
			t.Errorf("flowed %v after healing", d)
		}
	}
}

func TestLongPartitionTimesOutBothEnds(t *testing.T) {
	l := newLab(t, 3, DefaultConfig(), "a", "b")
	client, server := l.connect("a", "b")
	cut := l.k.Now()
	l.n.Cut("b", "a") // one way suffices: neither end hears what it needs
	for _, c := range []env.Conn{client, server} {
		if err := l.ending(c); !errors.Is(err, env.ErrTimeout) {
			t.Fatalf("ended with %v", err)
		}
		if d := l.k.Now().Sub(cut); d < 15*time.Second || d > 17*time.Second {
			t.Fatalf("ended after %v", d)
		}
	}
	if n := l.n.Stats().ConnsTimeout; n != 2 {
		t.Fatalf("%d ends timed out", n)
	}
}

func TestShortPartitionsDoNotAddUp(t *testing.T) {
	l := newLab(t, 3, DefaultConfig(), "a", "b")
	client, server := l.connect("a", "b")
	for range 5 {
		l.n.Partition([]string{"a"}, []string{"b"})
		l.k.RunFor(10 * time.Second)
		l.n.HealAll()
		l.k.RunFor(5 * time.Second)
	}
	send(client, "alive")
	if s, err := l.receive(server, 5); s != "alive" || err != nil {
		t.Fatalf("%q, %v", s, err)
	}
}

func TestDialOutcomes(t *testing.T) {
	l := newLab(t, 1, DefaultConfig(), "a", "b")
	dial := func(addr string, timeout time.Duration) (c env.Conn, err error, took time.Duration) {
		start, called := l.k.Now(), false
		l.nets["a"].Dial(addr, timeout, func(got env.Conn, e error) { c, err, called = got, e, true })
		if called {
			t.Fatal("called back inside Dial")
		}
		l.until("dialled", func() bool { return called })
		return c, err, l.k.Now().Sub(start)
	}
	if _, err, took := dial("b:1", time.Second); !errors.Is(err, env.ErrRefused) || took < 200*time.Microsecond || took > 310*time.Microsecond {
		t.Errorf("nobody listens: %v after %v, want refused after a round trip", err, took)
	}
	if _, err, _ := dial("nowhere:1", time.Second); err == nil {
		t.Error("an unknown host answered")
	}
	lis, err := l.nets["b"].Listen(":0", func(env.Conn) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.nets["b"].Listen(lis.Addr(), nil); err == nil {
		t.Error("an address was bound twice")
	}
	if _, err := l.nets["b"].Listen("a:0", nil); err == nil {
		t.Error("a host bound the address of another")
	}
	for _, cut := range [][2]string{{"a", "b"}, {"b", "a"}} {
		l.n.Cut(cut[0], cut[1])
		if _, err, took := dial(lis.Addr(), 2*time.Second); !errors.Is(err, env.ErrTimeout) || took != 2*time.Second {
			t.Errorf("cut %v: %v after %v", cut, err, took)
		}
		l.n.HealAll()
	}
	l.n.Cut("a", "b")
	l.k.After(1500*time.Millisecond, sim.World, 0, func() { l.n.Heal("a", "b") })
	if c, err, took := dial(lis.Addr(), 5*time.Second); err != nil || took < 3*time.Second || took > 3100*time.Millisecond {
		t.Errorf("healed during the dial: %v after %v, want the second retransmission at 3s", err, took)
	} else {
		c.Close()
	}
	l.powerLoss("b")
	if _, err, _ := dial(lis.Addr(), time.Second); !errors.Is(err, env.ErrTimeout) {
		t.Errorf("no power: %v", err)
	}
	l.boot("b")
	if _, err, _ := dial(lis.Addr(), time.Second); !errors.Is(err, env.ErrRefused) {
		t.Errorf("listener of a former life: %v", err)
	}
	if s := l.n.Stats(); s.DialsRefused != 2 || s.DialsTimeout != 3 {
		t.Errorf("refused %d, timed out %d", s.DialsRefused, s.DialsTimeout)
	}
	l.k.RunFor(time.Minute)
	if l.n.Conns() != 0 {
		t.Errorf("%d connections left", l.n.Conns())
	}
}

func TestProcessDeathEndsItsConnections(t *testing.T) {
	l := newLab(t, 1, DefaultConfig(), "a", "b")
	client, server := l.connect("a", "b")
	send(server, "last words")
	l.crash("b")
	if s, err := l.receive(client, 10); s != "last words" || err != nil {
		t.Fatalf("what the dead process had written: %q, %v", s, err)
	}
	if err := l.ending(client); err != io.EOF {
		t.Fatalf("then: %v", err)
	}
	send(client, "anyone?")
	l.k.RunFor(time.Millisecond)
	if err := l.ending(client); !errors.Is(err, env.ErrReset) {
		t.Fatalf("writing to the dead: %v", err)
	}

	l.boot("b")
	client, _ = l.connect("a", "b")
	send(client, "never read")
	l.k.RunFor(time.Millisecond)
	l.crash("b")
	if err := l.ending(client); !errors.Is(err, env.ErrReset) {
		t.Fatalf("died with unread bytes: %v", err)
	}
	if l.n.Conns() != 0 {
		t.Fatalf("%d connections left", l.n.Conns())
	}
}

func TestWritesOfComputingTimeNotSpentAreNeverSent(t *testing.T) {
	l := newLab(t, 1, DefaultConfig(), "a", "b")
	client, server := l.connect("a", "b")
	p := l.procs["a"]
	p.Post(0, sim.Func(func() {
		send(client, "now")
		p.Charge(time.Second)
		send(client, "later")
	}), 0)
	l.k.RunFor(time.Millisecond)
	l.crash("a")
	if s, err := l.receive(server, 8); s != "now" || err != io.EOF {
		t.Fatalf("%q, %v", s, err)
	}
}

func TestPowerLossIsSilent(t *testing.T) {
	l := newLab(t, 1, DefaultConfig(), "a", "b")
	client, _ := l.connect("a", "b")
	lost := l.k.Now()
	l.powerLoss("b")
	if err := l.ending(client); !errors.Is(err, env.ErrTimeout) || l.k.Now().Sub(lost) < 15*time.Second {
		t.Fatalf("%v after %v", err, l.k.Now().Sub(lost))
	}
}

func TestRestartedHostAnswersOldConnectionsWithResets(t *testing.T) {
	for _, talks := range []bool{true, false} {
		l := newLab(t, 1, DefaultConfig(), "a", "b")
		client, _ := l.connect("a", "b")
		l.powerLoss("b")
		if talks {
			send(client, "hello?")
		}
		l.k.RunFor(5 * time.Second)
		l.boot("b")
		on := l.k.Now()
		if err := l.ending(client); !errors.Is(err, env.ErrReset) {
			t.Fatalf("talks %v: %v", talks, err)
		}
		if d := l.k.Now().Sub(on); d > 5*time.Second || talks && d > time.Second {
			t.Fatalf("talks %v: noticed %v after the restart", talks, d)
		}
	}
}

func TestResetBreaksChosenConnections(t *testing.T) {
	l := newLab(t, 1, DefaultConfig(), "a", "b", "c")
	ab, ba := l.connect("a", "b")
	ac, ca := l.connect("a", "c")
	send(ab, "on the wire")
	l.k.RunFor(time.Microsecond)
	if n := l.n.Reset("b", "a"); n != 1 {
		t.Fatalf("%d connections broken", n)
	}
	for _, c := range []env.Conn{ab, ba} {
		if err := l.ending(c); !errors.Is(err, env.ErrReset) {
			t.Fatalf("ended with %v", err)
		}
	}
	send(ac, "fine")
	if s, err := l.receive(ca, 4); s != "fine" || err != nil {
		t.Fatalf("bystander: %q, %v", s, err)
	}
	if n := l.n.ResetRandom(l.k.Stream("fault"), 5); n != 1 {
		t.Fatalf("%d of 1 connections broken", n)
	}
}

func TestSlowLinkIsSlow(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Jitter = 0
	l := newLab(t, 1, cfg, "a", "b")
	client, server := l.connect("a", "b")
	l.n.Slow("a", "b", 50, 100)
	start := l.k.Now()
	send(client, strings.Repeat("x", 125_000)) // 0.1 ms at full speed
	l.receive(server, 125_000)
	if d := l.k.Now().Sub(start); d < 14900*time.Microsecond || d > 16*time.Millisecond {
		t.Fatalf("took %v, want 5ms latency and 10ms transfer", d)
	}
}

func TestUnreadableRegionFailsTheConnection(t *testing.T) {
	l := newLab(t, 1, DefaultConfig(), "a", "b")
	client, server := l.connect("a", "b")
	client.Write([]env.Segment{{Bytes: []byte("head")}, {File: &memFile{data: make([]byte, 10)}, Off: 5, Len: 10}})
	if err := l.ending(client); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("writer's end: %v", err)
	}
	if err := l.ending(server); !errors.Is(err, env.ErrReset) {
		t.Fatalf("reader's end: %v", err)
	}
}

func TestLoopback(t *testing.T) {
	l := newLab(t, 1, DefaultConfig(), "a")
	client, server := l.connect("a", "a")
	send(client, "self")
	start := l.k.Now()
	if s, err := l.receive(server, 4); s != "self" || err != nil || l.k.Now().Sub(start) != 10*time.Microsecond {
		t.Fatalf("%q, %v after %v", s, err, l.k.Now().Sub(start))
	}
	l.crash("a")
	l.k.RunFor(time.Second)
	if l.n.Conns() != 0 {
		t.Fatalf("%d connections left", l.n.Conns())
	}
}

func BenchmarkRoundTrips(b *testing.B) {
	l := newLab(b, 1, DefaultConfig(), "a", "b")
	client, server := l.connect("a", "b")
	buf, rbuf := make([]byte, 100), make([]byte, 100)
	msg := []env.Segment{{Bytes: make([]byte, 100)}}
	left := b.N
	var serve, ask func(int, error)
	serve = func(int, error) { server.Write(msg); server.Read(rbuf, 100, serve) }
	ask = func(int, error) { left--; client.Write(msg); client.Read(buf, 100, ask) }
	server.Read(rbuf, 100, serve)
	b.ReportAllocs()
	b.ResetTimer()
	ask(0, nil)
	for left > 0 && l.k.Step() {
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mtrips/s")
}

func BenchmarkBulk(b *testing.B) {
	l := newLab(b, 1, DefaultConfig(), "a", "b")
	client, server := l.connect("a", "b")
	const size = 1 << 20
	buf := make([]byte, size)
	msg := []env.Segment{{Bytes: make([]byte, size)}}
	left := b.N
	var serve func(int, error)
	serve = func(int, error) { left--; client.Write(msg); server.Read(buf, size, serve) }
	b.SetBytes(size)
	b.ReportAllocs()
	b.ResetTimer()
	serve(0, nil)
	for left > 0 && l.k.Step() {
	}
}
