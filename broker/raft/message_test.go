package raft_test

import (
	"fmt"
	"strings"

	"odradek/broker/raft"
	"odradek/broker/wire"
)

// message is a request or, on the way back, its response.
type message struct {
	from, to wire.NodeID
	id       raft.RequestID
	req      raft.Request
	resp     raft.Response // set on the way back
	life     int           // of the asker when it asked: its connections die with it
}

// String shows a message in a transcript.
func (m *message) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d -> %d: ", m.from, m.to)
	switch q := m.req.(type) {
	case raft.VoteRequest:
		what := "Vote"
		if q.PreVote {
			what = "PreVote"
		}
		fmt.Fprintf(&b, "%s epoch %d, log %d@%d", what, q.CandidateEpoch, q.LastOffset, q.LastOffsetEpoch)
	case raft.BeginQuorumEpochRequest:
		fmt.Fprintf(&b, "BeginQuorumEpoch %d", q.LeaderEpoch)
	case raft.EndQuorumEpochRequest:
		fmt.Fprintf(&b, "EndQuorumEpoch %d, successors %v", q.LeaderEpoch, q.PreferredSuccessors)
	case raft.FetchRequest:
		fmt.Fprintf(&b, "Fetch %d@%d epoch %d", q.FetchOffset, q.LastFetchedEpoch, q.CurrentLeaderEpoch)
	case raft.FetchSnapshotRequest:
		fmt.Fprintf(&b, "FetchSnapshot %v from %d", q.SnapshotID, q.Position)
	}
	switch q := m.resp.(type) {
	case raft.VoteResponse:
		fmt.Fprintf(&b, "vote granted %v%s", q.VoteGranted, tail(q.ResponseHeader))
	case raft.BeginQuorumEpochResponse:
		fmt.Fprintf(&b, "begin acknowledged%s", tail(q.ResponseHeader))
	case raft.EndQuorumEpochResponse:
		fmt.Fprintf(&b, "end acknowledged%s", tail(q.ResponseHeader))
	case raft.FetchResponse:
		switch {
		case q.ErrorCode != 0:
			b.WriteString("no records")
		case !q.DivergingEpoch.IsNone():
			fmt.Fprintf(&b, "diverging, keep up to %v", q.DivergingEpoch)
		case !q.SnapshotID.IsNone():
			fmt.Fprintf(&b, "fetch snapshot %v", q.SnapshotID)
		default:
			fmt.Fprintf(&b, "%d records, high watermark %d", len(q.Records)/recordBytes, q.HighWatermark)
		}
		b.WriteString(tail(q.ResponseHeader))
	case raft.FetchSnapshotResponse:
		fmt.Fprintf(&b, "%d of %d snapshot bytes from %d%s", len(q.Bytes), q.Size, q.Position, tail(q.ResponseHeader))
	}
	return b.String()
}

func tail(h raft.ResponseHeader) string {
	if h.ErrorCode == raft.ErrNone {
		return ""
	}
	return fmt.Sprintf(", %v (leader %d, epoch %d)", h.ErrorCode, h.LeaderID, h.LeaderEpoch)
}
