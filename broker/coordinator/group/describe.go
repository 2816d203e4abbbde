package group

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
)

// DescribeGroups (key 15, versions 0-6). A group that does not exist is in state Dead
// without an error, from version 6 on with GROUP_ID_NOT_FOUND; so is one that has no
// description here, such as a consumer group (ConsumerGroupDescribe has those).
// Metadata and assignments are shown of stable groups only. There is no authorizer: the
// authorized operations are all that a group has, if they are asked for.
func (t *turn) describeGroups(r coordinator.Request, req *kmsg.DescribeGroupsRequest) {
	resp := kmsg.NewPtrDescribeGroupsResponse()
	for _, id := range req.Groups {
		d := kmsg.NewDescribeGroupsResponseGroup()
		d.Group = id
		if g, ok := t.m.groups[id].(*classic); ok {
			g.describeTo(&d)
		} else {
			d.State = dead.String()
			if req.Version >= 6 {
				d.ErrorCode = kerr.GroupIDNotFound.Code
				d.ErrorMessage = kmsg.StringPtr("Group " + id + " not found.")
			}
		}
		if req.IncludeAuthorizedOperations {
			d.AuthorizedOperations = groupOperations
		}
		resp.Groups = append(resp.Groups, d)
	}
	t.reply(waiting{r.Token, req.Version}, resp)
}

// groupOperations are READ (3), DELETE (6) and DESCRIBE (8), as a bit field (KIP-430).
const groupOperations = 1<<3 | 1<<6 | 1<<8

// ListGroups (key 16, versions 0-5): every group of the shard, by id. Filters by state
// (version 4, KIP-518) and type (version 5, KIP-848) take no notice of case; a name that
// no group can have lists none.
func (t *turn) listGroups(r coordinator.Request, req *kmsg.ListGroupsRequest) {
	resp := kmsg.NewPtrListGroupsResponse()
	for _, id := range t.m.ids() {
		g := t.m.groups[id]
		if !listed(req.StatesFilter, g.stateName()) || !listed(req.TypesFilter, g.groupType()) {
			continue
		}
		l := kmsg.NewListGroupsResponseGroup()
		l.Group, l.ProtocolType, l.GroupState, l.GroupType = id, g.protocolName(), g.stateName(), g.groupType()
		resp.Groups = append(resp.Groups, l)
	}
	t.reply(waiting{r.Token, req.Version}, resp)
}

func listed(filter []string, name string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(s string) bool { return strings.EqualFold(s, name) })
}

// DeleteGroups (key 42, versions 0-2): NON_EMPTY_GROUP if it has members,
// GROUP_ID_NOT_FOUND if there is none. All of its offsets go with it, also those that a
// transaction has not committed yet. A group that is named twice is answered twice.
func (t *turn) deleteGroups(r coordinator.Request, req *kmsg.DeleteGroupsRequest) {
	resp := kmsg.NewPtrDeleteGroupsResponse()
	answers := make(map[string]int16)
	for _, id := range req.Groups {
		if _, again := answers[id]; !again {
			answers[id] = code(t.deleteGroup(id))
		}
		rg := kmsg.NewDeleteGroupsResponseGroup()
		rg.Group, rg.ErrorCode = id, answers[id]
		resp.Groups = append(resp.Groups, rg)
	}
	t.reply(waiting{r.Token, req.Version}, resp)
}

func (t *turn) deleteGroup(id string) *kerr.Error {
	g := t.m.groups[id]
	switch {
	case g == nil:
		return kerr.GroupIDNotFound
	case !g.empty():
		return kerr.NonEmptyGroup
	}
	var records []coordinator.Record
	for _, tp := range t.m.offsets.partitions(id) {
		records = append(records, offsetTombstone(id, tp))
	}
	if g.persisted() {
		records = append(records, g.tombstones()...)
	}
	if len(records) == 0 {
		// Only somebody was promised a member id. The log does not know.
		g.dissolve()
		delete(t.m.groups, id)
	}
	t.appendSplit(records)
	t.event(Event{Kind: "group-deleted", Group: id})
	return nil
}
