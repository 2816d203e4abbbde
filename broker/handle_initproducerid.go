package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
)

// InitProducerId (key 22, versions 0-5; KIP-98, KIP-360). Without a transactional id
// it gives out a fresh producer id with epoch 0 from a block that the controller
// allocated to this broker. With one the transaction coordinator decides, in package
// coordinator/txn, in the shard that it hashes to; elsewhere it is NOT_COORDINATOR.
func handleInitProducerID(n *Node, r *request) {
	req := r.msg.(*kmsg.InitProducerIDRequest)
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	switch {
	case req.TransactionalID != nil && *req.TransactionalID == "":
		resp.ErrorCode = kerr.InvalidRequest.Code
	case req.TransactionalID != nil:
		n.coordinate(r, transactionCoordinator, *req.TransactionalID)
		return
	default:
		n.producerIDs.next(n, func(id int64, code int16) {
			resp.ErrorCode = code
			if code == 0 {
				resp.ProducerID, resp.ProducerEpoch = id, 0
			}
			r.reply(resp)
		})
		return
	}
	r.reply(resp)
}

// producerIDs is the block of producer ids this broker may give out. What is left
// of a block is lost in a restart; ids are never given out twice.
type producerIDs struct {
	first, count int64
	waiting      []func(id int64, code int16)
	asking       bool
}

const allocateTimeout = 5 * time.Second

func (p *producerIDs) next(n *Node, done func(id int64, code int16)) {
	if p.count > 0 {
		p.first, p.count = p.first+1, p.count-1
		done(p.first-1, 0)
		return
	}
	p.waiting = append(p.waiting, done)
	if p.asking {
		return
	}
	p.asking = true
	req := kmsg.NewPtrAllocateProducerIDsRequest()
	req.BrokerID, req.BrokerEpoch = int32(n.cfg.NodeID), int64(n.brokerEpoch)
	n.toController(req, allocateTimeout, func(resp kmsg.Response, err error) {
		p.asking = false
		waiting := p.waiting
		p.waiting = nil
		if err == nil {
			got := resp.(*kmsg.AllocateProducerIDsResponse)
			if err = kerr.ErrorForCode(got.ErrorCode); err == nil {
				p.first, p.count = got.ProducerIDStart, int64(got.ProducerIDLen)
			}
		}
		if err != nil {
			n.env.Trace.Event(env.Warn, "no-producer-ids", env.Err(err))
			for _, w := range waiting {
				w(-1, kerr.CoordinatorNotAvailable.Code) // retriable, as Kafka answers
			}
			return
		}
		for _, w := range waiting {
			p.next(n, w)
		}
	})
}
