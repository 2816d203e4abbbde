package workloads

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/group"
)

// membership records what one member of a group experiences: a process of the history.
// It observes the client that the member is made with.
type membership struct {
	client.NopObserver
	site    *Site
	process string
	group   string
	// member is who it is, as of the latest event. What the history has shared is not
	// changed.
	member *history.Member
	// commits, heartbeats and fetches of committed offsets that are under way.
	commits map[commitKey]int64
	beats   map[uint64]int64
	fetches map[uint64]map[wire.TopicPartition]int64
}

type commitKey struct {
	id group.CommitID
	tp wire.TopicPartition
}

func newMembership(s *Site, process string, cfg *group.Config) *membership {
	return &membership{
		site: s, process: process, group: cfg.ID,
		member: &history.Member{
			Group: cfg.ID, Instance: cfg.Instance, Generation: -1, Consumer: cfg.Protocol == group.Consumer,
		},
		commits: make(map[commitKey]int64), beats: make(map[uint64]int64),
		fetches: make(map[uint64]map[wire.TopicPartition]int64),
	}
}

func (m *membership) now() *history.Member { return m.member }

// as is the member with an id and a generation.
func (m *membership) as(id string, generation int32) *history.Member {
	if m.member.ID == id && m.member.Generation == generation {
		return m.member
	}
	who := *m.member
	who.ID, who.Generation = id, generation
	return &who
}

func (m *membership) invoke(f history.Func, who *history.Member, e history.Event) int64 {
	e.Time, e.Func, e.Process, e.Member = m.site.now(), f, m.process, who
	return m.site.Recorder.Invoke(e)
}

// Group implements client.Observer.
func (m *membership) Group(info client.GroupInfo) {
	if info.Group != m.group {
		return
	}
	switch info.Event {
	case client.GroupJoined:
		m.member = m.as(info.ID, info.Generation)
		m.changed(history.Assigned, nil)
	case client.GroupAssigned:
		m.member = m.as(info.ID, info.Generation)
		m.changed(history.Assigned, info.Partitions)
		for _, tp := range info.Partitions {
			r := reads{site: m.site, process: m.process}
			r.moved(tp, wire.NoOffset, "assigned")
		}
	case client.GroupRevoked:
		m.changed(history.Revoked, info.Partitions)
	case client.GroupLost, client.GroupFenced, client.GroupLeft, client.GroupFailed:
		m.over()
	case client.CommitInvoked:
		who := m.as(info.ID, info.Generation)
		for _, tp := range sortedPartitions(info.Commit.Offsets) {
			m.commits[commitKey{info.Commit.ID, tp}] = m.invoke(history.Commit, who, history.Event{
				Topic: tp.Topic, Partition: tp.Partition, Offset: info.Commit.Offsets[tp].Offset,
			})
		}
	case client.CommitReturned:
		m.committed(info.Commit)
	}
}

func (m *membership) changed(f history.Func, tps []wire.TopicPartition) {
	m.invoke(f, m.member, history.Event{Partitions: slices.Clone(tps), Offset: wire.NoOffset})
}

// over records that nothing is the member's any more: it has learned so, it leaves, or its
// process ends.
func (m *membership) over() { m.changed(history.Lost, nil) }

func (m *membership) committed(k *group.Commit) {
	doubtful := slices.ContainsFunc(k.Attempts, func(a attempt.Attempt) bool { return a.Outcome == attempt.Unknown })
	for _, tp := range sortedPartitions(k.Offsets) {
		key := commitKey{k.ID, tp}
		o := outcomeOf(k.Of(tp))
		m.site.Recorder.Return(m.commits[key], history.Event{
			Time: m.site.now(), Outcome: o, Doubtful: doubtful && o == history.OK,
			Code: codeOf(k.Err), Detail: detailOf(k.Err), Offset: k.Offsets[tp].Offset,
		})
		delete(m.commits, key)
	}
}

// Request implements client.Observer: it takes down heartbeats and the reading of
// committed offsets.
func (m *membership) Request(info client.RequestInfo) {
	switch req := info.Msg.(type) {
	case *kmsg.HeartbeatRequest:
		m.beats[info.Serial] = m.invoke(history.Heartbeat, m.as(req.MemberID, req.Generation), history.Event{Offset: wire.NoOffset})
	case *kmsg.ConsumerGroupHeartbeatRequest:
		if req.MemberEpoch > 0 { // else it joins or leaves
			m.beats[info.Serial] = m.invoke(history.Heartbeat, m.as(req.MemberID, req.MemberEpoch), history.Event{Offset: wire.NoOffset})
		}
	case *kmsg.OffsetFetchRequest:
		ops := make(map[wire.TopicPartition]int64)
		for _, tp := range fetchedPartitions(req) {
			ops[tp] = m.invoke(history.FetchCommitted, m.member, history.Event{
				Topic: tp.Topic, Partition: tp.Partition, Stable: req.RequireStable, Offset: wire.NoOffset,
			})
		}
		m.fetches[info.Serial] = ops
	}
}

// Response implements client.Observer.
func (m *membership) Response(info client.ResponseInfo) {
	if op, ok := m.beats[info.Serial]; ok {
		delete(m.beats, info.Serial)
		e := history.Event{Time: m.site.now(), Outcome: history.Unknown, Offset: wire.NoOffset, Detail: detailOf(info.Err)}
		if info.Err == nil {
			e.Code, e.Outcome = heartbeatCode(info.Response), history.Failed
			if e.Code == 0 {
				e.Outcome = history.OK
			}
		}
		m.site.Recorder.Return(op, e)
	}
	if ops, ok := m.fetches[info.Serial]; ok {
		delete(m.fetches, info.Serial)
		var answers map[wire.TopicPartition]group.CommittedOffset
		var code int16
		if info.Err == nil {
			code, answers = group.ReadOffsetFetch(info.Response.(*kmsg.OffsetFetchResponse))
		}
		for _, tp := range sortedPartitions(ops) {
			e := history.Event{Time: m.site.now(), Outcome: history.Failed, Offset: wire.NoOffset, Code: code, Detail: detailOf(info.Err)}
			if a, answered := answers[tp]; answered && code == 0 {
				if e.Code = a.Code; e.Code == 0 {
					e.Outcome, e.Offset = history.OK, a.Offset.Offset
				}
			}
			m.site.Recorder.Return(ops[tp], e)
		}
	}
}

func heartbeatCode(resp kmsg.Response) int16 {
	if r, ok := resp.(*kmsg.HeartbeatResponse); ok {
		return r.ErrorCode
	}
	return resp.(*kmsg.ConsumerGroupHeartbeatResponse).ErrorCode
}

// fetchedPartitions lists what a request asks for; one for everything lists nothing.
func fetchedPartitions(req *kmsg.OffsetFetchRequest) []wire.TopicPartition {
	var tps []wire.TopicPartition
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			tps = append(tps, wire.TopicPartition{Topic: t.Topic, Partition: p})
		}
	}
	for _, g := range req.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				tps = append(tps, wire.TopicPartition{Topic: t.Topic, Partition: p})
			}
		}
	}
	slices.SortFunc(tps, wire.TopicPartition.Compare)
	return slices.Compact(tps)
}

func sortedPartitions[V any](of map[wire.TopicPartition]V) []wire.TopicPartition {
	return slices.SortedFunc(maps.Keys(of), wire.TopicPartition.Compare)
}
