package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// request is one request on its way through the node. Its handler answers it exactly
// once: by reply, send, noReply or hangUp. After its connection has closed, answers
// are dropped.
type request struct {
	conn   *conn
	header wire.RequestHeader
	msg    kmsg.Request
	// size is the frame's length in bytes.
	size int

	answered bool
	out      []env.Segment
	outSize  int            // bytes
	frame    [1]env.Segment // backs out when the answer is one piece
	// waiter is told if the connection closes before the request is answered.
	waiter waiter
	// via is set on a request that another broker forwarded in an Envelope: its
	// answer goes there instead of to conn.
	via func(body []byte)
}

// waiter is what waits on behalf of a request.
type waiter interface {
	// abandon lets go of everything: the client has gone. The request must not be
	// answered any more.
	abandon()
}

// answerSize is enough for most answers.
const answerSize = 256

// reply answers the request with a message, in the request's version.
func (r *request) reply(resp kmsg.Response) {
	if r.gone() {
		return
	}
	resp.SetVersion(r.header.Version)
	r.replyFrame(wire.AppendResponse(make([]byte, 0, answerSize), r.header.CorrelationID, resp))
}

// replyFrame answers the request with a frame in one piece.
func (r *request) replyFrame(frame []byte) {
	if r.gone() {
		return
	}
	if r.via != nil {
		r.end()
		r.via(frame)
		return
	}
	r.frame[0].Bytes = frame
	r.send(r.frame[:])
}

// send answers the request with a complete frame.
func (r *request) send(segs []env.Segment) {
	if r.gone() {
		return
	}
	r.end()
	r.out = segs
	for i := range segs {
		r.outSize += segs[i].Size()
	}
	r.conn.held += r.outSize
	r.conn.flush()
}

// noReply ends a request that gets no answer.
func (r *request) noReply() { r.send(nil) }

// hangUp ends a request by closing its connection, which is how Kafka reports
// what it cannot answer.
func (r *request) hangUp(why string) {
	if r.gone() {
		return
	}
	r.end()
	r.conn.n.env.Trace.Event(env.Warn, "hang-up", env.S("client", r.conn.addr), env.S("why", why))
	r.conn.close()
}

// gone ends the request if there is nobody left to answer.
func (r *request) gone() bool {
	if !r.conn.closed {
		return false
	}
	r.end()
	return true
}

func (r *request) end() {
	if r.answered {
		panic("broker: request answered twice")
	}
	// The answer may be unsent for long, and keeps the request: not its records, though.
	r.answered, r.waiter, r.msg = true, nil, nil
}
