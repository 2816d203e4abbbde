package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AddOffsetsToTxn (key 25, versions 0-4; KIP-98) adds the partition where a group keeps its
// offsets to a producer's transaction, so that the group's coordinator gets a marker. If the
// topic of offsets does not exist yet it is created: COORDINATOR_NOT_AVAILABLE until then.
// Otherwise it is an AddPartitionsToTxn of that partition, with the same errors.
func handleAddOffsetsToTxn(n *Node, r *request) {
	req := r.msg.(*kmsg.AddOffsetsToTxnRequest)
	resp := kmsg.NewPtrAddOffsetsToTxnResponse()
	tp, why := n.coordinators.partitionOf(groupCoordinator, req.Group)
	switch {
	case req.Group == "":
		resp.ErrorCode = kerr.InvalidGroupID.Code
	case why != nil:
		n.coordinators.create(&n.coordinators.kinds[groupCoordinator])
		resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
	default:
		add := kmsg.NewPtrAddPartitionsToTxnRequest()
		add.Version = min(r.header.Version, 3) // what tells fencing errors apart changed in version 2 of both
		add.TransactionalID, add.ProducerID, add.ProducerEpoch = req.TransactionalID, req.ProducerID, req.ProducerEpoch
		topic := kmsg.NewAddPartitionsToTxnRequestTopic()
		topic.Topic, topic.Partitions = tp.Topic, []int32{tp.Partition}
		add.Topics = append(add.Topics, topic)
		n.ask(transactionCoordinator, req.TransactionalID, r.sender(), add, func(answer kmsg.Response) {
			resp.ErrorCode = answer.(*kmsg.AddPartitionsToTxnResponse).Topics[0].Partitions[0].ErrorCode
			r.reply(resp)
		})
		return
	}
	r.reply(resp)
}
