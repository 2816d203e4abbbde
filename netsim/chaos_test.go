package netsim

import (
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

// flow is one connection under chaos: what was written at one end, and how much of
// it the other end has seen.
type flow struct {
	sent     int // bytes; byte i is byte(i*31)
	got      int
	conn     env.Conn // the writer's end
	readErr  error
	closed   bool // the reader closed, no callback may follow
	lastLife int
}

// chaos runs pairs of writers and readers between hosts while everything breaks.
type chaos struct {
	t     *testing.T
	l     *lab
	r     *rand.Rand
	flows []*flow
	names []string
	lives map[string]int
}

const servicePort = "9000"

func (c *chaos) serve(name string) {
	life := c.lives[name]
	_, err := c.l.nets[name].Listen(name+":"+servicePort, func(conn env.Conn) {
		if c.lives[name] != life {
			c.t.Errorf("%s accepted in a life that is over", name)
		}
		c.read(conn, name, life)
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// read checks that what arrives is a prefix of what was sent. The first four bytes
// of a stream are the number of its flow.
func (c *chaos) read(conn env.Conn, name string, life int) {
	var f *flow
	buf := make([]byte, 1+c.r.IntN(5000))
	if len(buf) < 4 {
		buf = make([]byte, 4)
	}
	minimum := 4
	var next func(int, error)
	next = func(n int, err error) {
		if c.lives[name] != life {
			c.t.Errorf("%s read in a life that is over", name)
		}
		b := buf[:n]
		if f == nil {
			if n < 4 {
				conn.Close()
				return // broken before it began
			}
			f = c.flows[int(b[0])|int(b[1])<<8|int(b[2])<<16]
			b = b[4:]
		}
		if f.closed {
			c.t.Error("a callback after Close")
		}
		for _, x := range b {
			if x != byte(f.got*31) {
				c.t.Fatalf("byte %d is wrong", f.got)
			}
			f.got++
		}
		if f.got > f.sent {
			c.t.Fatalf("%d bytes arrived of %d", f.got, f.sent)
		}
		switch {
		case err != nil:
			f.readErr = err
			conn.Close()
			f.closed = true
		case c.r.IntN(500) == 0:
			conn.Close()
			f.closed = true
		default:
			minimum = 1 + c.r.IntN(len(buf))
			conn.Read(buf, minimum, next)
		}
	}
	conn.Read(buf, minimum, next)
}

func (c *chaos) dial(from, to string) {
	life := c.lives[from]
	c.l.nets[from].Dial(to+":"+servicePort, time.Duration(1+c.r.IntN(5000))*time.Millisecond, func(conn env.Conn, err error) {
		if c.lives[from] != life {
			c.t.Errorf("%s dialled in a life that is over", from)
		}
		if err != nil {
			if !errors.Is(err, env.ErrTimeout) && !errors.Is(err, env.ErrRefused) {
				c.t.Errorf("dial: %v", err)
			}
			return
		}
		id := len(c.flows)
		f := &flow{conn: conn, lastLife: life}
		c.flows = append(c.flows, f)
		conn.Write([]env.Segment{{Bytes: []byte{byte(id), byte(id >> 8), byte(id >> 16), 0}}})
		clock := sim.NewMachineClock(c.l.k).Clock(c.l.procs[from], 0)
		var tick func()
		tick = func() {
			if c.lives[from] != life {
				c.t.Errorf("%s wrote in a life that is over", from)
			}
			data := make([]byte, c.r.IntN(20_000))
			for i := range data {
				data[i] = byte((f.sent + i) * 31)
			}
			f.sent += len(data)
			conn.Write([]env.Segment{{Bytes: data}})
			if c.r.IntN(40) == 0 {
				conn.Close()
				return
			}
			clock.After(time.Duration(c.r.IntN(2000))*time.Millisecond, tick)
		}
		tick()
		// Nobody answers: the writer reads to learn of the end.
		conn.Read(make([]byte, 1), 1, func(n int, err error) {
			if err == nil || n != 0 {
				c.t.Errorf("a byte out of nowhere")
			}
			conn.Close()
		})
	})
}

func (c *chaos) step() {
	pick := func() string { return c.names[c.r.IntN(len(c.names))] }
	a, b := pick(), pick()
	switch c.r.IntN(16) {
	case 0, 1, 2, 3, 4, 5:
		c.dial(a, b)
	case 6, 7:
		if a != b {
			c.l.n.Cut(a, b)
		}
	case 8, 9:
		if a != b {
			c.l.n.Heal(a, b)
		}
	case 10:
		c.l.n.HealAll()
	case 11:
		c.lives[a]++
		c.l.crash(a)
		c.l.boot(a)
		c.serve(a)
	case 12:
		c.lives[a]++
		c.l.powerLoss(a)
		c.l.k.RunFor(time.Duration(c.r.IntN(20_000)) * time.Millisecond)
		c.l.boot(a)
		c.serve(a)
	case 13:
		c.l.n.ResetRandom(c.r, 2)
	case 14:
		c.l.procs[a].Pause()
		p := c.l.procs[a]
		c.l.k.After(time.Duration(c.r.IntN(3000))*time.Millisecond, sim.World, 0, p.Resume)
	case 15:
		if a != b {
			c.l.n.Slow(a, b, 1+c.r.IntN(100), 1+c.r.IntN(1000))
		}
	}
	c.l.k.RunFor(time.Duration(c.r.IntN(1000)) * time.Millisecond)
}

func runChaos(t *testing.T, seed uint64) *chaos {
	cfg := DefaultConfig()
	r := rand.New(rand.NewPCG(seed, 1))
	cfg.Window = 1 + r.IntN(30_000)
	cfg.MaxChunk = 1 + r.IntN(5_000)
	cfg.SplitPerMille = r.IntN(300)
	names := []string{"a", "b", "c"}
	c := &chaos{t: t, l: newLab(t, seed, cfg, names...), r: r, names: names, lives: make(map[string]int)}
	for _, name := range names {
		c.serve(name)
	}
	for range 120 {
		c.step()
	}
	return c
}

func TestChaosNeverAltersOrInventsBytes(t *testing.T) {
	var total Stats
	flows, whole, endings := 0, 0, map[string]int{}
	for seed := range uint64(15) {
		c := runChaos(t, seed)
		c.l.n.HealAll()
		for _, f := range c.flows {
			f.conn.Close()
		}
		c.l.k.RunFor(2 * time.Minute)
		for _, f := range c.flows {
			flows++
			if f.got == f.sent {
				whole++
			}
			switch {
			case f.readErr == io.EOF:
				endings["eof"]++
			case errors.Is(f.readErr, env.ErrReset):
				endings["reset"]++
			case errors.Is(f.readErr, env.ErrTimeout):
				endings["timeout"]++
			}
		}
		if n := c.l.n.Conns(); n != 0 {
			t.Errorf("seed %d: %d connections live on after all writers closed and all is healed", seed, n)
		}
		s := c.l.n.Stats()
		total.BytesStalled += s.BytesStalled
		total.ConnsReset += s.ConnsReset
		total.ConnsTimeout += s.ConnsTimeout
	}
	if flows < 200 || whole == 0 || whole == flows || len(endings) != 3 || total.BytesStalled == 0 || total.ConnsReset == 0 || total.ConnsTimeout == 0 {
		t.Errorf("too tame: %d flows, %d whole, endings %v, %+v", flows, whole, endings, total)
	}
}

func TestSameSeedSameChaos(t *testing.T) {
	a, b := runChaos(t, 99), runChaos(t, 99)
	if a.l.k.Hash() != b.l.k.Hash() || a.l.n.Stats() != b.l.n.Stats() {
		t.Fatal("two runs of one seed differ")
	}
}
