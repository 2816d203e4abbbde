package coordinator

import (
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
)

// Kind is what a coordinator coordinates: the key type of FindCoordinator.
type Kind int8

const (
	Group       Kind = 0
	Transaction Kind = 1
)

// Finder finds the coordinator of one key.
type Finder struct {
	kind    Kind
	key     string
	meta    *cluster.Metadata
	backoff attempt.Backoff
	rng     *rand.Rand

	node     wire.NodeID // NoNode while it is not known
	wanted   bool
	inFlight bool
	// failures in a row, and when the next lookup may be made, in ns.
	failures  int
	notBefore int64
	err       error
}

// New returns a finder that knows nothing. It tells meta the addresses it learns; rng
// gives jitter.
func New(kind Kind, key string, meta *cluster.Metadata, backoff attempt.Backoff, rng *rand.Rand) *Finder {
	return &Finder{kind: kind, key: key, meta: meta, backoff: backoff, rng: rng, node: wire.NoNode}
}

// Node is the coordinator, if it is known.
func (f *Finder) Node() (wire.NodeID, bool) { return f.node, f.node != wire.NoNode }

// Want has the coordinator looked up if it is not known.
func (f *Finder) Want() { f.wanted = true }

// Lost says that a node is not the coordinator, or cannot be reached: it answered
// NOT_COORDINATOR or COORDINATOR_NOT_AVAILABLE, or gave no answer. It is ignored if the
// finder has come to know another one since.
func (f *Finder) Lost(node wire.NodeID) {
	if f.node == node {
		f.node = wire.NoNode
	}
}

// Err is why the latest lookup was refused for good (the key is not valid, or not
// allowed), else nil.
func (f *Finder) Err() error { return f.err }

// Poll gives the lookup to send, with the given id, if one is due. It goes to any broker
// (Node is NoNode). Its end must be told with OnResponse or OnFailure.
func (f *Finder) Poll(now int64, id attempt.ID) (attempt.Request, bool) {
	if f.Deadline() > now {
		return attempt.Request{}, false
	}
	f.inFlight = true
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType = int8(f.kind)
	// The version picks which of the two goes out.
	req.CoordinatorKey = f.key
	req.CoordinatorKeys = []string{f.key}
	// Version 0 knows only groups. From 4 on the answer to a transactional id, and from 6
	// on to a group, may be another error, but nothing else changes.
	return attempt.Request{ID: id, Node: wire.NoNode, Msg: req, MinVersion: int16(f.kind), MaxVersion: 6}, true
}

// Deadline is when Poll has something to do, in ns; Never if only input can change that.
func (f *Finder) Deadline() int64 {
	if !f.wanted || f.inFlight || f.node != wire.NoNode {
		return cluster.Never
	}
	return f.notBefore
}

// OnResponse takes the answer to a lookup.
func (f *Finder) OnResponse(now int64, resp *kmsg.FindCoordinatorResponse) {
	found := kmsg.FindCoordinatorResponseCoordinator{
		NodeID: resp.NodeID, Host: resp.Host, Port: resp.Port, ErrorCode: resp.ErrorCode, ErrorMessage: resp.ErrorMessage,
	}
	if resp.Version >= 4 {
		if len(resp.Coordinators) != 1 || resp.Coordinators[0].Key != f.key {
			f.OnFailure(now)
			return
		}
		found = resp.Coordinators[0]
	}
	f.err = nil
	if found.ErrorCode != 0 || found.NodeID < 0 {
		f.OnFailure(now)
		if !retriable(found.ErrorCode) {
			f.err = attempt.NewCodeError(found.ErrorCode, found.ErrorMessage)
		}
		return
	}
	f.inFlight = false
	f.failures = 0
	f.node = wire.NodeID(found.NodeID)
	f.wanted = false
	f.meta.HintBroker(f.node, found.Host, found.Port)
}

// OnFailure tells that a lookup got no usable answer.
func (f *Finder) OnFailure(now int64) {
	f.inFlight = false
	f.failures++
	f.notBefore = now + int64(f.backoff.After(f.failures, f.rng))
}

// retriable tells errors that pass: the internal topic is being created, or its partition
// has no leader at the moment.
func retriable(code int16) bool {
	switch code {
	case kerr.GroupAuthorizationFailed.Code, kerr.TransactionalIDAuthorizationFailed.Code,
		kerr.InvalidGroupID.Code, kerr.InvalidRequest.Code, kerr.UnsupportedVersion.Code:
		return false
	}
	return true
}

// Gone tells whether an error code of a coordinator means that it is not, or no longer,
// the one: Lost should be called.
func Gone(code int16) bool {
	return code == kerr.NotCoordinator.Code || code == kerr.CoordinatorNotAvailable.Code
}
