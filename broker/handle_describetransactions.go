package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// DescribeTransactions (key 65, version 0; KIP-664) shows the state, producer and partitions of
// transactional ids; TRANSACTIONAL_ID_NOT_FOUND for one that is unknown.
//
// It is decided in package coordinator/txn, for each id by the shard that it hashes to; one
// that another broker coordinates is NOT_COORDINATOR.
//
// Deviation: an id that is named again is described once, in Kafka each time: the answer is much
// longer than the name.
func handleDescribeTransactions(n *Node, r *request) {
	ids := distinct(r.msg.(*kmsg.DescribeTransactionsRequest).TransactionalIDs, itself)
	resp := kmsg.NewPtrDescribeTransactionsResponse()
	resp.TransactionStates = make([]kmsg.DescribeTransactionsResponseTransactionState, len(ids))
	n.spread(transactionCoordinator, r.sender(), r.header.Version, ids, func(i int) kmsg.Request {
		part := kmsg.NewPtrDescribeTransactionsRequest()
		part.TransactionalIDs = ids[i : i+1 : i+1]
		return part
	}, func(i int, part kmsg.Response) {
		resp.TransactionStates[i] = part.(*kmsg.DescribeTransactionsResponse).TransactionStates[0]
	}, func() { r.reply(resp) })
}
