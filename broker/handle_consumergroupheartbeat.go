package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// ConsumerGroupHeartbeat (key 68, versions 0-1; KIP-848) is all that a member of a next-
// generation group says: it joins with member epoch 0, reports its subscription and what
// it owns, learns what it is to own, and leaves with -1, or -2 if it is static and will be
// back.
//
// It is decided in package coordinator/group, by the shard that the group's id hashes to;
// elsewhere it is NOT_COORDINATOR.
func handleConsumerGroupHeartbeat(n *Node, r *request) {
	n.coordinate(r, groupCoordinator, r.msg.(*kmsg.ConsumerGroupHeartbeatRequest).Group)
}
