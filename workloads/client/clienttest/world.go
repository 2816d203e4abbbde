package clienttest

import (
	"container/heap"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"odradek/broker/env"
	"odradek/broker/failpoint"
)

// World is virtual time and a network for any number of nodes on one event loop.
type World struct {
	seed   uint64
	now    int64
	seq    uint64
	events events
	net    *network
}

// NewWorld makes an empty world. All that is random in it follows from the seed.
func NewWorld(seed uint64) *World {
	w := &World{seed: seed, now: int64(time.Second)}
	w.net = &network{world: w, latency: 500 * time.Microsecond, listeners: make(map[string]*listener)}
	return w
}

// Env is a new node's view of the world. It has no disk.
func (w *World) Env(name string) *env.Env {
	return &env.Env{
		Clock: w,
		Net:   &endpoint{net: w.net, name: name},
		CPU:   cpu{w},
		Rand:  streams{seed: w.seed, prefix: name + "/"},
		Trace: silence{},
		Fail:  &failpoint.Registry{},
		Tasks: env.NewTasks(),
	}
}

// Now implements env.Clock.
func (w *World) Now() env.Time { return env.Time(w.now) }

// Wall implements env.Clock: some day in 2026.
func (w *World) Wall() int64 { return w.now + 1_770_000_000_000_000_000 }

// After implements env.Clock.
func (w *World) After(d time.Duration, fn func()) env.Timer {
	w.seq++
	e := &event{at: w.now + int64(max(d, 0)), seq: w.seq, fn: fn}
	heap.Push(&w.events, e)
	return e
}

// RunUntil runs events until the condition holds, and reports whether it ever did
// before all events or the time (from now) ran out.
func (w *World) RunUntil(limit time.Duration, done func() bool) bool {
	end := w.now + int64(limit)
	for !done() {
		if len(w.events) == 0 || w.events[0].at > end {
			w.now = end
			return done()
		}
		e := heap.Pop(&w.events).(*event)
		w.now = e.at
		if fn := e.fn; fn != nil {
			e.fn = nil
			fn()
		}
	}
	return true
}

// Run runs events for a time.
func (w *World) Run(d time.Duration) { w.RunUntil(d, func() bool { return false }) }

type event struct {
	at  int64
	seq uint64
	fn  func() // nil once stopped or run
}

// Stop implements env.Timer.
func (e *event) Stop() bool {
	pending := e.fn != nil
	e.fn = nil
	return pending
}

type events []*event

func (es events) Len() int      { return len(es) }
func (es events) Swap(i, j int) { es[i], es[j] = es[j], es[i] }
func (es *events) Push(e any)   { *es = append(*es, e.(*event)) }
func (es events) Less(i, j int) bool {
	return es[i].at < es[j].at || es[i].at == es[j].at && es[i].seq < es[j].seq
}
func (es *events) Pop() any {
	last := len(*es) - 1
	e := (*es)[last]
	*es = (*es)[:last]
	return e
}

type streams struct {
	seed   uint64
	prefix string
}

func (s streams) Stream(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(s.prefix + name))
	return rand.New(rand.NewPCG(s.seed, h.Sum64()))
}

type cpu struct{ w *World }

func (cpu) Charge(env.Op, int) {}

func (c cpu) Work(_ env.Op, _ int, fn func(), done func()) {
	fn()
	c.w.After(0, done)
}

type silence struct{}

func (silence) Event(env.Level, string, ...env.Attr) {}
