package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// LeaveGroup (key 13, versions 0-5; KIP-345, KIP-800) takes members out of a group at
// once: its sender, or from version 3 on any number of them, static ones by their instance
// id.
//
// It is decided in package coordinator/group, by the shard that the group's id hashes to;
// elsewhere it is NOT_COORDINATOR.
func handleLeaveGroup(n *Node, r *request) {
	n.coordinate(r, groupCoordinator, r.msg.(*kmsg.LeaveGroupRequest).Group)
}
