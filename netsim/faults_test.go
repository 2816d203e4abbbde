package netsim

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

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
