package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// ConsumerGroupDescribe (key 69, versions 0-1): the group's epochs, and each member with
// what it has and what it shall have, by id; from version 1 on which protocol it speaks. What
// is no consumer group is GROUP_ID_NOT_FOUND. Partitions of deleted topics, which members
// may not have given up yet, are left out, as they have no name.
func (t *turn) describeConsumerGroups(r coordinator.Request, req *kmsg.ConsumerGroupDescribeRequest) {
	resp := kmsg.NewPtrConsumerGroupDescribeResponse()
	for _, id := range req.Groups {
		d := kmsg.NewConsumerGroupDescribeResponseGroup()
		d.Group = id
		if g, ok := t.m.groups[id].(*consumer); ok {
			g.describeTo(&d, t.at.Image)
			if req.IncludeAuthorizedOperations {
				d.AuthorizedOperations = groupOperations
			}
		} else {
			d.ErrorCode, d.ErrorMessage = kerr.GroupIDNotFound.Code, kmsg.StringPtr("Group "+id+" is no consumer group.")
		}
		resp.Groups = append(resp.Groups, d)
	}
	t.reply(waiting{r.Token, req.Version}, resp)
}

func (g *consumer) describeTo(d *kmsg.ConsumerGroupDescribeResponseGroup, image *metadata.Image) {
	d.State, d.Epoch, d.AssignmentEpoch, d.AssignorName = g.stateName(), g.epoch, g.targetEpoch, g.preferred()
	for _, id := range g.memberIDs() {
		mb := g.members[id]
		dm := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		dm.MemberID, dm.InstanceID, dm.RackID, dm.MemberEpoch = mb.id, mb.instance, mb.rack, mb.epoch
		dm.ClientID, dm.ClientHost = mb.clientID, mb.clientHost
		dm.SubscribedTopics, dm.SubscribedTopicRegex = mb.topics, optional(mb.pattern)
		dm.Assignment, dm.TargetAssignment = named(mb.assigned, image), named(mb.target, image)
		dm.MemberType = 1
		if mb.classic != nil {
			dm.MemberType = 0
		}
		d.Members = append(d.Members, dm)
	}
}

func named(s partitions, image *metadata.Image) kmsg.Assignment {
	a := kmsg.NewAssignment()
	s.eachTopic(func(id wire.UUID, indexes []int32) {
		if topic := image.TopicByID(id); topic != nil {
			a.TopicPartitions = append(a.TopicPartitions, kmsg.AssignmentTopicPartition{TopicID: id, Topic: topic.Name, Partitions: indexes})
		}
	})
	return a
}
