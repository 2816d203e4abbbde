package client

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
	"odradek/workloads/client/coordinator"
)

// Admin changes and describes the cluster. Every method retries what may succeed
// later, until the timeout of WithTimeout (60 s by default). Errors are of type
// *AdminError. Several tasks may use it at once.
type Admin struct {
	*office
	timeout time.Duration
}

// ErrAdminTimeout: the operation's timeout has passed.
var ErrAdminTimeout = errors.New("admin operation timed out")

// AdminError says how an admin operation failed.
type AdminError struct {
	// Outcome is Failed only if no attempt can have had an effect.
	Outcome  attempt.Outcome
	Attempts []attempt.Attempt
	Err      error
}

func (e *AdminError) Error() string { return e.Outcome.String() + ": " + e.Err.Error() }
func (e *AdminError) Unwrap() error { return e.Err }

func newAdmin(n *network) *Admin {
	o := &office{
		net: n, calls: make(map[uint64]func(error)), topics: make(map[string]int),
		finders: make(map[coordinated]*coordinator.Finder),
	}
	n.core = o
	return &Admin{office: o, timeout: time.Minute}
}

// WithTimeout is the same client with another bound on each operation.
func (a *Admin) WithTimeout(d time.Duration) *Admin { return &Admin{office: a.office, timeout: d} }

// Close ends the client; pending operations end with attempt.ErrClosed.
func (a *Admin) Close() {
	if a.net.closed {
		return
	}
	a.net.close()
	a.net.env.Clock.After(0, func() {
		for _, id := range slices.Sorted(maps.Keys(a.calls)) {
			a.calls[id](attempt.ErrClosed)
		}
		a.wakeAll()
	})
}

// office is what all copies of an Admin share.
type office struct {
	net *network
	// calls under way, which Close must end.
	calls  map[uint64]func(error)
	lastID uint64
	// waiting for newer metadata, and how new those are that they have seen.
	waiting []func()
	seen    int
	// topics in use by operations that need their leaders.
	topics map[string]int
	// finders know the coordinators of groups and transactional ids.
	finders map[coordinated]*coordinator.Finder
}

// route is where a request goes: nil node means "not known yet".
type route func() (wire.NodeID, bool)

func (o *office) toAny() (wire.NodeID, bool) { return o.net.anyNode(o.net.now()) }

func (o *office) toController() (wire.NodeID, bool) {
	node := o.net.meta.Controller()
	_, known := o.net.meta.Addr(node)
	return node, known && node >= 0
}

func (o *office) toLeader(tp wire.TopicPartition) route {
	return func() (wire.NodeID, bool) {
		p, _ := o.net.meta.Partition(tp)
		return p.Leader, p.Leader != wire.NoNode
	}
}

// operation is one of the methods, in general terms.
type operation struct {
	to route
	// request makes the message; wait is how long the broker may take.
	request    func(wait time.Duration) kmsg.Request
	minVersion int16
	maxVersion int16
	// read takes the answer and gives its error.
	read func(kmsg.Response) (code int16, detail *string)
	// of is whose coordinator is asked, instead of to, if it has an id.
	of coordinated
}

// run attempts an operation until it ends or the time is up.
func (a *Admin) run(t *env.Task, op operation) error {
	until := a.net.now() + int64(a.timeout)
	var finder *coordinator.Finder
	if op.of.id != "" {
		finder = a.finder(op.of)
		op.to = finder.Node
	}
	var attempts []attempt.Attempt
	last := ErrAdminTimeout
	end := func(err error) error {
		return &AdminError{Outcome: attempt.Combine(attempts), Attempts: attempts, Err: err}
	}
	for {
		now := a.net.now()
		if a.net.closed {
			return end(attempt.ErrClosed)
		}
		if now >= until {
			if last != ErrAdminTimeout {
				last = fmt.Errorf("%w: %w", ErrAdminTimeout, last)
			}
			return end(last)
		}
		node, ok := op.to()
		if !ok && finder != nil {
			if err := a.find(t, finder, until); err != nil {
				return end(err)
			}
			continue
		}
		if !ok {
			a.net.meta.RequestUpdate()
			a.awaitMetadata(t, until)
			continue
		}
		wait := min(a.net.cfg.RequestTimeout, time.Duration(until-now))
		at := attempt.Attempt{ID: attempt.ID(len(attempts) + 1), Node: node, LeaderEpoch: wire.NoLeaderEpoch, Sent: now}
		req := attempt.Request{
			ID: at.ID, Node: node, Msg: op.request(wait), MinVersion: op.minVersion, MaxVersion: op.maxVersion,
		}
		resp, err := a.call(t, req, wait)
		at.Done = a.net.now()
		class := attempt.Class{Outcome: attempt.OutcomeOf(err), Retriable: true, Refresh: true}
		if err == nil {
			code, detail := op.read(resp)
			class = op.classify(code)
			at.Code, err = code, attempt.NewCodeError(code, detail)
		} else {
			at.Err = err
			class.Retriable = !errors.Is(err, attempt.ErrVersion) && !errors.Is(err, attempt.ErrClosed)
		}
		at.Outcome = class.Outcome
		attempts = append(attempts, at)
		if err == nil {
			return nil
		}
		if !class.Retriable {
			return end(err)
		}
		last = err
		if finder != nil && (at.Err != nil || coordinator.Gone(at.Code)) {
			finder.Lost(node)
		}
		if class.Refresh {
			a.net.meta.RequestUpdate()
		}
		pause := a.net.cfg.Retry.After(len(attempts), a.net.rng)
		t.Sleep(a.net.env.Clock, min(pause, time.Duration(max(until-a.net.now(), 1))))
	}
}

// call sends one request and waits for its end, which may be Close.
func (o *office) call(t *env.Task, req attempt.Request, timeout time.Duration) (kmsg.Response, error) {
	return env.Await2(t, func(done func(kmsg.Response, error)) {
		o.lastID++
		id := o.lastID
		o.calls[id] = func(err error) {
			delete(o.calls, id)
			done(nil, err)
		}
		// On a later turn: the call may fail at once, and done must not run here.
		o.net.env.Clock.After(0, func() {
			if o.net.closed {
				return // and Close ends the call
			}
			o.net.call(req, timeout, func(resp kmsg.Response, err error) {
				if o.calls[id] != nil {
					delete(o.calls, id)
					o.net.env.Clock.After(0, func() { done(resp, err) })
				}
			})
			o.net.turn()
		})
	})
}

// awaitMetadata waits until the metadata may have changed, at most until then (ns).
func (o *office) awaitMetadata(t *env.Task, until int64) {
	t.Suspend(func(wake func()) {
		woken := false
		once := func() {
			if !woken {
				woken = true
				wake()
			}
		}
		o.waiting = append(o.waiting, once)
		o.net.env.Clock.After(time.Duration(max(until-o.net.now(), 1)), once)
		o.net.kick()
	})
}

func (o *office) wakeAll() {
	waiting := o.waiting
	o.waiting = nil
	for _, wake := range waiting {
		wake()
	}
}

// useTopic keeps a topic in the metadata for the duration of an operation.
func (o *office) useTopic(topic string) (release func()) {
	o.topics[topic]++
	o.net.meta.Want(topic)
	return func() {
		if o.topics[topic]--; o.topics[topic] == 0 {
			delete(o.topics, topic)
			o.net.meta.Forget(topic)
		}
	}
}

func (o *office) poll(int64) {}

func (o *office) deliver(int64) {
	if n := o.net.meta.Updates(); n != o.seen {
		o.seen = n
		o.wakeAll()
	}
}

func (o *office) deadline() int64 { return cluster.Never }
