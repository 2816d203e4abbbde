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
