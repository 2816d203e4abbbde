package cluster

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/netsim"
	"odradek/sim"
	"odradek/sim/disk"
)

// machine is one host with a disk, and a client without.
func machine(seed uint64) (*sim.Kernel, *Host, *Host) {
	k := sim.New(seed)
	n := netsim.New(k, netsim.DefaultConfig())
	d := disk.DefaultConfig()
	return k, NewHost(k, n, HostConfig{Name: "broker", Disk: &d, CPU: DefaultCPU()}),
		NewHost(k, n, HostConfig{Name: "client", CPU: DefaultCPU()})
}

func TestHostLosesTheUnsyncedAtPowerLossOnly(t *testing.T) {
	lost := 0
	for seed := range uint64(20) {
		k, h, _ := machine(seed)
		var e env.Env
		write := func(name string, sync bool) {
			e = h.Boot()
			e.Tasks.Go(func(task *env.Task) {
				f, err := env.Await2(task, func(done func(env.File, error)) { e.Disk.Open(name, env.Create, done) })
				if err == nil {
					err = env.Await(task, func(done func(error)) { f.WriteAt([][]byte{[]byte("data")}, 0, done) })
				}
				if err == nil && sync {
					err = env.Await(task, f.Sync)
				}
				if err == nil && sync {
					err = env.Await(task, func(done func(error)) { e.Disk.SyncDir(".", done) })
				}
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			})
			k.RunFor(time.Second)
		}
		find := func(name string) string {
			for _, f := range h.Disk.Snapshot() {
				if f.Path == name {
					return string(f.Data)
				}
			}
			return "none"
		}
		write("synced", true)
		h.CrashProcess()
		write("unsynced", false)
		h.CrashProcess()
		if find("unsynced") != "data" {
			t.Fatalf("seed %d: a process crash took %q", seed, find("unsynced"))
		}
		h.PowerLoss() // the process is off already; its page cache goes now
		if find("synced") != "data" {
			t.Fatalf("seed %d: synced data are %q", seed, find("synced"))
		}
		if find("unsynced") != "data" {
			lost++
		}
		if h.Boot(); h.Life() != 3 || !h.Running() {
			t.Fatalf("life %d", h.Life())
		}
	}
	if lost == 0 || lost == 20 {
		t.Errorf("unsynced data were lost in %d of 20 runs, want some", lost)
	}
}

func TestNothingOfAnOldLifeFires(t *testing.T) {
	for _, end := range []func(*Host){(*Host).CrashProcess, (*Host).PowerLoss} {
		k, h, _ := machine(1)
		var old env.Env
		dead := false
		check := func(what string) {
			if dead {
				t.Errorf("%s fired after the crash", what)
			}
		}
		h.Start(func(e env.Env) {
			old = e
			e.Clock.After(2*time.Second, func() { check("timer") })
			e.CPU.Work(env.OpCompress, 1<<30, func() { check("work") }, func() {})
			e.Net.Dial("client:1", 5*time.Second, func(env.Conn, error) { check("dial") })
		})
		k.RunFor(100 * time.Microsecond)
		end(h)
		dead = true
		h.Boot()
		// A program that missed its own death reaches nothing.
		old.Clock.After(0, func() { check("new timer") })
		old.Disk.Open("x", env.Create, func(env.File, error) { check("open") })
		old.Net.Dial("client:1", time.Second, func(env.Conn, error) { check("new dial") })
		if _, err := old.Net.Listen("broker:7", func(env.Conn) { check("accept") }); err == nil {
			if _, err := h.NIC.Attach(h.Proc()).Listen("broker:7", func(env.Conn) {}); err != nil {
				t.Errorf("a dead process holds a port: %v", err)
			}
		}
		k.RunFor(time.Minute)
		if len(h.Disk.Snapshot()) != 0 {
			t.Error("a dead process made a file")
		}
	}
}

func TestPausedHostCatchesUp(t *testing.T) {
	k, h, _ := machine(1)
	var ticks []sim.Time
	h.Start(func(e env.Env) {
		for i := range 5 {
			e.Clock.After(time.Duration(i+1)*time.Second, func() { ticks = append(ticks, k.Now()) })
		}
	})
	k.RunFor(1500 * time.Millisecond)
	h.Pause(2 * time.Second)
	k.RunFor(10 * time.Second)
	want := []time.Duration{1000, 3500, 3500, 4000, 5000}
	for i, at := range ticks {
		if d := time.Duration(at) - want[i]*time.Millisecond; d < 0 || d > time.Microsecond {
			t.Errorf("tick %d at %v, want %v", i, at, want[i]*time.Millisecond)
		}
	}
	if len(ticks) != 5 {
		t.Fatalf("%d ticks", len(ticks))
	}
	h.Pause(0)
	k.RunFor(time.Hour)
	if !h.Proc().Paused() {
		t.Error("a pause without end ended")
	}
	h.Resume()
	h.Pause(time.Second)
	h.CrashProcess()
	h.Boot()
	h.Pause(0)
	k.RunFor(time.Minute)
	if !h.Proc().Paused() {
		t.Error("the end of a former life's pause ended this one")
	}
}

func TestComputingTimeIsCharged(t *testing.T) {
	k, h, _ := machine(1)
	h.SetSlow(2)
	var inside, next, work []time.Duration
	h.Start(func(e env.Env) {
		start := e.Clock.Now()
		since := func() time.Duration { return e.Clock.Now().Sub(start) }
		e.Clock.After(0, func() { next = append(next, since()) })
		e.CPU.Charge(env.OpRequest, 1)
		inside = append(inside, since())
		for range 3 { // two workers: the third waits
			e.CPU.Work(env.OpCompress, 1024, func() {}, func() { work = append(work, since()) })
		}
	})
	k.RunFor(time.Second)
	us := time.Microsecond
	if inside[0] != 10*us || next[0] != 10*us {
		t.Errorf("charged %v, next callback after %v, want 10us", inside[0], next[0])
	}
	if want := []time.Duration{26 * us, 26 * us, 42 * us}; len(work) != 3 || work[0] != want[0] || work[1] != want[1] || work[2] != want[2] {
		t.Errorf("work was done after %v, want %v", work, want)
	}
}

func TestFilesAreSentAsTheyAreOnDisk(t *testing.T) {
	k, h, client := machine(1)
	data := bytes.Repeat([]byte("record"), 50_000)
	h.Start(func(e env.Env) {
		_, err := e.Net.Listen("broker:9092", func(c env.Conn) {
			e.Tasks.Go(func(task *env.Task) {
				f, err := env.Await2(task, func(done func(env.File, error)) { e.Disk.Open("log", env.Create, done) })
				if err == nil {
					err = env.Await(task, func(done func(error)) { f.WriteAt([][]byte{data}, 0, done) })
				}
				if err != nil {
					t.Error(err)
				}
				c.Write([]env.Segment{{Bytes: []byte("head")}, {File: f, Off: 6, Len: len(data) - 12}})
				f.Close() // the connection keeps it
			})
		})
		if err != nil {
			t.Error(err)
		}
	})
	var got []byte
	client.Start(func(e env.Env) {
		if e.Disk != nil {
			t.Error("a client has a disk")
		}
		e.Net.Dial("broker:9092", time.Second, func(c env.Conn, err error) {
			if err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 4+len(data)-12)
			c.Read(buf, len(buf), func(n int, err error) { got = buf[:n] })
		})
	})
	k.RunFor(time.Second)
	if !bytes.Equal(got, append([]byte("head"), data[6:len(data)-6]...)) {
		t.Fatalf("received %d bytes that are not the file's", len(got))
	}
}

func TestFailpointsAndStreamsOutliveTheProcess(t *testing.T) {
	_, h, other := machine(1)
	e := h.Boot()
	if err := h.Fail.Arm(failpoint.StorageAppend, `2*return("io")`); err != nil {
		t.Fatal(err)
	}
	first := e.Rand.Stream("raft").Uint64()
	if e.Fail.Value(failpoint.StorageAppend) != "io" {
		t.Fatal("not armed")
	}
	h.CrashProcess()
	e2 := h.Boot()
	if e2.Fail.Value(failpoint.StorageAppend) != "io" || e2.Fail.On(failpoint.StorageAppend) {
		t.Error("a reboot changed the count of a failpoint")
	}
	if e2.Rand.Stream("raft").Uint64() == first {
		t.Error("a second life draws the same numbers again")
	}
	if other.Boot().Rand.Stream("raft").Uint64() == first {
		t.Error("two hosts draw the same numbers")
	}
	if e.Clock.Now() == e2.Clock.Now() {
		t.Error("instants of two lives look alike")
	}
}

func TestLivesAreTold(t *testing.T) {
	k, h, _ := machine(1)
	h.Boot()
	h.Pause(time.Second)
	h.PowerLoss()
	h.PowerLoss()
	var story strings.Builder
	for _, r := range k.Recent() {
		story.WriteString(k.KindName(r.Kind) + " ")
	}
	if got := story.String(); got != "host-boot host-pause host-power-loss " {
		t.Error(got)
	}
	defer func() {
		if recover() == nil {
			t.Error("booting twice is a bug, but did not panic")
		}
	}()
	h.Boot()
	h.Boot()
}

func TestPanicsNameTheHost(t *testing.T) {
	k, h, _ := machine(4)
	h.Start(func(e env.Env) { e.Clock.After(time.Second, func() { panic("invariant") }) })
	defer func() {
		p, ok := recover().(*sim.Panic)
		if !ok || p.Node != "broker" || p.Kind != "timer" || p.Event.At != sim.Time(time.Second) {
			t.Fatalf("%+v", p)
		}
		var err error = p
		if !errors.As(err, &p) || !strings.Contains(err.Error(), "seed 4: panic at 1s on broker") {
			t.Fatal(err)
		}
	}()
	k.RunFor(time.Minute)
}
