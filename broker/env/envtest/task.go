package envtest

import (
	"slices"

	"odradek/broker/env"
)

var taskTests = []test{
	{"TaskRunsAtOnceUpToItsFirstAwait", taskRunsAtOnceUpToItsFirstAwait},
	{"TasksTakeTurnsAtAwaits", tasksTakeTurnsAtAwaits},
	{"AwaitHandsOverResults", awaitHandsOverResults},
	{"FinishedTasksAreForgotten", finishedTasksAreForgotten},
}

func taskRunsAtOnceUpToItsFirstAwait(s *suite) {
	s.play(0, func(s *script) {
		reached, ended := false, false
		s.Tasks.Go(func(t *env.Task) {
			reached = true
			t.Sleep(s.Clock, 0)
			ended = true
		})
		s.check(reached, "the task did not start inside Go")
		s.check(!ended, "the task did not wait")
		s.until(func() bool { return ended })
	})
}

func tasksTakeTurnsAtAwaits(s *suite) {
	s.play(0, func(s *script) {
		var order []int
		for i := range 3 {
			s.Tasks.Go(func(t *env.Task) {
				for round := range 3 {
					order = append(order, round*3+i)
					t.Sleep(s.Clock, 0)
				}
			})
		}
		s.until(func() bool { return len(order) == 9 })
		s.check(slices.IsSorted(order), "tasks took turns in the order %v", order)
	})
}

func awaitHandsOverResults(s *suite) {
	s.play(0, func(s *script) {
		f, err := env.Await2(s.Task, func(done func(env.File, error)) { s.Disk.Open("file", env.Create, done) })
		s.must(err, "open")
		err = env.Await(s.Task, func(done func(error)) { f.WriteAt([][]byte{bytesOf("abc")}, 0, done) })
		s.must(err, "write")
		buf := make([]byte, 3)
		n, err := env.Await2(s.Task, func(done func(int, error)) { f.ReadAt(buf, 0, done) })
		s.must(err, "read")
		s.check(string(buf[:n]) == "abc", "read %q", buf[:n])
	})
}

func finishedTasksAreForgotten(s *suite) {
	s.play(0, func(s *script) {
		s.check(s.Tasks.Len() == 1, "%d tasks, want this one", s.Tasks.Len())
		s.Tasks.Go(func(*env.Task) {})
		s.check(s.Tasks.Len() == 1, "%d tasks after one that did not wait", s.Tasks.Len())
		s.Tasks.Go(func(t *env.Task) { t.Sleep(s.Clock, blink) })
		s.check(s.Tasks.Len() == 2, "%d tasks beside one that waits", s.Tasks.Len())
		s.until(func() bool { return s.Tasks.Len() == 1 })
	})
}
