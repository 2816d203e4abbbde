package envtest

import (
	"fmt"
	"time"

	"odradek/broker/env"
)

// Durations of the suite. They are real time in real mode, so they are short; no
// test depends on the world being fast.
const (
	blink    = 2 * time.Millisecond
	while    = 30 * time.Millisecond // long enough to notice what must not happen
	patience = 5 * time.Second       // time-out of dials that must succeed
)

// script is a coroutine on one node's loop, with what it needs to read like a
// specification. Its operations end the test's script when they fail
// unexpectedly; the methods called try... hand the error over.
type script struct {
	*suite
	*env.Task
	*env.Env
	node int
}

// ended unwinds a script that has failed.
type ended struct{}

// start begins a script on node i; finish waits for it.
func (s *suite) start(i int, fn func(*script)) {
	s.open++
	s.Do(i, func() {
		e := s.World.Env(i)
		e.Tasks.Go(func(t *env.Task) {
			defer func() {
				s.open--
				if r := recover(); r != nil {
					if _, ok := r.(ended); !ok {
						panic(r)
					}
				}
			}()
			fn(&script{suite: s, Task: t, Env: e, node: i})
		})
	})
}

// finish waits until all scripts have ended.
func (s *suite) finish() {
	s.Helper()
	s.eventually("the end of the scripts", func() bool { return s.open == 0 || s.Failed() })
}

// play is start and finish.
func (s *suite) play(i int, fn func(*script)) {
	s.Helper()
	s.start(i, fn)
	s.finish()
}

// eventually lets time pass until the condition holds. It runs on the test, not in
// a script.
func (s *suite) eventually(what string, cond func() bool) {
	s.Helper()
	if !s.World.Run(cond) {
		s.Fatalf("never happened: %s", what)
	}
}

// pause lets d of node i's time pass.
func (s *suite) pause(i int, d time.Duration) {
	s.Helper()
	over := false
	s.Do(i, func() { s.World.Env(i).Clock.After(d, func() { over = true }) })
	s.eventually("the end of a pause", func() bool { return over })
}

// fatalf reports a failure and ends the script.
func (s *script) fatalf(format string, args ...any) {
	s.Helper()
	s.Errorf(format, args...)
	panic(ended{})
}

// check ends the script unless ok.
func (s *script) check(ok bool, format string, args ...any) {
	s.Helper()
	if !ok {
		s.fatalf(format, args...)
	}
}

// must ends the script if an operation failed.
func (s *script) must(err error, format string, args ...any) {
	s.Helper()
	if err != nil {
		s.fatalf("%s: %v", fmt.Sprintf(format, args...), err)
	}
}

// nap lets d pass.
func (s *script) nap(d time.Duration) { s.Task.Sleep(s.Clock, d) }

// until lets time pass until the condition holds, in small steps. A condition that
// never holds fails the test through its deadline.
func (s *script) until(cond func() bool) {
	for !cond() {
		s.nap(blink)
	}
}

// pattern fills a buffer with bytes that tell their positions in a stream apart:
// no shift, gap or repetition goes unnoticed.
func pattern(buf []byte, from int64) {
	for i := range buf {
		buf[i] = patternAt(from + int64(i))
	}
}

func patternAt(pos int64) byte {
	x := uint64(pos) * 0x9e3779b97f4a7c15
	return byte(x>>56) ^ byte(pos)
}

func patterned(n int) []byte {
	b := make([]byte, n)
	pattern(b, 0)
	return b
}

// firstDifference is the index of the first byte that is not the pattern from the
// given position on, or -1.
func firstDifference(buf []byte, from int64) int {
	for i, b := range buf {
		if b != patternAt(from+int64(i)) {
			return i
		}
	}
	return -1
}
