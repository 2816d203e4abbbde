package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

// fetch is one reading of committed offsets under way.
type fetch struct {
	trying
	id  FetchID
	tps []wire.TopicPartition
}

// Fetch begins to read committed offsets. The result comes from Fetches.
func (c *Core) Fetch(now int64, tps []wire.TopicPartition) FetchID {
	tps = slices.Clone(tps)
	slices.SortFunc(tps, wire.TopicPartition.Compare)
	c.lastID.fetch++
	c.fetches = append(c.fetches, &fetch{id: c.lastID.fetch, tps: slices.Compact(tps), trying: trying{deadline: now + int64(c.cfg.Timeout)}})
	return c.lastID.fetch
}

// Fetches takes the results of reading committed offsets.
func (c *Core) Fetches() []Fetched {
	ended := c.fetched
	c.fetched = nil
	return ended
}

func (c *Core) pollFetches(now int64) {
	for _, f := range slices.Clone(c.fetches) {
		switch due, err := f.due(now, c.err); {
		case len(f.tps) == 0:
			c.endFetch(f, Fetched{})
		case err != nil:
			c.endFetch(f, Fetched{Err: err})
		case due:
			if _, ok := c.node(); ok {
				c.attemptFetch(now, f)
			}
		}
	}
}

func (c *Core) endFetch(f *fetch, result Fetched) {
	c.fetches = slices.DeleteFunc(c.fetches, func(o *fetch) bool { return o == f })
	result.ID = f.id
	c.fetched = append(c.fetched, result)
}

func (c *Core) attemptFetch(now int64, f *fetch) {
	req, lowest := OffsetFetchRequest(c.cfg.ID, f.tps, c.cfg.RequireStable)
	if m := c.Member(); c.cfg.Protocol == Consumer && m.In() {
		req.Groups[0].MemberID, req.Groups[0].MemberEpoch = &m.ID, m.Generation
	}
	f.inFlight = true
	c.send(req, lowest, 9, 0, func(now int64, node wire.NodeID, resp kmsg.Response, err error) {
		if !slices.Contains(c.fetches, f) {
			return // ended by its deadline
		}
		f.inFlight = false
		switch {
		case err == nil:
			c.onFetch(now, node, f, resp.(*kmsg.OffsetFetchResponse))
		case unserved(err):
			c.endFetch(f, Fetched{Err: err})
		default:
			c.later(now, &f.trying, err)
		}
	})
}

func (c *Core) onFetch(now int64, node wire.NodeID, f *fetch, resp *kmsg.OffsetFetchResponse) {
	code, answers := ReadOffsetFetch(resp)
	err := attempt.NewCodeError(code, nil)
	switch {
	case code == 0:
	case c.passing(node, code) || code == kerr.UnknownMemberID.Code || code == kerr.StaleMemberEpoch.Code:
		// The last two: the next heartbeat tells what has become of the member.
		c.later(now, &f.trying, err)
		return
	default:
		c.endFetch(f, Fetched{Err: err})
		return
	}
	result := Fetched{Offsets: make(Offsets), Refused: make(map[wire.TopicPartition]error)}
	for _, tp := range f.tps {
		a, answered := answers[tp]
		switch {
		case !answered || a.Code == kerr.UnstableOffsetCommit.Code || c.passing(node, a.Code):
			if !answered {
				a.Code = kerr.UnknownServerError.Code
			}
			c.later(now, &f.trying, attempt.NewCodeError(a.Code, nil))
			return
		case a.Code != 0:
			result.Refused[tp] = attempt.NewCodeError(a.Code, nil)
		case a.Offset.Offset >= 0:
			result.Offsets[tp] = a.Offset
		}
	}
	c.endFetch(f, result)
}

// OffsetFetchRequest is a request for a group's committed offsets, all of them if tps is
// nil, and the lowest version that can carry it. tps are sorted.
func OffsetFetchRequest(id string, tps []wire.TopicPartition, stable bool) (req *kmsg.OffsetFetchRequest, lowest int16) {
	req = kmsg.NewPtrOffsetFetchRequest()
	lowest = 1
	if tps == nil {
		lowest = 2
	}
	if stable {
		req.RequireStable, lowest = true, 7
	}
	// The version picks which of the two goes out.
	req.Group = id
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.MemberEpoch = id, -1
	eachTopic(tps, func(topic string, partitions []int32) {
		req.Topics = append(req.Topics, kmsg.OffsetFetchRequestTopic{Topic: topic, Partitions: partitions})
		g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: topic, Partitions: partitions})
	})
	req.Groups = append(req.Groups, g)
	return req, lowest
}

// CommittedOffset is a partition's answer to OffsetFetch; the offset is -1 if there is
// none.
type CommittedOffset struct {
	Offset
	Code int16
}

// ReadOffsetFetch takes the answer to OffsetFetch for one group, of any version, and gives
// the group's error code or its partitions.
func ReadOffsetFetch(resp *kmsg.OffsetFetchResponse) (code int16, answers map[wire.TopicPartition]CommittedOffset) {
	answers = make(map[wire.TopicPartition]CommittedOffset)
	take := func(topic string, partition int32, offset int64, epoch int32, metadata *string, code int16) {
		a := CommittedOffset{Offset: Offset{Offset: wire.Offset(offset), LeaderEpoch: wire.LeaderEpoch(epoch)}, Code: code}
		if metadata != nil {
			a.Metadata = *metadata
		}
		answers[wire.TopicPartition{Topic: topic, Partition: partition}] = a
	}
	if resp.Version < 8 {
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				take(t.Topic, p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode)
			}
		}
		return resp.ErrorCode, answers
	}
	if len(resp.Groups) != 1 {
		return kerr.UnknownServerError.Code, nil
	}
	g := &resp.Groups[0]
	for _, t := range g.Topics {
		for _, p := range t.Partitions {
			take(t.Topic, p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode)
		}
	}
	return g.ErrorCode, answers
}
