package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// EndTxn (key 26, versions 0-5; KIP-98, KIP-890) commits or aborts a transaction. It is answered
// once that is decided, before the partitions have their markers. Version 5 answers with the
// producer id and epoch of the next transaction, and is advertised only while the feature
// transaction.version is at 2.
//
// It is decided in package coordinator/txn, by the shard that the transactional id hashes to;
// elsewhere it is NOT_COORDINATOR.
func handleEndTxn(n *Node, r *request) {
	n.coordinate(r, transactionCoordinator, r.msg.(*kmsg.EndTxnRequest).TransactionalID)
}
