package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
)

// maxResponse bounds an answer, in bytes: a length beyond it is a broken peer.
const maxResponse = 256 << 20

// linkState is how far a link is.
//
//	down     -> dialing    a call waits and the back-off is over
//	dialing  -> greeting   connected
//	greeting -> up         versions known
//	any      -> down       refused, lost, a time-out, an answer out of place
type linkState uint8

const (
	down linkState = iota
	dialing
	greeting
	up
)

// link is the one connection of a client to one node, with the calls that wait for it
// and those that wait for their answers.
type link struct {
	net   *network
	node  wire.NodeID
	state linkState
	conn  env.Conn
	// life tells callbacks of an earlier connection from those of this one.
	life     int
	versions map[int16]versionRange
	// epoch of the features that the versions went with: brokers serve more of some APIs
	// when a feature is finalised.
	epoch int64
	// waiting for the link to be up, in order; sent and unanswered, in order.
	waiting, sent []*call
	correlation   int32
	// failures to connect in a row; notBefore is when to dial again (ns).
	failures  int
	notBefore int64
	// greetingBy is when the handshake must be done (ns).
	greetingBy      int64
	greetingVersion int16
	prefix          [4]byte
}

// call is one request on its way.
type call struct {
	req attempt.Request
	// serial, made: for the observer.
	serial uint64
	made   env.Time
	// deadline in ns, from when the call was made.
	deadline    int64
	correlation int32
	done        func(kmsg.Response, error)
}

func (l *link) now() int64 { return int64(l.net.env.Clock.Now()) }

// pending is how many calls have not ended.
func (l *link) pending() int { return len(l.waiting) + len(l.sent) }

// backingOff tells whether dialing has to wait.
func (l *link) backingOff(now int64) bool { return l.state == down && l.notBefore > now }

// submit takes a call and sends it as soon as the link is up.
func (l *link) submit(c *call) {
	if l.state == up {
		l.send(c)
		return
	}
	l.waiting = append(l.waiting, c)
	l.dialIfDue(l.now())
}

// dialIfDue connects if a call waits for it and the back-off is over.
func (l *link) dialIfDue(now int64) {
	if l.state != down || len(l.waiting) == 0 || l.notBefore > now {
		return
	}
	addr, ok := l.net.meta.Addr(l.node)
	if !ok {
		l.fail(fmt.Errorf("%w: no address of node %d", attempt.ErrNotSent, l.node))
		return
	}
	l.state = dialing
	l.life++
	life := l.life
	l.net.env.Net.Dial(addr, l.net.cfg.DialTimeout, func(conn env.Conn, err error) {
		if life != l.life || l.net.closed {
			if err == nil {
				conn.Close()
			}
			return
		}
		if err != nil {
			l.fail(err)
		} else {
			l.conn = conn
			l.state = greeting
			l.greetingBy = l.now() + int64(l.net.cfg.RequestTimeout)
			l.greet(apiVersionsMax)
			l.read()
		}
		l.net.turn()
	})
}

// greet asks for the broker's versions.
func (l *link) greet(version int16) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName = "odradek-workload"
	req.ClientSoftwareVersion = "1"
	req.SetVersion(version)
	l.greetingVersion = version
	l.correlation++
	l.write(req, l.correlation)
}

func (l *link) write(msg kmsg.Request, correlation int32) {
	frame := wire.AppendRequest(nil, correlation, l.net.cfg.ClientID, msg)
	l.conn.Write([]env.Segment{{Bytes: frame}})
}

// errOutdated ends a connection whose versions are from before a feature was finalised.
var errOutdated = errors.New("the broker's versions may have changed")

// send puts a call on the wire, or ends it if the broker does not serve it.
func (l *link) send(c *call) {
	version, ok := pick(l.versions, &c.req)
	if !ok && l.epoch < l.net.features.epoch {
		// It may serve the version by now. A long-lived connection would never tell.
		l.net.end(c, nil, fmt.Errorf("%w: %w", attempt.ErrNotSent, errOutdated))
		life := l.life
		l.net.env.Clock.After(0, func() {
			if life == l.life && !l.net.closed {
				l.fail(errOutdated)
				l.net.turn()
			}
		})
		return
	}
	if !ok {
		l.net.end(c, nil, fmt.Errorf("%w: node %d, key %d", attempt.ErrVersion, l.node, c.req.Msg.Key()))
		return
	}
	c.req.Msg.SetVersion(version)
	l.correlation++
	c.correlation = l.correlation
	l.write(c.req.Msg, c.correlation)
	if c.req.NoResponse {
		l.net.end(c, nil, nil)
		return
	}
	l.sent = append(l.sent, c)
}

// read waits for the next answer.
func (l *link) read() {
	life := l.life
	l.conn.Read(l.prefix[:], len(l.prefix), func(_ int, err error) {
		if life != l.life || l.net.closed {
			return
		}
		var size int
		if err == nil {
			size, err = l.frameSize()
		}
		if err != nil {
			l.fail(err)
			l.net.turn()
			return
		}
		// A fresh buffer for each answer: records read are slices of it.
		frame := make([]byte, size)
		l.conn.Read(frame, size, func(_ int, err error) {
			if life != l.life || l.net.closed {
				return
			}
			if err == nil {
				err = l.receive(frame)
			}
			switch {
			case err != nil:
				l.fail(err)
			case life == l.life: // the answer may have been the link's last
				l.read()
			}
			l.net.turn()
		})
	})
}

// frameSize reads the length prefix. An answer has at least its correlation id.
func (l *link) frameSize() (int, error) {
	size := int32(binary.BigEndian.Uint32(l.prefix[:]))
	if size < 4 || size > maxResponse {
		return 0, fmt.Errorf("%w: length %d", attempt.ErrMalformed, size)
	}
	return int(size), nil
}

// receive takes one frame. An error means that the link cannot go on.
func (l *link) receive(frame []byte) error {
	if l.state == greeting {
		return l.greeted(frame)
	}
	if len(l.sent) == 0 {
		return fmt.Errorf("%w: an answer to nothing", attempt.ErrMalformed)
	}
	c := l.sent[0]
	resp := c.req.Msg.ResponseKind()
	if err := wire.DecodeResponse(frame, c.correlation, resp); err != nil {
		return fmt.Errorf("%w: %w", attempt.ErrMalformed, err)
	}
	l.sent = l.sent[1:]
	l.net.end(c, resp, nil)
	return nil
}

// greeted takes the answer to ApiVersions and sends what waited.
func (l *link) greeted(frame []byte) error {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.SetVersion(l.greetingVersion)
	const codeAt = 4 // after the correlation id, in every version
	unsupported := len(frame) >= codeAt+2 &&
		int16(binary.BigEndian.Uint16(frame[codeAt:])) == kerr.UnsupportedVersion.Code
	if unsupported {
		resp.SetVersion(0)
	}
	if err := wire.DecodeResponse(frame, l.correlation, resp); err != nil {
		return fmt.Errorf("%w: ApiVersions: %w", attempt.ErrMalformed, err)
	}
	if unsupported {
		if l.greetingVersion == 0 {
			return fmt.Errorf("%w: ApiVersions", attempt.ErrVersion)
		}
		key := kmsg.NewPtrApiVersionsRequest().Key()
		l.greet(min(rangesOf(resp)[key].max, l.greetingVersion-1))
		return nil
	}
	if resp.ErrorCode != 0 {
		return attempt.NewCodeError(resp.ErrorCode, nil)
	}
	l.versions, l.epoch = rangesOf(resp), resp.FinalizedFeaturesEpoch
	l.net.features.learn(resp)
	l.state = up
	l.failures = 0
	waiting := l.waiting
	l.waiting = nil
	for _, c := range waiting {
		l.send(c)
	}
	return nil
}

// fail ends the connection and all calls of the link: those sent are lost, the others
// were never sent.
func (l *link) fail(cause error) {
	now := l.now()
	l.failures++
	l.notBefore = now + int64(l.net.cfg.Reconnect.After(l.failures, l.net.rng))
	l.close()
	l.net.meta.RequestUpdate()
	l.net.env.Trace.Event(env.Debug, "client-link-lost",
		env.S("client", l.net.cfg.ClientID), env.I("node", l.node), env.Err(cause))
	sent, waiting := l.sent, l.waiting
	l.sent, l.waiting = nil, nil
	for i, c := range sent {
		err := attempt.ErrLost
		if i == 0 && errors.Is(cause, attempt.ErrMalformed) || errors.Is(cause, attempt.ErrTimedOut) && c.deadline <= now {
			err = cause
		}
		l.net.end(c, nil, err)
	}
	for _, c := range waiting {
		l.net.end(c, nil, fmt.Errorf("%w: %w", attempt.ErrNotSent, cause))
	}
}

func (l *link) close() {
	l.life++
	l.state = down
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

// tick ends calls that took too long and dials when it is time.
func (l *link) tick(now int64) {
	for _, c := range l.sent {
		if c.deadline <= now {
			// As in Java, the connection goes with it: the answers behind would be late too.
			l.fail(attempt.ErrTimedOut)
			return
		}
	}
	if l.state == greeting && l.greetingBy <= now {
		l.fail(attempt.ErrTimedOut)
		return
	}
	for i := 0; i < len(l.waiting); {
		c := l.waiting[i]
		if c.deadline > now {
			i++
			continue
		}
		l.waiting = slices.Delete(l.waiting, i, i+1)
		l.net.end(c, nil, fmt.Errorf("%w: timed out waiting for the connection", attempt.ErrNotSent))
	}
	l.dialIfDue(now)
}

// deadline is when tick has something to do.
func (l *link) deadline() int64 {
	d := cluster.Never
	for _, c := range l.sent {
		d = min(d, c.deadline)
	}
	for _, c := range l.waiting {
		d = min(d, c.deadline)
	}
	switch {
	case l.state == greeting:
		d = min(d, l.greetingBy)
	case l.state == down && len(l.waiting) > 0:
		d = min(d, l.notBefore)
	}
	return d
}
