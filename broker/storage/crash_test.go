package storage_test

import (
	"fmt"
	"testing"

	"odradek/broker/env"
	"odradek/broker/storage"
	"odradek/broker/wire"
	"odradek/sim/disk"
)

// script is a short life in which everything happens once.
func script(t *testing.T, task *env.Task, d *driver) {
	m := d.model
	must := func(what string, err error) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	wait := func() { d.settle(task) }
	if err := d.start(task, true); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		d.append(i%3 == 0)
		d.appendAsFollower()
	}
	wait()
	m.epoch++
	d.log.AssignEpochStart(m.epoch)
	d.append(false)
	must("checkpoint", env.Await(task, d.store.Checkpoint))
	d.append(true)
	wait()
	end := d.log.LogEndOffset()
	d.truncateAt(task, end-3)
	d.append(false)
	wait()
	d.truncateAt(task, d.log.LogStartOffset()+7) // into a sealed segment
	for range 6 {
		d.append(false)
	}
	wait()
	must("checkpoint", env.Await(task, d.store.Checkpoint))
	d.deleteRecordsBelow(d.log.LogStartOffset() + 5)
	wait()
	d.retain(task)
	d.restartLogAt(task, 1000)
	d.append(true)
	wait()
	must("close", env.Await(task, func(done func(error)) { d.store.Close(5, done) }))
}

// TestCrashAtEveryEffect kills the process, or the power, after every single event of the
// script, and looks at what the next start finds.
func TestCrashAtEveryEffect(t *testing.T) {
	whole := newDriver(t, 1)
	whole.m.must(func(task *env.Task) { script(t, task, whole) })
	steps := whole.m.k.Steps()
	if steps < 300 {
		t.Fatalf("the script has only %d effects", steps)
	}
	for _, power := range []bool{false, true} {
		for at := uint64(1); at <= steps; at++ {
			d := newDriver(t, 1)
			d.m.stopAt = at
			d.m.run(func(task *env.Task) { script(t, task, d) })
			d.m.crash(power)
			d.pending = 0
			d.m.must(func(task *env.Task) {
				if err := d.start(task, power); err != nil {
					d.failf("opening: %w", err)
				}
			})
			if d.failure != nil {
				t.Fatalf("crash after effect %d of %d, power loss %v: %v", at, steps, power, d.failure)
			}
		}
	}
}

// TestCrashesDuringRecovery interrupts recovery itself at every effect: it must not make
// worse what it finds.
func TestCrashesDuringRecovery(t *testing.T) {
	torn := func() *driver {
		d := newDriver(t, 3)
		d.m.must(func(task *env.Task) {
			if err := d.start(task, true); err != nil {
				t.Fatal(err)
			}
			for i := range 12 {
				d.append(i == 4)
				d.appendAsFollower()
			}
			d.settle(task)
			for range 5 {
				d.append(false)
			}
		})
		d.m.crash(true)
		d.pending = 0
		return d
	}
	for at := uint64(1); ; at++ {
		d := torn()
		d.m.stopAt = d.m.k.Steps() + at
		over := d.m.run(func(task *env.Task) {
			if err := d.start(task, true); err != nil {
				d.failf("opening: %w", err)
			}
		})
		if !over {
			d.m.crash(at%2 == 0)
			d.m.must(func(task *env.Task) {
				if err := d.start(task, true); err != nil {
					d.failf("opening: %w", err)
				}
			})
		}
		if d.failure != nil {
			t.Fatalf("crash after effect %d of recovery: %v", at, d.failure)
		}
		if over {
			if at < 20 {
				t.Fatalf("recovery has only %d effects", at)
			}
			return
		}
	}
}

// TestEveryOperationMayFail lets each disk operation of the script fail once, in turn.
func TestEveryOperationMayFail(t *testing.T) {
	for n := 0; ; n++ {
		d := newDriver(t, 1)
		struck := d.m.failOperation(n)
		d.m.run(func(task *env.Task) {
			if err := d.start(task, true); err != nil {
				return
			}
			for i := range 10 {
				d.append(i%3 == 0)
				d.appendAsFollower()
			}
			d.settle(task)
			if d.log.Err() == nil {
				d.truncateAt(task, 9)
			}
			if d.log.Err() == nil {
				d.retain(task)
			}
			offline := d.log.Err()
			err := env.Await(task, func(done func(error)) { d.store.Close(5, done) })
			if offline != nil && err == nil {
				d.failf("closing hides that the log went offline: %v", offline)
			}
		})
		if d.m.dev.Stats().PagesDropped > 0 {
			d.model.syncFailed = true
		}
		power := n%2 == 0
		d.m.crash(power)
		d.pending = 0
		d.m.must(func(task *env.Task) {
			if err := d.start(task, power); err != nil {
				d.failf("opening: %w", err)
			}
		})
		if d.failure != nil {
			t.Fatalf("operation %d failed: %v", n, d.failure)
		}
		if !*struck {
			if n < 50 {
				t.Fatalf("only %d operations", n)
			}
			return
		}
	}
}

// TestNoSpaceLosesNothingAcknowledged fills the disk.
func TestNoSpaceLosesNothingAcknowledged(t *testing.T) {
	d := newDriver(t, 5)
	d.m.must(func(task *env.Task) {
		if err := d.start(task, true); err != nil {
			t.Fatal(err)
		}
		d.m.dev.SetCapacity(d.m.dev.Used() + 20_000)
		for i := 0; d.log.Err() == nil && i < 1000; i++ {
			d.append(i%3 == 0)
			d.settle(task)
		}
		if d.log.Err() == nil {
			t.Fatal("the disk never fills")
		}
		if _, err := appendSync(task, d.log, batch(0, 0, []int64{1}, 10, ""), storage.AppendOptions{}); err == nil {
			t.Fatal("an append after the error was acknowledged")
		}
	})
	d.m.dev.SetCapacity(0)
	d.m.crash(true)
	d.m.must(func(task *env.Task) {
		if err := d.start(task, true); err != nil {
			d.failf("opening: %w", err)
		}
	})
	if d.failure != nil {
		t.Fatal(d.failure)
	}
}

// TestFailedSyncIsNotRetriedIntoSuccess restarts the process after a sync failed: the page
// cache still has what the disk does not. Recovery must write it again, for a power loss later.
func TestFailedSyncIsNotRetriedIntoSuccess(t *testing.T) {
	for seed := range uint64(40) {
		m := newMachine(t, seed)
		var end wire.Offset
		m.must(func(task *env.Task) {
			l := openT0(t, task, openStore(t, task, m.e), smallConfig())
			for i := range 8 {
				if _, err := appendSync(task, l, batch(0, 0, []int64{1}, 600, fmt.Sprint(i)), storage.AppendOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			m.dev.FailNext(disk.OpSync, ".log", 1)
			if err := env.Await(task, l.Flush); err == nil {
				return // a roll's sync took the error
			}
			if err := env.Await(task, l.Flush); err == nil {
				t.Fatalf("seed %d: a flush after a failed one succeeded", seed)
			}
		})
		m.dev.ClearErrors()
		m.crash(false)
		m.must(func(task *env.Task) {
			l := openT0(t, task, openStore(t, task, m.e), smallConfig())
			end = l.FlushedOffset()
		})
		m.crash(true)
		m.must(func(task *env.Task) {
			l := openT0(t, task, openStore(t, task, m.e), smallConfig())
			if l.LogEndOffset() < end {
				t.Fatalf("seed %d: %d was flushed, power loss left %d", seed, end, l.LogEndOffset())
			}
		})
	}
}
