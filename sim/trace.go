package sim

import (
	"cmp"
	"slices"
	"strconv"

	"odradek/broker/env"
)

// Kind is an interned name of a kind of event, such as "net-deliver".
type Kind uint16

// Kinds of the kernel itself.
const (
	kindDrain   Kind = iota // never traced: it only takes from a backlog
	kindStepEnd             // "step-end": AtStepEnd between steps
	kindTimer               // "timer": a clock's After
)

var kernelKinds = [...]string{kindDrain: "drain", kindStepEnd: "step-end", kindTimer: "timer"}

// Record is one line of the trace: an event, or a note made during one.
type Record struct {
	// ID is the event's number in order of planning; a note has that of its event.
	ID uint64
	// Cause is the event during which this one was planned; 0 for the setting up.
	Cause  uint64
	At     Time
	Digest uint64
	Node   Node
	Kind   Kind
	// Note tells a note from an event.
	Note  bool
	Level env.Level
	// Attrs are a note's attributes.
	Attrs []env.Attr
}

// Recorder gets every record of a run. It must not keep Attrs.
type Recorder interface {
	Record(k *Kernel, r *Record)
}

// recent is how many records are kept for error stories; a power of two.
const recent = 512

type trace struct {
	hash     uint64
	kinds    map[string]Kind
	names    []string
	digests  []uint64 // of the names: numbers depend on the order of interning
	counts   []uint64
	ring     [recent]Record
	ringNext uint64
	recorder Recorder
}

func (t *trace) init(seed uint64) {
	t.hash = avalanche(seed ^ HashString("trace"))
	t.kinds = make(map[string]Kind)
	for _, name := range kernelKinds {
		t.kind(name)
	}
}

func (t *trace) kind(name string) Kind {
	if kd, ok := t.kinds[name]; ok {
		return kd
	}
	kd := Kind(len(t.names))
	t.kinds[name] = kd
	t.names = append(t.names, name)
	t.digests = append(t.digests, HashString(name))
	t.counts = append(t.counts, 0)
	return kd
}

func (t *trace) event(r *Record) {
	h := Mix(t.hash, r.ID^uint64(r.At)<<20)
	h = Mix(h, uint64(r.At))
	t.hash = Mix(h, r.Digest^t.digests[r.Kind]+uint64(r.Node))
	t.counts[r.Kind]++
	t.keep(r)
}

func (t *trace) keep(r *Record) {
	t.ring[t.ringNext%recent] = *r
	t.ringNext++
}

// Kind interns a name. Look kinds up once, not per event.
func (k *Kernel) Kind(name string) Kind { return k.trace.kind(name) }

// KindName is the name of a kind.
func (k *Kernel) KindName(kd Kind) string { return k.trace.names[kd] }

// Hash is the rolling hash of everything that happened so far. Equal hashes mean
// equal runs.
func (k *Kernel) Hash() uint64 { return k.trace.hash }

// Digest folds a value that the running event computed (bytes, a result) into the
// hash, so that runs that differ only in data differ in their hash.
func (k *Kernel) Digest(v uint64) { k.trace.hash = Mix(k.trace.hash, v) }

// SetRecorder sends every record to r from now on; nil stops it.
func (k *Kernel) SetRecorder(r Recorder) { k.trace.recorder = r }

// Note records that something worth telling happened during the present event.
func (k *Kernel) Note(node Node, level env.Level, kind Kind, attrs ...env.Attr) {
	h := Mix(k.trace.hash, k.trace.digests[kind]+uint64(node))
	for i := range attrs {
		h = Mix(h, HashString(attrs[i].Key))
		h = Mix(h, HashString(attrs[i].Str)+uint64(attrs[i].Int))
	}
	k.trace.hash = h
	k.trace.counts[kind]++
	r := Record{
		ID: k.stepID, At: k.now, Node: node, Kind: kind,
		Note: true, Level: level, Attrs: slices.Clone(attrs),
	}
	if k.inStep {
		r.Cause = k.current.Cause
	}
	k.trace.keep(&r)
	if k.trace.recorder != nil {
		k.trace.recorder.Record(k, &r)
	}
}

// Reach counts that something happened n times without recording it, for
// counters such as "disk-sector-lost".
func (k *Kernel) Reach(kind Kind, n int) { k.trace.counts[kind] += uint64(n) }

// Count is how often a kind was executed, noted or reached.
func (k *Kernel) Count(name string) uint64 {
	if kd, ok := k.trace.kinds[name]; ok {
		return k.trace.counts[kd]
	}
	return 0
}

// KindCount is a kind and how often it happened.
type KindCount struct {
	Kind  string
	Count uint64
}

// Counts lists all kinds that happened, sorted by name.
func (k *Kernel) Counts() []KindCount {
	var list []KindCount
	for i, n := range k.trace.counts {
		if n > 0 {
			list = append(list, KindCount{k.trace.names[i], n})
		}
	}
	slices.SortFunc(list, func(a, b KindCount) int { return cmp.Compare(a.Kind, b.Kind) })
	return list
}

// Recent returns the last records, oldest first.
func (k *Kernel) Recent() []Record {
	t := &k.trace
	n := min(t.ringNext, recent)
	list := make([]Record, 0, n)
	for i := t.ringNext - n; i < t.ringNext; i++ {
		list = append(list, t.ring[i%recent])
	}
	return list
}

// AppendText appends a record as one line of text without the line's end.
func (k *Kernel) AppendText(b []byte, r *Record) []byte {
	b = append(b, r.At.String()...)
	b = append(b, " #"...)
	b = strconv.AppendUint(b, r.ID, 10)
	b = append(b, " <- #"...)
	b = strconv.AppendUint(b, r.Cause, 10)
	b = append(b, ' ')
	b = append(b, k.nodes[r.Node]...)
	b = append(b, ' ')
	b = append(b, k.trace.names[r.Kind]...)
	for i := range r.Attrs {
		a := &r.Attrs[i]
		b = append(b, ' ')
		b = append(b, a.Key...)
		b = append(b, '=')
		if a.IsInt {
			b = strconv.AppendInt(b, a.Int, 10)
		} else {
			b = strconv.AppendQuote(b, a.Str)
		}
	}
	return b
}

// Tracer implements env.Tracer for a node.
type Tracer struct {
	Kernel *Kernel
	Node   Node
	// Min is the lowest level recorded.
	Min env.Level
}

// Event implements env.Tracer.
func (t Tracer) Event(level env.Level, kind string, attrs ...env.Attr) {
	if level < t.Min {
		return
	}
	t.Kernel.Note(t.Node, level, t.Kernel.Kind(kind), attrs...)
}
