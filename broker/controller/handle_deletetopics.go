package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// deleteTopics answers DeleteTopics (20), versions 1 to 6; version 6 also takes
// topic ids (KIP-516). Results come in the order of the request; Kafka shuffles
// them to hide from unauthorised clients which topics exist.
func (c *Controller) deleteTopics(req *kmsg.DeleteTopicsRequest) kmsg.Response {
	if !c.cfg.DeleteTopics {
		if req.Version < 3 {
			return refuse(req, kerr.InvalidRequest)
		}
		return refuse(req, kerr.TopicDeletionDisabled)
	}
	targets := slices.Clone(req.Topics)
	for _, name := range req.TopicNames {
		targets = append(targets, kmsg.DeleteTopicsRequestTopic{Topic: &name})
	}
	// Deciding on all before writing any lets two names of one topic be seen.
	mentioned := make(map[wire.UUID]int)
	for _, target := range targets {
		if t := c.findTopic(target); t != nil {
			mentioned[t.ID]++
		}
	}
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	for _, target := range targets {
		resp.Topics = append(resp.Topics, c.deleteTopic(target, mentioned))
	}
	return resp
}

func (c *Controller) findTopic(target kmsg.DeleteTopicsRequestTopic) *metadata.Topic {
	if target.Topic != nil {
		return c.pending.Topic(*target.Topic)
	}
	return c.pending.TopicByID(target.TopicID)
}

func (c *Controller) deleteTopic(target kmsg.DeleteTopicsRequestTopic, mentioned map[wire.UUID]int) kmsg.DeleteTopicsResponseTopic {
	byID := wire.UUID(target.TopicID) != wire.UUID{}
	refuse := func(code *kerr.Error, text string) kmsg.DeleteTopicsResponseTopic {
		return deleteTopicsResult(target.Topic, target.TopicID, code, text)
	}
	switch {
	case target.Topic == nil && !byID:
		return refuse(kerr.InvalidRequest, "Neither topic name nor id were specified.")
	case target.Topic != nil && byID:
		return refuse(kerr.InvalidRequest, "You may not specify both topic name and topic id.")
	}
	t := c.findTopic(target)
	switch {
	case t == nil && byID:
		return refuse(kerr.UnknownTopicID, kerr.UnknownTopicID.Description)
	case t == nil:
		return refuse(kerr.UnknownTopicOrPartition, kerr.UnknownTopicOrPartition.Description)
	case mentioned[t.ID] > 1:
		return refuse(kerr.InvalidRequest, "Duplicate topic name or id.")
	}
	c.write(&metadata.RemoveTopicRecord{TopicID: t.ID})
	return deleteTopicsResult(&t.Name, t.ID, nil, "")
}

func deleteTopicsResult(name *string, id wire.UUID, code *kerr.Error, text string) kmsg.DeleteTopicsResponseTopic {
	result := kmsg.NewDeleteTopicsResponseTopic()
	result.Topic, result.TopicID = name, id
	if code != nil {
		result.ErrorCode, result.ErrorMessage = code.Code, &text
	}
	return result
}
