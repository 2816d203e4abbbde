package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// ConsumerGroupDescribe (key 69, versions 0-1; KIP-848) shows next-generation groups with
// their members, assignments and target assignments. A group that does not exist or is
// classic is GROUP_ID_NOT_FOUND. There are no ACLs: whoever asks for authorized operations is
// told all of them.
//
// It is decided in package coordinator/group, for each group by the shard that its id
// hashes to; one that another broker coordinates is NOT_COORDINATOR.
//
// Deviation: a group that is named again is described once, in Kafka each time: the answer is much
// longer than the name.
func handleConsumerGroupDescribe(n *Node, r *request) {
	req := r.msg.(*kmsg.ConsumerGroupDescribeRequest)
	keys := distinct(req.Groups, itself)
	resp := kmsg.NewPtrConsumerGroupDescribeResponse()
	resp.Groups = make([]kmsg.ConsumerGroupDescribeResponseGroup, len(keys))
	n.spread(groupCoordinator, r.sender(), r.header.Version, keys, func(i int) kmsg.Request {
		part := kmsg.NewPtrConsumerGroupDescribeRequest()
		part.Groups, part.IncludeAuthorizedOperations = keys[i:i+1:i+1], req.IncludeAuthorizedOperations
		return part
	}, func(i int, part kmsg.Response) {
		resp.Groups[i] = part.(*kmsg.ConsumerGroupDescribeResponse).Groups[0]
	}, func() { r.reply(resp) })
}
