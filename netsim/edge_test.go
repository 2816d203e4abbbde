package netsim

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"odradek/broker/env"
)

func TestBytesSentJustBeforeARetransmissionArriveToo(t *testing.T) {
	for wait := time.Duration(0); wait < 600*time.Millisecond; wait += 20 * time.Millisecond {
		l := newLab(t, 1, DefaultConfig(), "a", "b")
		client, server := l.connect("a", "b")
		l.n.Slow("a", "b", 1000, 1) // 100 ms
		l.n.Cut("a", "b")
		send(client, "1")
		l.k.RunFor(time.Second)
		l.n.Heal("a", "b")
		l.k.RunFor(wait)
		send(client, "2")
		if s, err := l.receive(server, 2); s != "12" || err != nil {
			t.Fatalf("sent %v after healing: %q, %v", wait, s, err)
		}
	}
}

func TestWriterHearsOfReadsOnlyThroughTheReturnPath(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Window = 1000
	l := newLab(t, 1, cfg, "a", "b")
	client, server := l.connect("a", "b")
	send(client, strings.Repeat("x", 3000))
	l.k.RunFor(time.Second)
	l.n.Cut("b", "a")
	l.receive(server, 1000)
	l.k.RunFor(5 * time.Second)
	if b := client.Buffered(); b != 2000 {
		t.Fatalf("%d bytes wait although no acknowledgement got through, want 2000", b)
	}
	l.n.Heal("b", "a")
	if got, err := l.receive(server, 2000); len(got) != 2000 || err != nil {
		t.Fatalf("after healing: %d bytes, %v", len(got), err)
	}
}

func TestDialAbandonedBeforeTheAnswerLeavesNoConnection(t *testing.T) {
	l := newLab(t, 1, DefaultConfig(), "a", "b")
	var server env.Conn
	lis, err := l.nets["b"].Listen("b:1", func(c env.Conn) { server = c })
	if err != nil {
		t.Fatal(err)
	}
	var dialErr error
	// The answer needs 200 us at least.
	l.nets["a"].Dial(lis.Addr(), 180*time.Microsecond, func(_ env.Conn, err error) { dialErr = err })
	l.until("accepted", func() bool { return server != nil })
	if err := l.ending(server); !errors.Is(err, env.ErrReset) {
		t.Fatalf("the accepted end: %v", err)
	}
	if !errors.Is(dialErr, env.ErrTimeout) || l.n.Conns() != 0 {
		t.Fatalf("dial: %v, %d connections left", dialErr, l.n.Conns())
	}
}

func TestNoCallbackAfterClose(t *testing.T) {
	l := newLab(t, 1, DefaultConfig(), "a", "b")
	client, server := l.connect("a", "b")
	send(client, "data")
	l.k.RunFor(time.Second)
	server.Read(make([]byte, 4), 4, func(int, error) { t.Error("a Read that was due called back after Close") })
	server.OnDrain(0, func() { t.Error("an OnDrain that was due called back after Close") })
	server.Close()
	server.Close()
	client.Read(make([]byte, 1), 1, func(int, error) { t.Error("a waiting Read called back after Close") })
	client.Close()
	l.k.RunFor(time.Minute)
}

func TestClosedListenerAcceptsNothing(t *testing.T) {
	l := newLab(t, 1, DefaultConfig(), "a", "b")
	lis, err := l.nets["b"].Listen("b:1", func(env.Conn) { t.Error("accepted after Close") })
	if err != nil {
		t.Fatal(err)
	}
	l.procs["b"].Pause() // so that the connection arrives, but not its callback
	var client env.Conn
	l.nets["a"].Dial("b:1", time.Second, func(c env.Conn, err error) { client = c })
	l.until("dialled", func() bool { return client != nil })
	lis.Close()
	l.procs["b"].Resume()
	if err := l.ending(client); err != io.EOF && !errors.Is(err, env.ErrReset) {
		t.Fatalf("the dialler's end: %v", err)
	}
}

func TestPowerLossTakesWhatHadNotLeftTheHost(t *testing.T) {
	l := newLab(t, 1, DefaultConfig(), "a", "b")
	client, server := l.connect("a", "b")
	l.n.Slow("a", "b", 1, 1000) // 1.25 MB/s
	send(client, strings.Repeat("x", 200_000))
	got := 0
	buf := make([]byte, 1000)
	var next func(int, error)
	next = func(n int, err error) {
		if got += n; err == nil {
			server.Read(buf, 1, next)
		}
	}
	server.Read(buf, 1, next)
	l.k.RunFor(80 * time.Millisecond) // half of it
	l.powerLoss("a")
	l.k.RunFor(time.Minute)
	if got == 0 || got > 110_000 {
		t.Fatalf("%d of 200000 bytes arrived", got)
	}
}
