package replica

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// FetchedPartition is the leader's answer for the partition.
type FetchedPartition struct {
	Err           *kerr.Error // nil for none
	HighWatermark wire.Offset
	LogStart      wire.Offset
	Diverging     EpochEnd // NoEpochEnd if absent
	// The records run from Base to Next (exclusive); Base == Next if there are
	// none. Compaction may leave gaps, so Base may be past the offset asked for.
	Base, Next wire.Offset
}

// OnFetched takes the answer to the question sent. It is not used unless it would
// be asked in the same words again: that the offsets are equal is not enough, since
// the log may have been cut and refilled up to there meanwhile, and a late answer
// would cut it once more, below what the leader counts on.
func (f *Follower) OnFetched(now int64, sent FetchPosition, got FetchedPartition) FollowerStep {
	if f.state != Fetching || !f.position().same(sent) || f.cfg.Fail.On(failpoint.ReplicaFetchDropped) {
		return unused()
	}
	switch {
	case got.Err == kerr.OffsetOutOfRange:
		f.state = Resetting
		return FollowerStep{Op: OpAskOffsets, LogStart: wire.NoOffset}
	case got.Err != nil:
		// FENCED_LEADER_EPOCH: our metadata is behind, UNKNOWN_LEADER_EPOCH: the
		// leader's is, NOT_LEADER_OR_FOLLOWER: one of both. A new epoch in the
		// metadata ends the wait early.
		return f.wait(now)
	case got.Diverging != NoEpochEnd:
		if sent.LastFetchedEpoch == wire.NoLeaderEpoch || got.Diverging.End < 0 {
			return f.wait(now)
		}
		from := EpochEnd{sent.LastFetchedEpoch, f.logEnd}
		s := f.truncateFor(f.divergence(got.Diverging), got.LogStart)
		f.cutFrom = from
		return s
	case got.Next < got.Base || got.Next > got.Base && got.Base < f.logEnd && !f.beginsWithin(got):
		// Records that we have, or none that make sense: not something to append.
		return f.wait(now)
	}
	f.leaderHW, f.leaderStart = got.HighWatermark, got.LogStart
	s := f.follow()
	if got.Next > got.Base {
		f.state, f.appendEnd = Appending, got.Next
		s.Op = OpAppend
	}
	return s
}

// beginsWithin reports whether our log is empty and starts within the first batch, as it
// does if the leader's start was put there (DeleteRecords): then the batch is taken whole.
func (f *Follower) beginsWithin(got FetchedPartition) bool {
	return f.logStart == f.logEnd && got.Base < f.logEnd && got.Next > f.logEnd
}

// unused is the step of an answer that came too late or got lost.
func unused() FollowerStep {
	return FollowerStep{LogStart: wire.NoOffset, ForgetSession: true}
}

func (f *Follower) wait(now int64) FollowerStep {
	f.state, f.wakeAt = Waiting, now+int64(f.cfg.FetchBackoff)
	return unused()
}

// follow takes over the leader's high watermark and log start as far as our log
// goes. The high watermark never goes back here: a new leader may know less than
// we do, but what was committed stays so, and only a truncation lowers it.
func (f *Follower) follow() FollowerStep {
	s := idle
	if hw := min(f.leaderHW, f.logEnd); hw > f.hw {
		f.hw, s.HighWatermark = hw, true
	}
	// What lies below the leader's log start goes before anything is appended or
	// shown: the leader could not compare it with records that it no longer has, so
	// it may be of another history.
	if start := min(f.leaderStart, f.hw); start > f.logStart {
		f.logStart, s.LogStart = start, start
	}
	f.check()
	return s
}

// OnAppended reports the log end after OpAppend: written, and flushed if the topic
// demands it, because the next fetch tells the leader that we have it.
func (f *Follower) OnAppended(now int64, logEnd wire.Offset) FollowerStep {
	f.logEnd = logEnd
	if f.state != Appending {
		return idle // stopped meanwhile
	}
	if logEnd != f.appendEnd {
		panic(fmt.Sprintf("replica: appended up to %d, the log ends at %d", f.appendEnd, logEnd))
	}
	f.resume()
	return f.follow()
}

// resume goes on after storage work, with the leader as it is known by now.
func (f *Follower) resume() {
	f.state = Fetching
	if f.leader == wire.NoNode {
		f.state = Stopped
	}
}

// divergence is where to cut, given that the leader's log and ours part ways and
// that the largest epoch that it has, up to ours, ends at d.End there (KIP-101,
// KIP-279). If we do not know that epoch either, the cut removes all larger ones
// and the next fetch asks again.
func (f *Follower) divergence(d EpochEnd) wire.Offset {
	epoch, end := f.epochs.EndOffsetForEpoch(d.Epoch)
	switch {
	case epoch == wire.NoLeaderEpoch:
		// d.Epoch is larger than all of ours, which contradicts the question; cut
		// by offset, and back off if that cuts nothing.
		return min(d.End, f.logEnd)
	case epoch == d.Epoch:
		return min(end, d.End, f.logEnd)
	}
	return min(end, f.logEnd)
}

// truncate cuts the log at to, or restarts it there if it starts later.
func (f *Follower) truncate(to wire.Offset) FollowerStep {
	op := OpTruncate
	if to < f.logStart {
		op = OpRestart
	}
	return f.cut(op, to)
}

// truncateFor is truncate at what the leader, whose log starts at leaderStart, has told.
// What would be left below its start is not kept: the leader could not compare it with
// records that it has deleted, so it may be of another history, and would be shown if
// this log start were lost in a crash.
func (f *Follower) truncateFor(to, leaderStart wire.Offset) FollowerStep {
	if to > f.logStart && to <= leaderStart {
		return f.cut(OpRestart, to)
	}
	return f.truncate(to)
}

func (f *Follower) cut(op FollowerOp, to wire.Offset) FollowerStep {
	s := FollowerStep{Op: op, Offset: to, LogStart: wire.NoOffset}
	s.BelowHighWatermark = to < f.hw
	f.state, f.cutTo, f.cutFrom = Truncating, to, NoEpochEnd
	if op == OpRestart {
		f.logStart, f.logEnd = to, to
		// The high watermark moves with the log, also forward: one below the log
		// start makes every fetch of a replica elected now fail (KAFKA-9491).
		f.hw = to
	}
	f.hw = min(f.hw, to)
	return s
}

// OnTruncated reports the log end after OpTruncate or OpRestart.
func (f *Follower) OnTruncated(now int64, logEnd wire.Offset) FollowerStep {
	if logEnd > f.cutTo && logEnd > f.logEnd {
		panic(fmt.Sprintf("replica: cut at %d, the log ends at %d", f.cutTo, logEnd))
	}
	f.logEnd = logEnd
	// DeleteRecords may have put the start into a batch that went as a whole.
	f.logStart = min(f.logStart, logEnd)
	f.hw = max(min(f.hw, logEnd), f.logStart)
	f.check()
	if f.state != Truncating {
		return idle
	}
	f.resume()
	if f.state == Fetching && f.cutFrom == (EpochEnd{f.epochs.LatestEpoch(), logEnd}) {
		// The same question would get the same answer.
		return f.wait(now)
	}
	return idle
}

// LeaderOffsets is the leader's answer to OpAskOffsets.
type LeaderOffsets struct {
	Err      *kerr.Error // nil for none; NetworkException if no answer came
	LogStart wire.Offset
	LogEnd   wire.Offset
}

// OnLeaderOffsets takes the answer to OpAskOffsets that was asked in epoch.
//
// If the leader's log ends before ours although its epochs do not diverge, it was
// elected uncleanly: cut there. If it starts after our end, everything we have is
// outdated: restart there. Otherwise the logs overlap, the error came from a
// passing state, and cutting anything would lose records: fetch again.
func (f *Follower) OnLeaderOffsets(now int64, epoch wire.LeaderEpoch, got LeaderOffsets) FollowerStep {
	if f.state != Resetting || epoch != f.leaderEpoch {
		return idle
	}
	switch {
	case got.Err != nil || got.LogStart < 0 || got.LogEnd < got.LogStart:
		return f.wait(now)
	case got.LogStart > f.logEnd:
		return f.cut(OpRestart, got.LogStart)
	case got.LogEnd < f.logEnd:
		return f.truncateFor(got.LogEnd, got.LogStart)
	}
	return f.wait(now)
}
