package realenv

import "sync"

// lane runs operations in order, one at a time, on a pool: the changes of one file,
// or those of the directory tree.
type lane struct {
	pool *pool

	mu    sync.Mutex
	ops   []*op
	spare []*op
	busy  bool // queued in the pool, or running
}

func (l *lane) submit(o *op) {
	l.mu.Lock()
	l.ops = append(l.ops, o)
	idle := !l.busy
	l.busy = true
	l.mu.Unlock()
	if idle {
		l.pool.submit(l)
	}
}

// do runs what is queued, then lets other lanes have the thread.
func (l *lane) do() {
	l.mu.Lock()
	ops := l.ops
	l.ops = l.spare
	l.mu.Unlock()
	synced := false // the operation before was a sync, with the outcome err
	var err error
	for i, o := range ops {
		ops[i] = nil
		sync := o.kind == opSync
		if !sync || !synced { // or nothing is left to sync: it shares the other's fate
			err = o.run()
		}
		synced = sync
		o.finish(err)
	}
	l.mu.Lock()
	l.spare = ops[:0]
	l.busy = len(l.ops) > 0
	again := l.busy
	l.mu.Unlock()
	if again {
		l.pool.submit(l)
	}
}
