package storage_test

import (
	"fmt"
	"testing"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/storage"
	"odradek/broker/wire"
	"odradek/sim"
	"odradek/sim/disk"
)

// machine is a simulated computer with a disk, a clock and one process.
type machine struct {
	t    testing.TB
	k    *sim.Kernel
	node sim.Node
	dev  *disk.Device
	fail *failpoint.Registry
	proc *sim.Proc
	e    *env.Env
	// stopAt is the kernel step at which the process is killed, if not 0.
	stopAt uint64
}

func newMachine(t testing.TB, seed uint64) *machine {
	k := sim.New(seed)
	node := k.NewNode("machine")
	m := &machine{t: t, k: k, node: node, dev: disk.New(k, "machine", node, disk.DefaultConfig()), fail: new(failpoint.Registry)}
	m.boot()
	return m
}

// freeCPU computes in no time.
type freeCPU struct{ clock env.Clock }

func (freeCPU) Charge(env.Op, int) {}
func (c freeCPU) Work(_ env.Op, _ int, fn, done func()) {
	fn()
	c.clock.After(0, done)
}

func (m *machine) boot() {
	m.proc = m.k.NewProc(m.node)
	clock := sim.NewMachineClock(m.k).Clock(m.proc, 1000)
	m.e = &env.Env{
		Clock: clock,
		Disk:  m.dev.Attach(m.proc),
		CPU:   freeCPU{clock},
		Rand:  sim.Streams{Kernel: m.k, Prefix: "machine/"},
		Trace: sim.Tracer{Kernel: m.k, Node: m.node, Min: env.Debug},
		Fail:  m.fail,
		Tasks: m.proc.Tasks(),
	}
}

// crash kills the process and boots the next one.
func (m *machine) crash(power bool) {
	m.proc.Kill()
	if power {
		m.dev.PowerLoss()
	} else {
		m.dev.ProcessCrash()
	}
	m.stopAt = 0
	m.boot()
}

// failOperation has the nth disk operation from now fail. The result tells, later, whether
// there were so many.
func (m *machine) failOperation(n int) *bool {
	struck := new(bool)
	m.e.Disk = &failingDisk{Disk: m.e.Disk, dev: m.dev, left: n, struck: struck}
	return struck
}

// failingDisk counts operations and orders the device to fail one.
type failingDisk struct {
	env.Disk
	dev    *disk.Device
	left   int
	struck *bool
}

func (d *failingDisk) count(op disk.Op, path string) {
	if d.left--; d.left == -1 {
		*d.struck = true
		d.dev.FailNext(op, path, 1)
	}
}

func (d *failingDisk) Open(path string, mode env.OpenMode, done func(env.File, error)) {
	d.count(disk.OpOpen, path)
	d.Disk.Open(path, mode, func(f env.File, err error) {
		if err == nil {
			f = &failingFile{File: f, d: d, path: path}
		}
		done(f, err)
	})
}

func (d *failingDisk) Mkdir(path string, done func(error)) {
	d.count(disk.OpMkdir, path)
	d.Disk.Mkdir(path, done)
}

func (d *failingDisk) Rename(from, to string, done func(error)) {
	d.count(disk.OpRename, from)
	d.Disk.Rename(from, to, done)
}

func (d *failingDisk) Remove(path string, done func(error)) {
	d.count(disk.OpRemove, path)
	d.Disk.Remove(path, done)
}

func (d *failingDisk) List(dir string, done func([]env.DirEntry, error)) {
	d.count(disk.OpList, dir)
	d.Disk.List(dir, done)
}

func (d *failingDisk) SyncDir(dir string, done func(error)) {
	d.count(disk.OpSyncDir, dir)
	d.Disk.SyncDir(dir, done)
}

type failingFile struct {
	env.File
	d    *failingDisk
	path string
}

func (f *failingFile) ReadAt(buf []byte, off int64, done func(int, error)) {
	f.d.count(disk.OpRead, f.path)
	f.File.ReadAt(buf, off, done)
}

func (f *failingFile) WriteAt(bufs [][]byte, off int64, done func(error)) {
	f.d.count(disk.OpWrite, f.path)
	f.File.WriteAt(bufs, off, done)
}

func (f *failingFile) Sync(done func(error)) {
	f.d.count(disk.OpSync, f.path)
	f.File.Sync(done)
}

func (f *failingFile) Truncate(size int64, done func(error)) {
	f.d.count(disk.OpTruncate, f.path)
	f.File.Truncate(size, done)
}

// run runs a program as a task of the process. It reports false if the process was to be
// stopped before the program ended.
func (m *machine) run(program func(t *env.Task)) bool {
	m.t.Helper()
	done := false
	m.proc.Post(m.k.Kind("program"), sim.Func(func() {
		m.e.Tasks.Go(func(t *env.Task) {
			program(t)
			done = true
		})
	}), 0)
	for !done {
		if m.stopAt > 0 && m.k.Steps() >= m.stopAt {
			return false
		}
		if !m.k.Step() {
			m.t.Fatal("the program hangs: nothing is left to happen")
		}
	}
	return true
}

// must is run for programs that have to end.
func (m *machine) must(program func(t *env.Task)) {
	m.t.Helper()
	if !m.run(program) {
		m.t.Fatal("stopped")
	}
}

var tp0 = wire.TopicPartition{Topic: "t", Partition: 0}

// testStore has logs fight for memory.
var testStore = storage.StoreConfig{ClusterID: "cluster-A", NodeID: 1, TailBytes: 8 << 10}

func smallConfig() storage.Config {
	c := storage.DefaultConfig()
	c.SegmentBytes = 1000
	c.IndexIntervalBytes = 150
	c.CacheBytes = 400
	c.RetentionTime = -1
	return c
}

// openStore opens the data directory or fails the test.
func openStore(t testing.TB, task *env.Task, e *env.Env) *storage.Store {
	t.Helper()
	s, err := storage.OpenStore(task, e, testStore)
	if err != nil {
		t.Fatalf("OpenStore: %v", err)
	}
	return s
}

// openT0 opens or creates the partition t-0.
func openT0(t testing.TB, task *env.Task, s *storage.Store, cfg storage.Config) *storage.Log {
	t.Helper()
	l, err := tryOpenT0(task, s, cfg)
	if err != nil {
		t.Fatalf("opening t-0: %v", err)
	}
	return l
}

func tryOpenT0(task *env.Task, s *storage.Store, cfg storage.Config) (*storage.Log, error) {
	for _, p := range s.Partitions() {
		if p.TopicPartition == tp0 {
			return s.OpenLog(task, tp0, cfg, storage.Observer{})
		}
	}
	return env.Await2(task, func(done func(*storage.Log, error)) {
		s.CreatePartition(storage.Partition{TopicPartition: tp0, TopicID: wire.UUID{1}}, cfg, storage.Observer{}, done)
	})
}

// batch builds a batch of records whose values are size bytes long.
func batch(base wire.Offset, epoch wire.LeaderEpoch, timestamps []int64, size int, tag string) []byte {
	b := wire.NewBuilder(wire.BatchOptions{BaseOffset: base, LeaderEpoch: epoch})
	for i, ts := range timestamps {
		value := make([]byte, size)
		copy(value, fmt.Sprintf("%s/%d", tag, i))
		b.Append(ts, nil, value)
	}
	raw, err := b.Build(nil, nil)
	if err != nil {
		panic(err)
	}
	return raw
}

func appendSync(task *env.Task, l *storage.Log, raw []byte, opts storage.AppendOptions) (storage.AppendResult, error) {
	return env.Await2(task, func(done func(storage.AppendResult, error)) { l.Append(raw, opts, done) })
}

func follow(task *env.Task, l *storage.Log, raw []byte) (storage.AppendResult, error) {
	return env.Await2(task, func(done func(storage.AppendResult, error)) { l.AppendAsFollower(raw, false, done) })
}

func truncateTo(task *env.Task, l *storage.Log, to wire.Offset) error {
	return env.Await(task, func(done func(error)) { l.TruncateTo(to, done) })
}

// readAll returns everything in the log.
func readAll(task *env.Task, l *storage.Log) ([]byte, error) {
	var all []byte
	for from := l.LogStartOffset(); from < l.LogEndOffset(); {
		var next wire.Offset
		b, err := env.Await2(task, func(done func([]byte, error)) {
			l.ReadBatches(storage.ReadRequest{From: from, UpTo: l.LogEndOffset(), MaxBytes: 1 << 20}, func(b []byte, res storage.ReadResult, err error) {
				next = res.NextOffset
				done(b, err)
			})
		})
		if err != nil {
			return nil, err
		}
		if next <= from {
			return nil, fmt.Errorf("reading at %d makes no progress, log is [%d, %d)", from, l.LogStartOffset(), l.LogEndOffset())
		}
		all = append(all, b...)
		from = next
	}
	return all, nil
}
