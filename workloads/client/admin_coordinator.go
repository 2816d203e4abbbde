package client

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/coordinator"
	"odradek/workloads/client/group"
)

// coordinated is a group or a transactional id.
type coordinated struct {
	kind coordinator.Kind
	id   string
}

func (o *office) finder(of coordinated) *coordinator.Finder {
	f := o.finders[of]
	if f == nil {
		f = coordinator.New(of.kind, of.id, o.net.meta, o.net.cfg.Retry, o.net.rng)
		o.finders[of] = f
	}
	return f
}

// find looks a coordinator up, once, or waits for whoever does. Only an error that does not
// pass is one.
func (a *Admin) find(t *env.Task, f *coordinator.Finder, until int64) error {
	f.Want()
	req, due := f.Poll(a.net.now(), 1)
	if !due {
		// It backs off, or another task has asked.
		pause := min(f.Deadline(), until, a.net.now()+int64(a.net.cfg.Retry.Initial)) - a.net.now()
		t.Sleep(a.net.env.Clock, time.Duration(max(pause, 1)))
		return nil
	}
	resp, err := a.call(t, req, min(a.net.cfg.RequestTimeout, time.Duration(until-a.net.now())))
	if err != nil {
		f.OnFailure(a.net.now())
		if errors.Is(err, attempt.ErrVersion) || errors.Is(err, attempt.ErrClosed) {
			return err
		}
		return nil
	}
	f.OnResponse(a.net.now(), resp.(*kmsg.FindCoordinatorResponse))
	return f.Err()
}

// classify gives the meaning of an error code for the operation.
func (op *operation) classify(code int16) attempt.Class {
	switch {
	case op.of.id == "":
		return attempt.ClassifyAdmin(code)
	case op.of.kind == coordinator.Transaction:
		class := attempt.ClassifyAdmin(code)
		class.Retriable = class.Retriable || coordinator.Gone(code) ||
			code == kerr.CoordinatorLoadInProgress.Code || code == kerr.ConcurrentTransactions.Code
		return class
	}
	class := group.Classify(code)
	if code == kerr.UnknownTopicOrPartition.Code {
		class.Retriable = false // unlike a member, nobody waits for the topic here
	}
	return class
}
