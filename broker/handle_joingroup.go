package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// JoinGroup (key 11, versions 0-9; KIP-62, KIP-345, KIP-394, KIP-559, KIP-800, KIP-814)
// makes its sender a member of a classic group, and waits until the group's rebalance has
// come together: the answer has the generation, and for the leader everybody's
// subscriptions. A client that goes away meanwhile is not taken out before its session
// ends, as in Kafka.
//
// It is decided in package coordinator/group, by the shard that the group's id hashes to;
// elsewhere it is NOT_COORDINATOR.
func handleJoinGroup(n *Node, r *request) {
	n.coordinate(r, groupCoordinator, r.msg.(*kmsg.JoinGroupRequest).Group)
}
