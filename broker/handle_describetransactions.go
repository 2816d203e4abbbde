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
	open := len(ids) + 1
	finished := func() {
		if open--; open == 0 {
			r.reply(resp)
		}
	}
	for i, id := range ids {
		part := kmsg.NewPtrDescribeTransactionsRequest()
		part.Version, part.TransactionalIDs = r.header.Version, ids[i:i+1:i+1]
		n.ask(transactionCoordinator, id, r.sender(), part, func(answer kmsg.Response) {
			resp.TransactionStates[i] = answer.(*kmsg.DescribeTransactionsResponse).TransactionStates[0]
			finished()
		})
	}
	finished()
}
