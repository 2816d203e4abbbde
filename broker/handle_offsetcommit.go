package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// OffsetCommit (key 8, versions 2-9; KIP-98, KIP-211, KIP-345, KIP-848) stores offsets of
// a group, for a member of the current generation or member epoch, or for nobody in
// particular while the group has no members. It is answered once the offsets have
// committed; after offsets.commit.timeout.ms without that it is COORDINATOR_NOT_AVAILABLE,
// and they may still be stored.
//
// It is decided in package coordinator/group, by the shard that the group's id hashes to;
// elsewhere it is NOT_COORDINATOR.
func handleOffsetCommit(n *Node, r *request) {
	n.coordinate(r, groupCoordinator, r.msg.(*kmsg.OffsetCommitRequest).Group)
}
