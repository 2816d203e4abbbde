package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// OffsetFetch (key 9, versions 1-9; KIP-88, KIP-447, KIP-709, KIP-848) reads the
// committed offsets of a group, from version 8 on of several. A group or partition
// without one has offset -1 and no error. A list of topics that is null asks for all
// (version 2). With require stable (version 7), partitions whose offsets an open
// transaction is about to change are UNSTABLE_OFFSET_COMMIT.
//
// It is decided in package coordinator/group, by the shard that the group's id hashes to.
// What the answer tells has committed: the answer waits for that.
//
// Deviations: the groups of one request are answered one by one, and one that another
// broker coordinates is NOT_COORDINATOR on its own. A partition that is named again is
// answered once, and so is a group, for the topics that it is named with first; in Kafka each
// time. The answer is much longer than the name.
func handleOffsetFetch(n *Node, r *request) {
	req := r.msg.(*kmsg.OffsetFetchRequest)
	if req.Version < 8 {
		n.coordinate(r, groupCoordinator, req.Group)
		return
	}
	groups := distinct(req.Groups, func(g *kmsg.OffsetFetchRequestGroup) string { return g.Group })
	keys := make([]string, len(groups))
	for i := range keys {
		keys[i] = groups[i].Group
	}
	resp := kmsg.NewPtrOffsetFetchResponse()
	resp.Groups = make([]kmsg.OffsetFetchResponseGroup, len(keys))
	n.spread(groupCoordinator, r.sender(), r.header.Version, keys, func(i int) kmsg.Request {
		part := kmsg.NewPtrOffsetFetchRequest()
		part.Groups, part.RequireStable = groups[i:i+1:i+1], req.RequireStable
		return part
	}, func(i int, part kmsg.Response) {
		resp.Groups[i] = part.(*kmsg.OffsetFetchResponse).Groups[0]
	}, func() { r.reply(resp) })
}
