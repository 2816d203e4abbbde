package storage_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/producers"
	"odradek/broker/storage"
	"odradek/broker/wire"
	"odradek/sim/disk"
)

// driver does random things to a log.
type driver struct {
	t       testing.TB
	m       *machine
	r       *rand.Rand
	model   *model
	cfg     storage.Config
	store   *storage.Store
	log     *storage.Log
	pending int
	opened  bool // in this life
	failure error
}

var verbose = flag.Bool("storage.trace", false, "print what the model test does")

var oneSeed = flag.Int("storage.seed", -1, "run the model test with this seed only")

func (d *driver) trace(format string, args ...any) {
	if *verbose {
		d.t.Logf("%10d "+format, append([]any{d.m.k.Steps()}, args...)...)
	}
}

func (d *driver) failf(format string, args ...any) {
	if d.failure == nil {
		d.failure = fmt.Errorf(format, args...)
	}
}

// settle waits until everything submitted is done.
func (d *driver) settle(task *env.Task) {
	for d.pending > 0 {
		task.Sleep(d.m.e.Clock, 50_000)
	}
}

// start opens the store and the log and compares it with the model.
func (d *driver) start(task *env.Task, power bool) error {
	s, err := storage.OpenStore(task, d.m.e, testStore)
	if err != nil {
		return err
	}
	d.store = s
	d.log, err = tryOpenT0(task, s, d.cfg)
	if err != nil {
		return err
	}
	if err := d.model.reopened(task, d.log, power); err != nil {
		if d.log.Err() != nil {
			return err // an injected error
		}
		d.failf("%w", err)
	}
	d.opened = true
	return nil
}

// work does n operations.
func (d *driver) work(task *env.Task, n int) {
	for range n {
		if d.failure != nil || d.log.Err() != nil {
			break
		}
		d.step(task)
	}
	d.settle(task)
}

func (d *driver) step(task *env.Task) {
	m, l, r := d.model, d.log, d.r
	d.trace("log [%d, %d) next %d flushed %d recovery point %d epoch %d", l.LogStartOffset(), l.LogEndOffset(), l.NextOffset(), l.FlushedOffset(), l.RecoveryPoint(), l.LatestEpoch())
	switch p := r.IntN(100); {
	case p < 40:
		d.append(r.IntN(4) == 0)
	case p < 45:
		d.appendAgain()
	case p < 55:
		d.appendAsFollower()
	case p < 63:
		target := l.NextOffset()
		d.pending++
		l.Flush(func(err error) {
			d.pending--
			if err == nil {
				m.durable = max(m.durable, target)
			}
		})
	case p < 70:
		if err := m.checkReads(task, r, l); err != nil {
			d.failf("%w", err)
		}
	case p < 75:
		m.epoch++
		if r.IntN(2) == 0 {
			l.AssignEpochStart(m.epoch)
		}
	case p < 80:
		d.pending++
		d.trace("checkpoint")
		d.store.Checkpoint(func(err error) { d.pending--; d.trace("checkpoint done: %v", err) })
	case p < 84:
		d.disturb(task)
		d.truncate(task)
	case p < 85:
		d.disturb(task)
		d.restartLog(task)
	case p < 88:
		start := l.LogStartOffset()
		d.deleteRecordsBelow(start + wire.Offset(r.Int64N(int64(l.LogEndOffset()-start)+1)))
	case p < 91:
		d.retain(task)
	default:
		d.settle(task)
	}
}

// disturb has a checkpoint or a sync get in the way of what follows.
func (d *driver) disturb(task *env.Task) {
	switch d.r.IntN(3) {
	case 0:
		d.settle(task)
	case 1:
		d.pending++
		d.m.e.Clock.After(time.Duration(d.r.IntN(500_000)), func() {
			d.store.Checkpoint(func(error) { d.pending-- })
		})
	default: // with appends and syncs on their way
		task.Sleep(d.m.e.Clock, time.Duration(d.r.IntN(300_000)))
	}
}

func (d *driver) build(base wire.Offset) modelBatch {
	m := d.model
	b := modelBatch{base: base, epoch: m.epoch}
	for range 1 + d.r.IntN(3) {
		m.lastTimestamp += d.r.Int64N(10)
		b.timestamps = append(b.timestamps, 1_000_000+m.lastTimestamp-d.r.Int64N(20))
	}
	m.tags++
	size := 10 + d.r.IntN(150)
	b.raw = batch(base, b.epoch, b.timestamps, size, fmt.Sprint(m.tags))
	d.asProducer(&b, size)
	b.next = base + wire.Offset(len(b.timestamps))
	return b
}

func (d *driver) append(sync bool) {
	b := d.build(0)
	n := b.next
	b.base = d.log.NextOffset()
	b.next = b.base + n
	d.trace("append [%d, %d) epoch %d sync %v", b.base, b.next, b.epoch, sync)
	d.submit([]modelBatch{b}, sync, func(done func(storage.AppendResult, error)) {
		d.log.Append(b.raw, storage.AppendOptions{Epoch: b.epoch, Sync: sync, Rules: producers.Rules{Origin: producers.Client}}, done)
	})
}

func (d *driver) appendAsFollower() {
	b1 := d.build(d.log.NextOffset())
	b2 := d.build(b1.next)
	sync := d.r.IntN(4) == 0
	d.trace("follow [%d, %d) epoch %d sync %v", b1.base, b2.next, b1.epoch, sync)
	raw := append(bytes.Clone(b1.raw), b2.raw...)
	raw = append(raw, b1.raw[:d.r.IntN(len(b1.raw))]...) // an incomplete one
	d.submit([]modelBatch{b1, b2}, sync, func(done func(storage.AppendResult, error)) { d.log.AppendAsFollower(raw, sync, done) })
}

func (d *driver) submit(bs []modelBatch, sync bool, start func(done func(storage.AppendResult, error))) {
	m, end := d.model, bs[len(bs)-1].next
	m.batches = append(m.batches, bs...)
	d.pending++
	start(func(res storage.AppendResult, err error) {
		d.pending--
		if err != nil {
			var offline *storage.OfflineError
			if !errors.As(err, &offline) && !(errors.Is(err, storage.ErrTruncated) && (m.truncating || m.startOver)) {
				d.failf("append: %w", err)
			}
			return
		}
		if res.BaseOffset != bs[0].base || res.NextOffset != end {
			d.failf("appended at [%d, %d), want [%d, %d)", res.BaseOffset, res.NextOffset, bs[0].base, end)
		}
		if d.log.LogEndOffset() < end || (sync && d.log.FlushedOffset() < end) {
			d.failf("acknowledged %d (sync %v) with log end %d, flushed %d", end, sync, d.log.LogEndOffset(), d.log.FlushedOffset())
		}
		m.acked = max(m.acked, end)
		if sync {
			m.durable = max(m.durable, end)
		}
	})
}

func (d *driver) truncate(task *env.Task) {
	start := d.log.LogStartOffset()
	d.truncateAt(task, start+wire.Offset(d.r.Int64N(int64(d.log.NextOffset()-start)+1)))
}

func (d *driver) truncateAt(task *env.Task, to wire.Offset) {
	m, l := d.model, d.log
	m.truncating, m.truncateTo = true, to
	c := model{batches: slices.Clone(m.batches)}
	m.lowStart = min(m.lowStart, c.cut(to))
	d.trace("truncate to %d", to)
	err := truncateTo(task, l, to)
	d.trace("truncated to %d: %v", to, err)
	if err != nil {
		return // offline
	}
	end := m.cut(to)
	m.truncating = false
	m.acked, m.durable = end, min(m.durable, end)
	m.lowStart, m.highStart = min(m.lowStart, end), max(end, m.lowStart)
	if l.LogEndOffset() != end || l.NextOffset() != end {
		d.failf("truncated to %d: log end %d, next %d, want %d", to, l.LogEndOffset(), l.NextOffset(), end)
	}
	if err := m.checkProducers(l); err != nil {
		d.failf("truncated to %d: %w", to, err)
	}
}

func (d *driver) restartLog(task *env.Task) {
	d.restartLogAt(task, wire.Offset(d.r.Int64N(int64(d.log.NextOffset())+20)))
}

func (d *driver) restartLogAt(task *env.Task, at wire.Offset) {
	m, l := d.model, d.log
	m.startOver, m.startOverAt = true, at
	// Cut short, it may bring back records that DeleteRecords had hidden.
	m.lowStart, m.highStart = min(m.lowStart, at), max(m.highStart, at)
	d.trace("start over at %d", at)
	if err := env.Await(task, func(done func(error)) { l.TruncateFullyAndStartAt(at, done) }); err != nil {
		return
	}
	*m = model{durable: at, acked: at, lowStart: at, highStart: at, epoch: m.epoch, lastTimestamp: m.lastTimestamp, tags: m.tags}
	if l.LogStartOffset() != at || l.NextOffset() != at || l.LatestEpoch() != wire.NoLeaderEpoch {
		d.failf("restarted at %d: [%d, %d), epoch %d", at, l.LogStartOffset(), l.NextOffset(), l.LatestEpoch())
	}
}

func (d *driver) deleteRecordsBelow(to wire.Offset) {
	m, l := d.model, d.log
	m.highStart = max(m.highStart, to)
	d.trace("delete records below %d", to)
	d.pending++
	l.DeleteRecords(to, func(err error) {
		d.pending--
		if m.truncating || m.startOver {
			return // which may take it back
		}
		if err == nil {
			m.lowStart = max(m.lowStart, to)
		} else if l.Err() == nil && !errors.Is(err, env.ErrIO) { // of the checkpoint
			d.failf("DeleteRecords: %w", err)
		}
	})
	if l.LogStartOffset() != to {
		d.failf("log start %d after DeleteRecords(%d)", l.LogStartOffset(), to)
	}
}

func (d *driver) retain(task *env.Task) {
	m, l := d.model, d.log
	cfg := d.cfg
	cfg.RetentionBytes = d.r.Int64N(6000)
	d.trace("retain %d bytes", cfg.RetentionBytes)
	l.SetConfig(cfg)
	d.settle(task)
	m.highStart = max(m.highStart, l.NextOffset())
	before := l.LogStartOffset()
	_, err := env.Await2(task, func(done func(int, error)) { l.ApplyRetention(l.LogEndOffset(), done) })
	if err == nil {
		m.highStart = l.LogStartOffset()
		if m.highStart > before {
			m.lowStart = m.highStart
		}
	} else if l.Err() == nil {
		d.failf("ApplyRetention: %w", err)
	}
}

// newDriver is a driver on a new machine, with a small configuration.
func newDriver(t testing.TB, seed uint64) *driver {
	return &driver{t: t, m: newMachine(t, seed), r: rand.New(rand.NewPCG(seed, 7)), model: &model{lastTimestamp: 100}, cfg: smallConfig()}
}

// life runs a machine through crashes.
func life(t testing.TB, seed uint64, crashes int) {
	r := rand.New(rand.NewPCG(seed, 7))
	m := newMachine(t, seed)
	cfg := smallConfig()
	cfg.SegmentBytes = 300 + r.Int64N(3000)
	cfg.IndexIntervalBytes = r.Int64N(500)
	cfg.CacheBytes = r.IntN(2000)
	if r.IntN(3) == 0 {
		cfg.FlushMessages = 1 + r.Int64N(20)
	}
	if r.IntN(3) == 0 {
		cfg.FlushTime = 1_000_000
	}
	d := &driver{t: t, m: m, r: r, model: &model{lastTimestamp: 100}, cfg: cfg}
	power := false
	trace := d.trace
	for i := range crashes {
		trace("life %d", i)
		clean := false
		fault := r.IntN(3) == 0
		if r.IntN(5) > 0 && i+1 < crashes {
			m.stopAt = m.k.Steps() + 1 + r.Uint64N(600)
		}
		d.pending, d.opened = 0, false
		m.run(func(task *env.Task) {
			if fault && r.IntN(3) == 0 {
				d.injure()
			}
			if err := d.start(task, power); err != nil {
				var corrupt *storage.CorruptError
				if !fault || errors.As(err, &corrupt) {
					d.failf("opening: %w", err)
				}
				return
			}
			if fault {
				d.work(task, r.IntN(20))
				d.injure()
			}
			d.work(task, r.IntN(60))
			if r.IntN(3) == 0 && d.failure == nil {
				err := env.Await(task, func(done func(error)) { d.store.Close(5, done) })
				if err == nil && d.log.Err() == storage.ErrClosed {
					clean = true
				} else if !fault {
					d.failf("Close: %w", err)
				}
			}
		})
		if d.failure != nil {
			t.Fatalf("seed %d, life %d: %v", seed, i, d.failure)
		}
		if fault && m.dev.Stats().PagesDropped > 0 {
			d.model.syncFailed = true
		}
		m.dev.ClearErrors()
		cut := r.IntN(2) == 0
		power = cut || (power && !d.opened) // what a power loss took stays missing
		trace("crash, power %v, clean %v, model durable %d acked %d end %d", power, clean, d.model.durable, d.model.acked, d.model.end())
		m.crash(cut)
		if clean {
			d.model.durable, d.model.acked = d.model.end(), d.model.end()
		}
	}
	m.must(func(task *env.Task) {
		if err := d.start(task, power); err != nil {
			t.Fatalf("seed %d, at last: %v", seed, err)
		}
	})
	if d.failure != nil {
		t.Fatalf("seed %d, at last: %v", seed, d.failure)
	}
}

// injure orders the disk to fail soon.
func (d *driver) injure() {
	kind := []disk.Op{disk.OpRead, disk.OpWrite, disk.OpSync, disk.OpTruncate, disk.OpOpen, disk.OpMkdir, disk.OpRename, disk.OpRemove, disk.OpList, disk.OpSyncDir}[d.r.IntN(10)]
	d.trace("the next %v fails", kind)
	d.m.dev.FailNext(kind, "", 1+d.r.IntN(2))
}

func TestWhatWasPromisedSurvives(t *testing.T) {
	lives := 400
	if testing.Short() {
		lives = 30
	}
	if *oneSeed >= 0 {
		life(t, uint64(*oneSeed), 8)
		return
	}
	for seed := range uint64(lives) {
		life(t, seed, 8)
	}
}
