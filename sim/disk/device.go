package disk

import (
	"math/rand/v2"
	"strings"
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

// Config is the timing and size of a disk. A latency is what an operation takes
// besides the transfer of its bytes; up to a quarter more is drawn for each.
type Config struct {
	ReadLatency  time.Duration // a read that is not in the page cache
	WriteLatency time.Duration // a read or write of the page cache, a truncation
	SyncLatency  time.Duration // a flush of the device's cache
	// SyncQuantiles replaces SyncLatency where an average says too little: latencies of
	// flushes as measured, sorted, at equal shares from the least to the greatest. What is
	// drawn lies between two neighbours.
	SyncQuantiles []time.Duration
	MetaLatency   time.Duration // open, mkdir, rename, remove, list
	ReadBytes     int64         // bandwidth of reads from the device, bytes/s
	CacheBytes    int64         // bandwidth of the page cache, bytes/s
	SyncBytes     int64         // bandwidth of writing dirty pages, bytes/s
	Capacity      int64         // bytes; 0 is unlimited
}

// DefaultConfig is a data-centre NVMe drive.
func DefaultConfig() Config {
	return Config{
		ReadLatency:  80 * time.Microsecond,
		WriteLatency: 5 * time.Microsecond,
		SyncLatency:  200 * time.Microsecond,
		MetaLatency:  10 * time.Microsecond,
		ReadBytes:    2_000_000_000,
		CacheBytes:   4_000_000_000,
		SyncBytes:    1_000_000_000,
	}
}

// Device is a machine's disk. It outlives the machine's processes.
type Device struct {
	k      *sim.Kernel
	node   sim.Node
	cfg    Config
	random *rand.Rand // timing and crashes
	kinds  [numOps]sim.Kind

	tree    tree
	used    int64    // pages of linked files, in bytes
	nextID  uint64   // of inodes
	spare   []*page  // that no file has, for new ones
	pending []*op    // submitted and unfinished, reads excepted, in order of submission
	busy    sim.Time // transfers are planned up to here
	treeEnd sim.Time // the last planned completion of an operation on the tree

	slow   int
	faults faults
	stats  Stats
}

// New returns an empty disk. Its draws come from streams named after it.
func New(k *sim.Kernel, name string, node sim.Node, cfg Config) *Device {
	d := &Device{k: k, node: node, cfg: cfg, random: k.Stream("disk/" + name), slow: 1}
	d.faults.init(k, name)
	for o := range numOps {
		d.kinds[o] = k.Kind("disk-" + o.String())
	}
	d.tree.root = d.newInode(true)
	return d
}

// Attach returns the disk as one life of the machine's process sees it.
func (d *Device) Attach(p *sim.Proc) env.Disk { return &mount{d: d, p: p} }

// Wipe replaces the disk by an empty one. There must be no process.
func (d *Device) Wipe() {
	d.dropPending()
	d.tree = tree{root: d.newInode(true)}
	d.used = 0
}

// SetSlow multiplies all times by factor (1 is normal), from the next operation on.
func (d *Device) SetSlow(factor int) { d.slow = max(factor, 1) }

// latency draws how long a step takes that takes base at least.
func (d *Device) latency(base time.Duration) time.Duration {
	if base <= 0 {
		return 0
	}
	return (base + time.Duration(d.random.Uint64N(uint64(base)/4+1))) * time.Duration(d.slow)
}

// flushLatency draws how long a flush takes besides its bytes.
func (d *Device) flushLatency() time.Duration {
	q := d.cfg.SyncQuantiles
	if len(q) < 2 {
		return d.latency(d.cfg.SyncLatency)
	}
	const steps = 1 << 20
	at := d.random.Uint64N(uint64(len(q)-1) * steps)
	i, part := at/steps, at%steps
	return (q[i] + (q[i+1]-q[i])*time.Duration(part)/steps) * time.Duration(d.slow)
}

// transfer is how long n bytes take.
func (d *Device) transfer(n, bytesPerSecond int64) time.Duration {
	if bytesPerSecond <= 0 {
		return 0
	}
	// Split so that neither factor overflows for any n.
	whole, rest := n/bytesPerSecond, n%bytesPerSecond
	return (time.Duration(whole)*time.Second + time.Duration(rest*int64(time.Second)/bytesPerSecond)) * time.Duration(d.slow)
}

// through queues n bytes for the device and returns when they have passed.
func (d *Device) through(from sim.Time, n, bytesPerSecond int64) sim.Time {
	d.busy = max(from, d.busy).Add(d.transfer(n, bytesPerSecond))
	return d.busy
}

// submit plans the completion of o at the time due.
func (d *Device) submit(o *op, due sim.Time) {
	d.stats.Ops[o.kind]++
	if o.kind != OpRead {
		d.pending = append(d.pending, o)
	}
	o.event = d.k.Schedule(sim.Event{At: due, Node: d.node, Kind: d.kinds[o.kind], Do: o, Arg: phaseFinish})
}

// finish is the completion of o: it takes effect, then the process hears of it.
func (d *Device) finish(o *op) {
	if o.kind != OpRead {
		d.forget(o)
	}
	if !o.p.Alive() {
		return
	}
	o.err = o.apply(d.faults.strike(o))
	o.p.Deliver(d.kinds[o.kind], o, phaseCall)
}

func (d *Device) forget(o *op) {
	for i, other := range d.pending { // nearly always among the first
		if other == o {
			d.pending = append(d.pending[:i], d.pending[i+1:]...)
			return
		}
	}
	panic("disk: an operation finished that was not pending")
}

func (d *Device) dropPending() {
	for _, o := range d.pending {
		o.event.Stop()
	}
	d.pending = nil
	d.busy, d.treeEnd = 0, 0
}

// faults is what has been ordered to go wrong.
type faults struct {
	random *rand.Rand
	rate   [numOps]int // of a million
	orders []order
}

type order struct {
	op     Op
	substr string
	left   int
}

func (f *faults) init(k *sim.Kernel, name string) { f.random = k.Stream("disk-error/" + name) }

// strike decides whether o fails.
func (f *faults) strike(o *op) bool {
	for i := range f.orders {
		r := &f.orders[i]
		if r.left > 0 && r.op == o.kind && strings.Contains(o.path, r.substr) {
			r.left--
			return true
		}
	}
	return f.rate[o.kind] > 0 && f.random.IntN(1_000_000) < f.rate[o.kind]
}

// SetErrorRate makes operations of a kind fail with env.ErrIO, so many of a million.
func (d *Device) SetErrorRate(op Op, perMillion int) { d.faults.rate[op] = perMillion }

// FailNext makes the next n operations of a kind whose path contains substr fail
// with env.ErrIO. For operations through a file the path is the one it was opened
// by.
func (d *Device) FailNext(op Op, substr string, n int) {
	d.faults.orders = append(d.faults.orders, order{op, substr, n})
}

// ClearErrors ends what SetErrorRate and FailNext began.
func (d *Device) ClearErrors() {
	d.faults.rate = [numOps]int{}
	d.faults.orders = nil
}

// SetCapacity changes the size in bytes; 0 is unlimited. What is already there
// stays.
func (d *Device) SetCapacity(bytes int64) { d.cfg.Capacity = bytes }

// Used is the space taken by the files, in bytes: whole pages, without holes.
// Removed files do not count, even while they are open.
func (d *Device) Used() int64 { return d.used }
