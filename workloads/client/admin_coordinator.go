package client

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/coordinator"
)

// atCoordinator runs an operation at the coordinator of a group or transactional id; its
// route is set here. Whatever goes wrong in a way that may pass, the coordinator is
// looked up again.
func (a *Admin) atCoordinator(t *env.Task, kind coordinator.Kind, key string, op operation) error {
	until := a.net.now() + int64(a.timeout)
	op.once = true
	var attempts []attempt.Attempt
	for {
		left := a.WithTimeout(time.Duration(max(until-a.net.now(), 0)))
		node, err := left.coordinatorOf(t, kind, key)
		looked := err == nil
		if looked {
			op.to = func() (wire.NodeID, bool) { return node, true }
			err = left.run(t, op)
			if err == nil {
				return nil
			}
		}
		var failed *AdminError
		if !errors.As(err, &failed) {
			return err
		}
		if looked {
			attempts = append(attempts, failed.Attempts...)
		}
		if a.net.closed || a.net.now() >= until || !passes(failed) {
			return &AdminError{Outcome: attempt.Combine(attempts), Attempts: attempts, Err: failed.Err}
		}
		a.net.meta.RequestUpdate()
		pause := a.net.cfg.Retry.After(len(attempts)+1, a.net.rng)
		t.Sleep(a.net.env.Clock, min(pause, time.Duration(max(until-a.net.now(), 1))))
	}
}

// passes tells whether a later attempt may succeed.
func passes(e *AdminError) bool {
	if len(e.Attempts) == 0 {
		return false
	}
	switch last := e.Attempts[len(e.Attempts)-1]; last.Code {
	case 0:
		return !errors.Is(last.Err, attempt.ErrVersion) && !errors.Is(last.Err, attempt.ErrClosed)
	case kerr.NotCoordinator.Code, kerr.CoordinatorNotAvailable.Code, kerr.CoordinatorLoadInProgress.Code,
		kerr.ConcurrentTransactions.Code:
		return true
	default:
		return attempt.ClassifyAdmin(last.Code).Retriable
	}
}

// coordinatorOf asks any broker once for the coordinator of a key.
func (a *Admin) coordinatorOf(t *env.Task, kind coordinator.Kind, key string) (wire.NodeID, error) {
	node := wire.NoNode
	err := a.run(t, operation{
		to: a.toAny, minVersion: int16(kind), maxVersion: 6, once: true,
		request: func(time.Duration) kmsg.Request {
			req := kmsg.NewPtrFindCoordinatorRequest()
			req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = int8(kind), key, []string{key}
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.FindCoordinatorResponse)
			c := kmsg.FindCoordinatorResponseCoordinator{
				NodeID: resp.NodeID, Host: resp.Host, Port: resp.Port, ErrorCode: resp.ErrorCode, ErrorMessage: resp.ErrorMessage,
			}
			if resp.Version >= 4 {
				if len(resp.Coordinators) != 1 {
					return missing()
				}
				c = resp.Coordinators[0]
			}
			if c.ErrorCode == 0 {
				node = wire.NodeID(c.NodeID)
				a.net.meta.HintBroker(node, c.Host, c.Port)
			}
			return c.ErrorCode, c.ErrorMessage
		},
	})
	return node, err
}
