package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// Heartbeat (key 12, versions 0-4; KIP-345) keeps a member of a classic group alive, and
// tells it to rejoin (REBALANCE_IN_PROGRESS) when a rebalance is under way. While the
// group is being loaded it succeeds, as in Kafka: sessions begin anew then.
//
// It is decided in package coordinator/group, by the shard that the group's id hashes to;
// elsewhere it is NOT_COORDINATOR.
func handleHeartbeat(n *Node, r *request) {
	n.coordinate(r, groupCoordinator, r.msg.(*kmsg.HeartbeatRequest).Group)
}
