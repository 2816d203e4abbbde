package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// SyncGroup (key 14, versions 0-5; KIP-345, KIP-559) brings the leader's assignment of a
// generation, and waits for it: the answer has the member's part. It leaves once the
// assignment has committed.
//
// It is decided in package coordinator/group, by the shard that the group's id hashes to;
// elsewhere it is NOT_COORDINATOR.
func handleSyncGroup(n *Node, r *request) {
	n.coordinate(r, groupCoordinator, r.msg.(*kmsg.SyncGroupRequest).Group)
}
