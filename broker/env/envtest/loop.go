package envtest

import (
	"odradek/broker/env"
)

var loopTests = []test{
	{"CallbackNeverRunsInsideTheRegisteringCall", callbackNeverRunsInsideTheRegisteringCall},
	{"CallbacksOfANodeRunOneAtATime", callbacksOfANodeRunOneAtATime},
	{"NothingFiresAfterACrash", nothingFiresAfterACrash},
	{"RestartedNodeWorks", restartedNodeWorks},
}

// registrations calls everything in the seam that takes a callback, once. wrap
// makes the callback out of the operation's name; conn is open, has no read
// outstanding and nothing buffered, and file is open for writing.
func registrations(e *env.Env, addr string, conn env.Conn, file env.File, wrap func(op string) func()) []struct {
	op   string
	call func()
} {
	ok := func(op string) func(error) { f := wrap(op); return func(error) { f() } }
	opened := func(op string) func(env.File, error) { f := wrap(op); return func(env.File, error) { f() } }
	count := func(op string) func(int, error) { f := wrap(op); return func(int, error) { f() } }
	return []struct {
		op   string
		call func()
	}{
		{"After at once", func() { e.Clock.After(0, wrap("After at once")) }},
		{"After negative", func() { e.Clock.After(-1, wrap("After negative")) }},
		{"After soon", func() { e.Clock.After(1, wrap("After soon")) }},
		{"Dial", func() {
			f := wrap("Dial")
			e.Net.Dial(addr, patience, func(env.Conn, error) { f() })
		}},
		{"Read", func() { conn.Read(make([]byte, 4), 1, count("Read")) }},
		{"OnDrain", func() { conn.OnDrain(0, wrap("OnDrain")) }},
		{"Open", func() { e.Disk.Open("new", env.Create, opened("Open")) }},
		{"Open of a missing file", func() { e.Disk.Open("missing", 0, opened("Open of a missing file")) }},
		{"Mkdir", func() { e.Disk.Mkdir("d/e", ok("Mkdir")) }},
		{"Rename", func() { e.Disk.Rename("new", "newer", ok("Rename")) }},
		{"Remove", func() { e.Disk.Remove("newer", ok("Remove")) }},
		{"List", func() {
			f := wrap("List")
			e.Disk.List(".", func([]env.DirEntry, error) { f() })
		}},
		{"SyncDir", func() { e.Disk.SyncDir(".", ok("SyncDir")) }},
		{"WriteAt", func() { file.WriteAt([][]byte{[]byte("abc")}, 0, ok("WriteAt")) }},
		{"WriteAt of nothing", func() { file.WriteAt(nil, 0, ok("WriteAt of nothing")) }},
		{"ReadAt", func() { file.ReadAt(make([]byte, 3), 0, count("ReadAt")) }},
		{"Truncate", func() { file.Truncate(1, ok("Truncate")) }},
		{"Sync", func() { file.Sync(ok("Sync")) }},
		{"Work", func() { e.CPU.Work(env.OpCRC, 1, func() {}, wrap("Work")) }},
	}
}

func callbackNeverRunsInsideTheRegisteringCall(s *suite) {
	s.play(0, func(s *script) {
		client, server := s.pair(0)
		server.say("ping")
		file := s.create("file")
		inside, fired := "", 0
		wrap := func(op string) func() {
			return func() {
				if inside != "" {
					s.Errorf("the callback of %s ran inside the call of %s", op, inside)
				}
				fired++
			}
		}
		l := s.listen(func(c env.Conn) { wrap("accept")(); c.Close() })
		all := registrations(s.Env, l.Addr(), client, file, wrap)
		for _, r := range all {
			inside = r.op
			r.call()
			inside = ""
		}
		s.until(func() bool { return fired == len(all)+1 }) // and accept
		inside = "Close and Kill"
		client.Close()
		file.Close()
		l.Close()
		inside = ""
		s.nap(while)
		s.check(fired == len(all)+1, "%d callbacks of %d operations", fired, len(all)+1)
	})
}

func callbacksOfANodeRunOneAtATime(s *suite) {
	running, fired := false, 0
	s.play(0, func(s *script) {
		f := s.create("file")
		enter := func() {
			if running {
				s.Errorf("two callbacks at once")
			}
			running = true
			for range 100 {
				_ = s.Clock.Now()
			}
			running = false
			fired++
		}
		const rounds = 50
		for i := range rounds {
			s.Clock.After(0, enter)
			f.WriteAt([][]byte{{1}}, int64(i), func(error) { enter() })
			s.Disk.List(".", func([]env.DirEntry, error) { enter() })
			s.CPU.Work(env.OpCopy, 1, func() {}, enter)
		}
		s.until(func() bool { return fired == 4*rounds })
	})
}

func nothingFiresAfterACrash(s *suite) {
	crashed := false
	wrap := func(op string) func() {
		return func() {
			if crashed {
				s.Errorf("%s fired after the crash", op)
			}
		}
	}
	deferred := 0
	s.start(0, func(s *script) {
		client, server := s.pair(0)
		file := s.create("file")
		l := s.listen(func(env.Conn) { wrap("accept")() })
		server.say("ping")
		for _, r := range registrations(s.Env, l.Addr(), client, file, wrap) {
			r.call()
		}
		server.Read(make([]byte, 1), 1, func(int, error) { wrap("a read that waits")() })
		s.Clock.After(blink, wrap("a timer"))
		s.Clock.After(while/2, wrap("a later timer"))
		s.Tasks.Go(func(t *env.Task) {
			defer func() { deferred++ }()
			t.Sleep(s.Clock, while/2)
			wrap("a task")()
		})
	})
	s.finish()
	old := s.World.Env(0)
	s.Restart(0)
	crashed = true
	if old == s.World.Env(0) {
		s.Errorf("a new life has the old env")
	}
	if deferred != 1 {
		s.Errorf("deferred calls of tasks ran %d times, want once", deferred)
	}
	if n := old.Tasks.Len(); n != 0 {
		s.Errorf("%d tasks survived the crash", n)
	}
	old.Tasks.Go(func(*env.Task) { s.Errorf("a dead node started a task") })
	s.pause(0, 2*while)
}

func restartedNodeWorks(s *suite) {
	for range 3 {
		s.Restart(0)
		s.play(0, func(s *script) {
			client, server := s.pair(0)
			client.say("hello")
			s.expect(server, "hello")
			f := s.openFile("file", env.Create)
			s.put(f, f.Size(), "x")
			s.nap(blink)
		})
	}
}
