package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// DescribeGroups (key 15, versions 0-6; KIP-430, KIP-345, KIP-1043) shows classic groups
// with their members and assignments. A group that does not exist is Dead, and from
// version 6 on GROUP_ID_NOT_FOUND. There are no ACLs: whoever asks for authorized operations is
// told all of them.
//
// It is decided in package coordinator/group, for each group by the shard that its id
// hashes to; one that another broker coordinates is NOT_COORDINATOR.
//
// Deviation: a group that is named again is described once, in Kafka each time: the answer is much
// longer than the name.
func handleDescribeGroups(n *Node, r *request) {
	req := r.msg.(*kmsg.DescribeGroupsRequest)
	keys := distinct(req.Groups, itself)
	resp := kmsg.NewPtrDescribeGroupsResponse()
	resp.Groups = make([]kmsg.DescribeGroupsResponseGroup, len(keys))
	n.spread(groupCoordinator, r.sender(), r.header.Version, keys, func(i int) kmsg.Request {
		part := kmsg.NewPtrDescribeGroupsRequest()
		part.Groups, part.IncludeAuthorizedOperations = keys[i:i+1:i+1], req.IncludeAuthorizedOperations
		return part
	}, func(i int, part kmsg.Response) {
		resp.Groups[i] = part.(*kmsg.DescribeGroupsResponse).Groups[0]
	}, func() { r.reply(resp) })
}
