package controller

import (
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// producerIDBlock is how many producer ids a broker gets at a time.
const producerIDBlock = 1000

// allocateProducerIDs answers AllocateProducerIDs (67), version 0: a broker gets a
// block of ids that nobody else has or will get.
func (c *Controller) allocateProducerIDs(req *kmsg.AllocateProducerIDsRequest) kmsg.Response {
	if _, code := c.registered(req.BrokerID, req.BrokerEpoch); code != nil {
		return refuse(req, code)
	}
	start := c.pending.NextProducerID()
	if start > math.MaxInt64-producerIDBlock {
		return refuse(req, kerr.UnknownServerError)
	}
	c.write(&metadata.ProducerIDsRecord{
		BrokerID: wire.NodeID(req.BrokerID), BrokerEpoch: wire.BrokerEpoch(req.BrokerEpoch), NextProducerID: start + producerIDBlock,
	})
	resp := req.ResponseKind().(*kmsg.AllocateProducerIDsResponse)
	resp.ProducerIDStart, resp.ProducerIDLen = start, producerIDBlock
	return resp
}
