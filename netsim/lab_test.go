package netsim

import (
	"io"
	"time"

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
