package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// TxnOffsetCommit (key 28, versions 0-5; KIP-98, KIP-447, KIP-890) stores offsets of a group
// within a producer's transaction: they count once that has committed. Version 5 adds the
// partition where the group keeps its offsets to the transaction, which before
// AddOffsetsToTxn has done; both is verified before the shard decides
// (coordinator_transactions.go).
//
// It is decided in package coordinator/group, by the shard that the group's id hashes to;
// elsewhere it is NOT_COORDINATOR.
func handleTxnOffsetCommit(n *Node, r *request) {
	n.coordinate(r, groupCoordinator, r.msg.(*kmsg.TxnOffsetCommitRequest).Group)
}
