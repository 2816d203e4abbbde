package attempt

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// ID numbers the requests of one core, from 1 on, in the order in which the core
// gave them out.
type ID uint64

// Request is a request that a core wants sent.
type Request struct {
	ID ID
	// Node to ask; NoNode for any broker.
	Node wire.NodeID
	// Group: the request goes over the connection that is kept for group coordinators,
	// apart from the one for data. A join may wait for minutes and a fetch for half a
	// second, and answers come in order.
	Group bool
	// Msg is the body without its version, which the shell picks.
	Msg kmsg.Request
	// MinVersion and MaxVersion bound the versions in which Msg says all it has to
	// (for instance: versions with topic ids need the ids to be known).
	MinVersion, MaxVersion int16
	// NoResponse: the broker will not answer (Produce with acks=0).
	NoResponse bool
}

// Attempt is one request made for an operation, and how it ended.
type Attempt struct {
	ID   ID
	Node wire.NodeID
	// LeaderEpoch is what the client believed when it sent the request.
	LeaderEpoch wire.LeaderEpoch
	// Sent and Done are in nanoseconds of the client's monotonic clock; Done is 0
	// while the attempt is in flight.
	Sent, Done int64
	Outcome    Outcome
	// Code is the Kafka error code of the answer, 0 without one.
	Code int16
	// Err is what kept the answer from coming, nil with one.
	Err error
}

// Errors that end an attempt without an answer.
var (
	// ErrNotSent: no byte of the request was handed to the network.
	ErrNotSent = errors.New("request not sent")
	// ErrLost: the connection ended before the answer came.
	ErrLost = errors.New("connection lost before the answer")
	// ErrTimedOut: no answer within the request time-out.
	ErrTimedOut = errors.New("request timed out")
	// ErrVersion: client and broker have no version in common that can carry the
	// request; it was not sent.
	ErrVersion = errors.New("no common version of the request")
	// ErrMalformed: the answer could not be decoded.
	ErrMalformed = errors.New("malformed answer")
	// ErrClosed: the client was closed while the request was in flight.
	ErrClosed = errors.New("client closed")
)

// OutcomeOf classifies an attempt that got no answer.
func OutcomeOf(err error) Outcome {
	if errors.Is(err, ErrNotSent) || errors.Is(err, ErrVersion) {
		return Failed
	}
	return Unknown
}
