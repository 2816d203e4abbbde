package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/controller"
	"odradek/broker/env"
	"odradek/broker/wire"
)

// listenerName is the one listener of a node: clients, brokers and controllers all
// use it.
const listenerName = "PLAINTEXT"

// lifecycle registers the broker with the controller and keeps it registered.
//
//	starting   -> registered    BrokerRegistration succeeded; the broker is fenced
//	registered -> running       a heartbeat came back unfenced
//	running    -> registered    a heartbeat came back fenced (it was expired)
//	any        -> stopping      Shutdown was called; heartbeats ask to be let go
//	stopping   -> stopped       the controller agreed, or the time for that is up
//	any        -> starting      the controller does not know this registration any more
type lifecycle struct {
	n           *Node
	state       lifecycleState
	incarnation wire.UUID
	// previousEpoch is the broker epoch before a clean stop, else unknown: that
	// tells the controller that this replica may have lost its tail (KIP-966).
	previousEpoch wire.BrokerEpoch
	timer         env.Timer
	failures      int
	busy          bool // a request is on its way
	onStopped     func()
	stopBy        env.Time
}

type lifecycleState uint8

const (
	starting lifecycleState = iota
	registered
	running
	stopping
	stopped
)

func (s lifecycleState) String() string {
	return [...]string{"starting", "registered", "running", "stopping", "stopped"}[s]
}

func (l *lifecycle) become(s lifecycleState) {
	if l.state != s {
		l.n.env.Trace.Event(env.Info, "broker-"+s.String(), env.I("epoch", l.n.brokerEpoch))
		l.state = s
		if s == running && l.n.opts.Running != nil {
			l.n.opts.Running()
			l.n.opts.Running = nil
		}
	}
}

// interval is the time between heartbeats.
func (l *lifecycle) interval() time.Duration { return ms(l.n.cfg.BrokerHeartbeatMs) }

// step sends what is due now, and sees to it that step runs again.
func (l *lifecycle) step() {
	if l.busy || l.state == stopped || l.n.stopped {
		return
	}
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.state == stopping && l.n.env.Clock.Now() >= l.stopBy {
		l.n.env.Trace.Event(env.Warn, "controlled-shutdown-gave-up")
		l.finish()
		return
	}
	l.busy = true
	if l.state == starting {
		l.register()
	} else {
		l.heartbeat()
	}
}

// again schedules the next step, sooner after a failure.
func (l *lifecycle) again(failed bool) {
	l.busy = false
	after := l.interval()
	if l.state == starting || l.state == stopping {
		after = min(after, 100*time.Millisecond)
	}
	if failed {
		after = min(l.interval(), 50*time.Millisecond<<min(l.failures, 5))
		l.failures++
	} else {
		l.failures = 0
	}
	l.timer = l.n.env.Clock.After(after, l.step)
}

func (l *lifecycle) register() {
	n := l.n
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.BrokerID, req.ClusterID, req.IncarnationID = int32(n.cfg.NodeID), n.clusterID, l.incarnation
	req.PreviousBrokerEpoch = int64(l.previousEpoch)
	req.LogDirs = [][16]byte{n.directoryID}
	listener := kmsg.NewBrokerRegistrationRequestListener()
	listener.Name, listener.Host, listener.Port = listenerName, n.advertised.Host, uint16(n.advertised.Port)
	req.Listeners = append(req.Listeners, listener)
	for _, f := range controller.SupportedFeatures() {
		rf := kmsg.NewBrokerRegistrationRequestFeature()
		rf.Name, rf.MinSupportedVersion, rf.MaxSupportedVersion = f.Name, f.Min, f.Max
		req.Features = append(req.Features, rf)
	}
	if n.cfg.Rack != "" {
		req.Rack = kmsg.StringPtr(n.cfg.Rack)
	}
	n.toController(req, n.requestTimeout(), func(resp kmsg.Response, err error) {
		if err == nil {
			r := resp.(*kmsg.BrokerRegistrationResponse)
			if err = kerr.ErrorForCode(r.ErrorCode); err == nil {
				n.brokerEpoch = wire.BrokerEpoch(r.BrokerEpoch)
				if l.state == starting {
					l.become(registered)
				}
				l.again(false)
				l.busy = false
				n.registrationReplayed() // it mostly has been: the answer follows the commit
				l.step()                 // the sooner it is unfenced, the better
				return
			}
		}
		switch err {
		case kerr.InconsistentClusterID, kerr.UnsupportedVersion, kerr.InvalidRegistration:
			n.fail("the controller refuses this broker", err)
			return
		}
		n.env.Trace.Event(env.Debug, "registration-failed", env.Err(err))
		l.again(true)
	})
}

func (l *lifecycle) heartbeat() {
	n := l.n
	n.replicas.report() // at a pace that people can follow
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.BrokerID, req.BrokerEpoch = int32(n.cfg.NodeID), int64(n.brokerEpoch)
	req.CurrentMetadataOffset = int64(n.applied) - 1
	req.WantFence = !n.ready
	req.WantShutdown = l.state == stopping
	n.toController(req, n.requestTimeout(), func(resp kmsg.Response, err error) {
		var r *kmsg.BrokerHeartbeatResponse
		if err == nil {
			r = resp.(*kmsg.BrokerHeartbeatResponse)
			err = kerr.ErrorForCode(r.ErrorCode)
		}
		switch {
		case err == kerr.StaleBrokerEpoch || err == kerr.BrokerIDNotRegistered:
			if l.state == stopping {
				l.finish()
				return
			}
			// Somebody unregistered this broker, or its registration was overtaken.
			l.become(starting)
			l.again(true)
			return
		case err != nil:
			n.env.Trace.Event(env.Debug, "heartbeat-failed", env.Err(err))
			l.again(true)
			return
		case l.state == stopping:
			if r.ShouldShutdown {
				l.finish()
				return
			}
		case r.IsFenced:
			l.become(registered)
		default:
			l.become(running)
		}
		l.again(false)
		if l.state == registered && n.ready {
			// Caught up but not unfenced yet: ask again soon.
			l.timer.Stop()
			l.timer = n.env.Clock.After(min(l.interval(), 50*time.Millisecond), l.step)
		}
	})
}

// stop asks the controller to move leadership away before the broker goes
// (controlled shutdown), for at most the given time.
func (l *lifecycle) stop(within time.Duration, done func()) {
	l.onStopped = done
	if l.state == starting || l.state == stopped {
		l.finish()
		return
	}
	l.become(stopping)
	l.stopBy = l.n.env.Clock.Now().Add(within)
	l.step()
}

func (l *lifecycle) finish() {
	l.busy = false
	l.become(stopped)
	if done := l.onStopped; done != nil {
		l.onStopped = nil
		done()
	}
}
