package broker

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/env"
	"odradek/broker/wire"
)

// WriteTxnMarkers (key 27, versions 1-2; KIP-98, KIP-890) ends transactions in partitions that
// are led here: a control batch each, answered once the high watermark has passed it. Errors,
// by partition:
//
//	NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION
//	INVALID_PRODUCER_EPOCH         the producer has a later epoch here; from version 2 on also
//	                               the same, if the transaction has epochs of its own
//	TRANSACTION_COORDINATOR_FENCED a later coordinator has written a marker
//	NOT_ENOUGH_REPLICAS            fewer in-sync replicas than min.insync.replicas
//	REQUEST_TIMED_OUT              written, and not replicated within markerPatience
//
// A marker that is asked for again while it waits for replicas is not written again. In a
// partition that has a coordinator, its shard writes the marker, so that the offsets of the
// transaction are visible when it is answered.
//
// Deviation: Kafka writes markers also with too few in-sync replicas, and again each time.
func handleWriteTxnMarkers(n *Node, r *request) {
	n.writeTxnMarkers(r.msg.(*kmsg.WriteTxnMarkersRequest), func(resp *kmsg.WriteTxnMarkersResponse) { r.reply(resp) })
}

// markerPatience is how long an answer waits for replicas: one slow partition must not hold
// up the markers of all others for long.
const markerPatience = time.Second

// markersOp is a WriteTxnMarkers that waits for its partitions.
type markersOp struct {
	resp  *kmsg.WriteTxnMarkersResponse
	open  int
	done  func(*kmsg.WriteTxnMarkersResponse)
	timer env.Timer
}

// writeTxnMarkers writes the markers of a request. done gets the answer, perhaps at once.
func (n *Node) writeTxnMarkers(req *kmsg.WriteTxnMarkersRequest, done func(*kmsg.WriteTxnMarkersResponse)) {
	op := &markersOp{resp: kmsg.NewPtrWriteTxnMarkersResponse(), open: 1, done: done}
	op.resp.Version = req.Version
	for i := range req.Markers {
		m := kmsg.NewWriteTxnMarkersResponseMarker()
		m.ProducerID = req.Markers[i].ProducerID
		for _, topic := range req.Markers[i].Topics {
			t := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			t.Topic = topic.Topic
			for _, p := range topic.Partitions {
				rp := kmsg.NewWriteTxnMarkersResponseMarkerTopicPartition()
				rp.Partition, rp.ErrorCode = p, kerr.RequestTimedOut.Code
				t.Partitions = append(t.Partitions, rp)
				op.open++
			}
			m.Topics = append(m.Topics, t)
		}
		op.resp.Markers = append(op.resp.Markers, m)
	}
	for i := range req.Markers {
		rm := &req.Markers[i]
		m := coordinator.Marker{
			Transaction: coordinator.Transaction{ProducerID: rm.ProducerID, Epoch: rm.ProducerEpoch},
			Commit:      rm.Committed, CoordinatorEpoch: rm.CoordinatorEpoch,
		}
		for j := range rm.Topics {
			for k, p := range rm.Topics[j].Partitions {
				tp := wire.TopicPartition{Topic: rm.Topics[j].Topic, Partition: p}
				n.writeMarker(tp, m, rm.TransactionVersion, markerPart{op, &op.resp.Markers[i].Topics[j].Partitions[k]})
			}
		}
	}
	if op.release(); op.done != nil {
		op.timer = n.env.Clock.After(markerPatience, op.answer)
	}
}

func (op *markersOp) release() {
	if op.open--; op.open == 0 {
		op.answer()
	}
}

func (op *markersOp) answer() {
	if op.timer != nil {
		op.timer.Stop()
	}
	done := op.done
	op.done = nil
	done(op.resp)
}

// markerPart is what a request waits for in one partition.
type markerPart struct {
	op  *markersOp
	out *kmsg.WriteTxnMarkersResponseMarkerTopicPartition
}

func (w markerPart) finish(code int16) {
	if w.op.done != nil { // else the answer has left
		w.out.ErrorCode = code
		w.op.release()
	}
}

// localMarker is a marker that is on its way into a partition's log, or to its replicas.
type localMarker struct {
	tp wire.TopicPartition
	coordinator.Marker
	version int8
}

// writeMarker ends a transaction in a partition that is led here. part gets the error code.
func (n *Node) writeMarker(tp wire.TopicPartition, m coordinator.Marker, version int8, part markerPart) {
	key := localMarker{tp, m, version}
	if waiting, ok := n.localMarkers[key]; ok {
		// Whoever has been answered without it asks again, for as long as the replicas are away.
		waiting = slices.DeleteFunc(waiting, func(w markerPart) bool { return w.op.done == nil })
		n.localMarkers[key] = append(waiting, part)
		return
	}
	p, code := n.leading(tp.Topic, tp.Partition)
	if code == 0 {
		if why := p.leader.CheckProduce(); why != nil {
			code = why.Code
		}
	}
	if code != 0 {
		part.finish(code)
		return
	}
	n.localMarkers[key] = []markerPart{part}
	finish := func(code int16) {
		waiting := n.localMarkers[key]
		delete(n.localMarkers, key)
		for _, w := range waiting {
			w.finish(code)
		}
	}
	if !n.coordinators.coordinates(tp.Topic) {
		p.appendMarker(m, version, finish)
		return
	}
	c := p.coordination
	if c == nil || !c.shard.Active() {
		finish(kerr.CoordinatorLoadInProgress.Code)
		return
	}
	h := wire.BatchHeader{ProducerID: m.ProducerID, ProducerEpoch: m.Epoch}
	if err := p.log.Producers().CheckMarker(&h, wire.EndMarker{Commit: m.Commit, CoordinatorEpoch: m.CoordinatorEpoch}, version); err != nil {
		finish(p.refusal(err).code)
		return
	}
	c.mark(m, func(why *kerr.Error) {
		if why == nil {
			finish(0)
		} else {
			finish(why.Code)
		}
	})
}
