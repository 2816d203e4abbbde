package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// AddPartitionsToTxn (key 24, versions 0-5; KIP-98, KIP-890). Up to version 3 a producer adds
// partitions to its transaction. From version 4 on other brokers ask, for several
// transactions at once, to add partitions or whether they are in the transaction. There are
// no ACLs, so a client that sends version 4 or 5 is served as a broker is.
//
// It is decided in package coordinator/txn, for each transaction by the shard that its
// transactional id hashes to; one that another broker coordinates is NOT_COORDINATOR.
func handleAddPartitionsToTxn(n *Node, r *request) {
	req := r.msg.(*kmsg.AddPartitionsToTxnRequest)
	if r.header.Version < 4 {
		n.coordinate(r, transactionCoordinator, req.TransactionalID)
		return
	}
	n.addPartitionsToTxn(req, r.sender(), r.reply)
}

// addPartitionsToTxn has every transaction of a request of version 4 or 5 decided by its
// shard. The answer has them in the same order.
func (n *Node) addPartitionsToTxn(req *kmsg.AddPartitionsToTxnRequest, from sender, done func(kmsg.Response)) {
	resp := kmsg.NewPtrAddPartitionsToTxnResponse()
	resp.Version = req.Version
	resp.Transactions = make([]kmsg.AddPartitionsToTxnResponseTransaction, len(req.Transactions))
	ids := make([]string, len(req.Transactions))
	for i := range ids {
		ids[i] = req.Transactions[i].TransactionalID
	}
	n.spread(transactionCoordinator, from, req.Version, ids, func(i int) kmsg.Request {
		part := kmsg.NewPtrAddPartitionsToTxnRequest()
		part.Transactions = req.Transactions[i : i+1 : i+1]
		return part
	}, func(i int, part kmsg.Response) {
		resp.Transactions[i] = part.(*kmsg.AddPartitionsToTxnResponse).Transactions[0]
	}, func() { done(resp) })
}
