package storage

import "odradek/broker/env"

// lane runs coroutines one after the other, in the order of submission.
type lane struct {
	e     *env.Env
	busy  bool
	queue []job
	idle  func() // called when the last job is done; may be nil
}

type job struct {
	run  func(t *env.Task) error
	done func(error)
}

// do queues a job. done follows it, never inside this call.
func (l *lane) do(run func(t *env.Task) error, done func(error)) {
	l.queue = append(l.queue, job{run, done})
	l.next()
}

func (l *lane) next() {
	if l.busy || len(l.queue) == 0 {
		return
	}
	l.busy = true
	j := l.queue[0]
	l.queue[0] = job{}
	l.queue = l.queue[1:]
	spawn(l.e, j.run, func(err error) {
		j.done(err) // before the next job begins: it may have to know of the error
		l.busy = false
		l.next()
		if !l.busy && l.idle != nil {
			l.idle()
		}
	})
}

// drain waits until everything queued so far is done.
func (l *lane) drain(t *env.Task) {
	if !l.busy {
		return
	}
	_ = env.Await(t, func(done func(error)) {
		l.do(func(*env.Task) error { return nil }, done)
	})
}

// spawn runs a coroutine and then done, never inside this call.
func spawn(e *env.Env, run func(t *env.Task) error, done func(error)) {
	inside := true
	e.Tasks.Go(func(t *env.Task) {
		err := run(t)
		if inside { // it never had to wait
			t.Sleep(e.Clock, 0)
		}
		done(err)
	})
	inside = false
}

// spawnValue is spawn for coroutines with a result.
func spawnValue[T any](e *env.Env, run func(t *env.Task) (T, error), done func(T, error)) {
	var v T
	spawn(e, func(t *env.Task) (err error) {
		v, err = run(t)
		return err
	}, func(err error) { done(v, err) })
}

// sharedFile is a small file that is rewritten whole from state that changes. Requests
// that arrive during a write share the next one.
type sharedFile struct {
	e       *env.Env
	path    string
	render  func() []byte // called when a write begins
	busy    bool
	waiting []func(error)
	idle    func() // called when the last write is done; may be nil
}

// write has the state as of now, or later, written durably.
func (f *sharedFile) write(done func(error)) {
	f.waiting = append(f.waiting, done)
	if !f.busy {
		f.begin()
	}
}

func (f *sharedFile) begin() {
	f.busy = true
	waiting := f.waiting
	f.waiting = nil
	content := f.render()
	spawn(f.e, func(t *env.Task) error { return writeFileAtomic(t, f.e.Disk, f.path, content) }, func(err error) {
		for _, done := range waiting {
			done(err)
		}
		f.busy = false
		if len(f.waiting) > 0 {
			f.begin()
		} else if f.idle != nil {
			f.idle()
		}
	})
}
