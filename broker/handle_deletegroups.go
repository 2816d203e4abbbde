package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// DeleteGroups (key 42, versions 0-2; KIP-229) forgets groups that have no members
// (NON_EMPTY_GROUP) with their offsets. It is answered once that has committed. A group that is
// named again is answered once, as in Kafka.
//
// It is decided in package coordinator/group, for each group by the shard that its id
// hashes to; one that another broker coordinates is NOT_COORDINATOR.
func handleDeleteGroups(n *Node, r *request) {
	keys := distinct(r.msg.(*kmsg.DeleteGroupsRequest).Groups, itself)
	resp := kmsg.NewPtrDeleteGroupsResponse()
	resp.Groups = make([]kmsg.DeleteGroupsResponseGroup, len(keys))
	n.spread(groupCoordinator, r.sender(), r.header.Version, keys, func(i int) kmsg.Request {
		part := kmsg.NewPtrDeleteGroupsRequest()
		part.Groups = keys[i : i+1 : i+1]
		return part
	}, func(i int, part kmsg.Response) {
		resp.Groups[i] = part.(*kmsg.DeleteGroupsResponse).Groups[0]
	}, func() { r.reply(resp) })
}
