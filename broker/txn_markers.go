package broker

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator/txn"
	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// txnMarkers sends the markers of transactions that are decided to the leaders of their
// partitions, by WriteTxnMarkers, until each partition has its own.
//
// A partition without a reachable leader, or whose leader refused, is tried again after
// markerBackoff. One that was deleted counts as done. A coordinator that has lost its shard
// stops; the next one sends the markers again.
type txnMarkers struct {
	n *Node
	// pending is the transactions that are being completed, by their transactional id. What
	// is not in it any more is not sent.
	pending map[string]*outgoing
	outbox  outbox[marker]
}

func newTxnMarkers(n *Node) *txnMarkers {
	m := &txnMarkers{n: n, pending: make(map[string]*outgoing)}
	m.outbox = outbox[marker]{
		n: n, lane: laneTxnMarkers, patience: func() time.Duration { return markerPatience + n.requestTimeout() },
		pack: m.pack, answered: m.answered,
		serve: func(req kmsg.Request, done func(kmsg.Response)) {
			n.writeTxnMarkers(req.(*kmsg.WriteTxnMarkersRequest), func(resp *kmsg.WriteTxnMarkersResponse) { done(resp) })
		},
	}
	return m
}

// outgoing is one transaction's markers.
type outgoing struct {
	txn.SendMarkers
	c    *coordination
	left int // partitions without a marker
}

// marker is that of one partition.
type marker struct {
	o  *outgoing
	tp wire.TopicPartition
}

const (
	markerBackoff = 50 * time.Millisecond
	// fencedBackoff is the pause after a marker was refused for good: if this coordinator is
	// not over after all, the transaction must not hang for that.
	fencedBackoff          = 5 * time.Second
	markersPerRequest      = 1000
	versionWriteTxnMarkers = 2
)

// add takes over the markers of a transaction whose outcome has committed.
func (m *txnMarkers) add(c *coordination, send txn.SendMarkers) {
	o := &outgoing{SendMarkers: send, c: c, left: len(send.Partitions)}
	m.pending[send.TransactionalID] = o
	for _, tp := range send.Partitions {
		m.route(marker{o, tp})
	}
}

// drop forgets what a shard that has ended wanted sent.
func (m *txnMarkers) drop(c *coordination) {
	for id, o := range m.pending { //odradek:unordered each is judged by itself
		if o.c == c {
			delete(m.pending, id)
		}
	}
}

func (m *txnMarkers) wanted(k marker) bool { return m.pending[k.o.TransactionalID] == k.o }

// route queues a marker for the partition's leader.
func (m *txnMarkers) route(k marker) {
	if !m.wanted(k) || m.n.stopped {
		return
	}
	p := m.n.image.Partition(k.tp.Topic, k.tp.Partition)
	switch {
	case p == nil:
		// Deleted: nothing is open there. On a later turn, since the machine may be deciding.
		m.n.env.Clock.After(0, func() { m.written(k) })
	case p.Leader == wire.NoNode:
		m.retry(k, markerBackoff)
	default:
		m.outbox.put(p.Leader, k)
	}
}

func (m *txnMarkers) retry(k marker, after time.Duration) {
	m.n.env.Clock.After(after, func() { m.route(k) })
}

// pack makes a request of those markers that are still wanted.
func (m *txnMarkers) pack(waiting []marker) (kmsg.Request, []marker, []marker) {
	waiting = slices.DeleteFunc(waiting, func(k marker) bool { return !m.wanted(k) })
	sent := waiting[:min(len(waiting), markersPerRequest)]
	if len(sent) == 0 {
		return nil, nil, nil
	}
	return writeMarkersOf(sent), sent, waiting[len(sent):]
}

// writeMarkersOf puts the markers of each transaction together.
func writeMarkersOf(sent []marker) *kmsg.WriteTxnMarkersRequest {
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Version = versionWriteTxnMarkers
	at := make(map[*outgoing]int)
	for _, k := range sent {
		i, known := at[k.o]
		if !known {
			i = len(req.Markers)
			at[k.o] = i
			r := kmsg.NewWriteTxnMarkersRequestMarker()
			r.ProducerID, r.ProducerEpoch, r.Committed = k.o.ProducerID, k.o.Epoch, k.o.Commit
			r.CoordinatorEpoch, r.TransactionVersion = k.o.CoordinatorEpoch, k.o.Version
			req.Markers = append(req.Markers, r)
		}
		r := &req.Markers[i]
		if j := len(r.Topics); j == 0 || r.Topics[j-1].Topic != k.tp.Topic {
			topic := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
			topic.Topic = k.tp.Topic
			r.Topics = append(r.Topics, topic)
		}
		topic := &r.Topics[len(r.Topics)-1]
		topic.Partitions = append(topic.Partitions, k.tp.Partition)
	}
	return req
}

// answered takes note of what was written, and tries again what was not. The answer names a
// transaction only by its producer id, of which a request has one transaction.
func (m *txnMarkers) answered(sent []marker, resp kmsg.Response, err error) {
	type place struct {
		producerID int64
		tp         wire.TopicPartition
	}
	codes := make(map[place]int16)
	if err == nil {
		for _, r := range resp.(*kmsg.WriteTxnMarkersResponse).Markers {
			for _, topic := range r.Topics {
				for _, p := range topic.Partitions {
					codes[place{r.ProducerID, wire.TopicPartition{Topic: topic.Topic, Partition: p.Partition}}] = p.ErrorCode
				}
			}
		}
	} else {
		m.n.env.Trace.Event(env.Debug, "markers-not-sent", env.Err(err))
	}
	for _, k := range sent {
		code, told := codes[place{k.o.ProducerID, k.tp}]
		switch {
		case !told:
			m.retry(k, markerBackoff)
		case code == 0:
			m.written(k)
		case code == kerr.InvalidProducerEpoch.Code:
			// The partition has records of a later epoch, and so nothing open of this one. Either
			// a later coordinator has ended the transaction, and what this one makes of it
			// will not commit; or power loss has taken the end of the coordinator's own log,
			// and to insist would leave the transactional id unusable for ever (Kafka gives up
			// and leaves it so).
			m.refused(k, code)
			m.written(k)
		case code == kerr.TransactionCoordinatorFenced.Code:
			// The partition has heard of a later coordinator. This one is about to learn that
			// it is over.
			m.refused(k, code)
			m.retry(k, fencedBackoff)
		default:
			m.retry(k, markerBackoff)
		}
	}
}

func (m *txnMarkers) refused(k marker, code int16) {
	m.n.env.Trace.Event(env.Warn, "marker-refused", env.S("transactional-id", k.o.TransactionalID), env.S("partition", k.tp.String()), env.I("code", code))
}

// written counts a marker, and after the last lets go of the transaction: of that one, not
// of what a later coordinator has decided to send for the same transactional id
// (KAFKA-16352).
func (m *txnMarkers) written(k marker) {
	k.o.left--
	if k.o.left == 0 && (m.wanted(k) || m.n.env.Fail.On(failpoint.ZooMarkerRemovedByKeyOnly)) {
		delete(m.pending, k.o.TransactionalID)
	}
	k.o.c.tell(txn.Written{Completion: k.o.Completion, Partition: k.tp})
}
