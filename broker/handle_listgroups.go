package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// ListGroups (key 16, versions 0-5; KIP-518, KIP-848) lists the groups that this broker
// coordinates: a client that wants them all asks every broker. From version 4 on it may
// ask for some states only, from version 5 on for some types. While a shard is being
// loaded the whole answer is COORDINATOR_LOAD_IN_PROGRESS, as a list that leaves groups out
// would be taken for the truth.
//
// It is decided in package coordinator/group, by every shard that is led here.
func handleListGroups(n *Node, r *request) {
	req := r.msg.(*kmsg.ListGroupsRequest)
	resp := kmsg.NewPtrListGroupsResponse()
	n.askAll(groupCoordinator, r.sender(), req, func(part kmsg.Response) {
		p := part.(*kmsg.ListGroupsResponse)
		if resp.ErrorCode == 0 {
			resp.ErrorCode = p.ErrorCode
		}
		resp.Groups = append(resp.Groups, p.Groups...)
	}, func() {
		if resp.ErrorCode != 0 {
			resp.Groups = nil
		}
		r.reply(resp)
	})
}
