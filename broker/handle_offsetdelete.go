package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// OffsetDelete (key 47, version 0; KIP-496) forgets the offsets of partitions that no
// member of the group is subscribed to: GROUP_SUBSCRIBED_TO_TOPIC.
//
// It is decided in package coordinator/group, by the shard that the group's id hashes to;
// elsewhere it is NOT_COORDINATOR.
func handleOffsetDelete(n *Node, r *request) {
	n.coordinate(r, groupCoordinator, r.msg.(*kmsg.OffsetDeleteRequest).Group)
}
