package replica

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/wire"
)

func (w *world) send(m *message, format string, a ...any) {
	w.nextMsg++
	m.id = w.nextMsg
	w.net = append(w.net, m)
	w.say("#%d %s -> %s: %s", m.id, letter(m.from), letter(m.to), fmt.Sprintf(format, a...))
}

// fetch sends a follower's next fetch, if it has one to send.
func (w *world) fetch(n *node) {
	if !n.up || n.leader != nil {
		return
	}
	pos, ok := n.follower.Fetch(w.now)
	if !ok {
		w.say("%s does not fetch: %s", letter(n.id), n.follower.State())
		return
	}
	w.send(&message{kind: "fetch", from: n.id, to: pos.Leader, epoch: n.epoch, pos: pos, fetch: FetchRequest{
		Replica: n.id, BrokerEpoch: n.epoch, CurrentLeaderEpoch: pos.CurrentLeaderEpoch,
		Offset: pos.Offset, LastFetchedEpoch: pos.LastFetchedEpoch, LogStart: pos.LogStart,
	}}, "Fetch %d after epoch %d, in epoch %d", pos.Offset, pos.LastFetchedEpoch, pos.CurrentLeaderEpoch)
}

// deliver hands over one message; the answer is sent, not delivered.
func (w *world) deliver(m *message) {
	w.net = slices.DeleteFunc(w.net, func(o *message) bool { return o == m })
	reply := *m
	reply.from, reply.to, reply.kind = m.to, m.from, m.kind+"ed"
	switch m.kind {
	case "alter":
		reply.altered = w.ctl.alter(m.from, m.alter)
		if e := reply.altered.Err; e != nil {
			w.send(&reply, "%s", e.Message)
		} else {
			w.send(&reply, "ISR %s, partition epoch %d", letters(reply.altered.ISR), reply.altered.PartitionEpoch)
		}
		return
	case "altered":
		if n := w.node(m.to); n.up && n.epoch == m.epoch && n.leader != nil && n.leader.LeaderEpoch() == m.alter.LeaderEpoch {
			w.changed(n, n.leader.OnAlterPartitionResult(w.now, m.alter.ID, m.altered))
		}
		return
	}
	n := w.node(m.to)
	if !n.up {
		return
	}
	switch m.kind {
	case "fetch":
		if n.leader == nil {
			reply.fetched.Err = kerr.NotLeaderForPartition
			w.send(&reply, "%s", kerr.NotLeaderForPartition.Message)
			return
		}
		w.answer(n, m, &reply)
	case "offsets":
		reply.offsets = LeaderOffsets{Err: kerr.NotLeaderForPartition}
		if n.leader != nil {
			reply.offsets = LeaderOffsets{Err: n.leader.CheckLeaderEpoch(m.pos.CurrentLeaderEpoch), LogStart: n.log.start, LogEnd: n.log.end()}
		}
		if e := reply.offsets.Err; e != nil {
			w.send(&reply, "%s", e.Message)
		} else {
			w.send(&reply, "log from %d to %d", n.log.start, n.log.end())
		}
	case "fetched":
		if n.epoch == m.epoch && n.leader == nil {
			w.step(n, n.follower.OnFetched(w.now, m.pos, m.fetched), m)
		}
	case "offsetsed":
		if n.epoch == m.epoch && n.leader == nil {
			w.step(n, n.follower.OnLeaderOffsets(w.now, m.pos.CurrentLeaderEpoch, m.offsets), nil)
		}
	}
}

// answer is a leader's answer to a follower's fetch.
func (w *world) answer(n *node, m, reply *message) {
	a, c := n.leader.OnFetch(w.now, m.fetch)
	reply.fetched = FetchedPartition{
		Err: a.Err, HighWatermark: a.HighWatermark, LogStart: a.LogStart, Diverging: a.Diverging,
		Base: m.fetch.Offset, Next: m.fetch.Offset,
	}
	switch {
	case a.Err != nil:
		w.send(reply, "%s", a.Err.Message)
	case a.Diverging != NoEpochEnd:
		w.send(reply, "diverging, epoch %d ends at %d", a.Diverging.Epoch, a.Diverging.End)
	default:
		for o := m.fetch.Offset; o < min(a.Limit, m.fetch.Offset+wire.Offset(w.batch)); o++ {
			reply.records = append(reply.records, n.log.at(o))
			reply.fetched.Next = o + 1
		}
		w.changed(n, c)
		w.send(reply, "%d records, high watermark %d", len(reply.records), a.HighWatermark)
	}
}

// step carries out what a follower decided. Storage is done at once.
func (w *world) step(n *node, s FollowerStep, m *message) {
	at := n.follower.LogEnd()
	if s.LogStart != wire.NoOffset {
		n.log.advanceStart(s.LogStart)
		w.say("%s starts its log at %d", letter(n.id), s.LogStart)
	}
	if s.HighWatermark {
		w.say("%s knows high watermark %d", letter(n.id), n.follower.HighWatermark())
		w.check(n)
	}
	switch s.Op {
	case OpAppend:
		for _, r := range m.records {
			n.log.append(r)
		}
		w.say("%s appends %d to %d", letter(n.id), at, n.log.end())
		w.step(n, n.follower.OnAppended(w.now, n.log.end()), nil)
		return
	case OpTruncate, OpRestart:
		below := ""
		if s.BelowHighWatermark {
			below = ", below its high watermark"
		}
		w.say("%s: %s to %d%s", letter(n.id), s.Op, s.Offset, below)
		if s.Op == OpRestart {
			n.log.restart(s.Offset)
		} else {
			n.log.truncate(s.Offset)
		}
		w.step(n, n.follower.OnTruncated(w.now, n.log.end()), nil)
		return
	case OpAskOffsets:
		leader, epoch := n.follower.Leader()
		w.send(&message{kind: "offsets", from: n.id, to: leader, epoch: n.epoch, pos: FetchPosition{CurrentLeaderEpoch: epoch}}, "ListOffsets")
	}
	if s.ForgetSession {
		w.say("%s does not use it: %s", letter(n.id), n.follower.State())
	}
}
