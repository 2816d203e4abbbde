package replica

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// FetchRequest is one partition of a Fetch request.
type FetchRequest struct {
	// Replica is the follower, or NoNode for a consumer.
	Replica wire.NodeID
	// BrokerEpoch is the follower's registration (Fetch version 15), KIP-903. Kafka
	// lets older versions go without; here a follower that has none is refused.
	BrokerEpoch wire.BrokerEpoch
	// CurrentLeaderEpoch is the epoch that the client believes in; NoLeaderEpoch
	// skips the check, which only consumers may do.
	CurrentLeaderEpoch wire.LeaderEpoch
	Offset             wire.Offset
	// LastFetchedEpoch is the epoch of the record before Offset (Fetch version
	// 12), or NoLeaderEpoch if the client does not know.
	LastFetchedEpoch wire.LeaderEpoch
	// LogStart is the follower's log start.
	LogStart wire.Offset
}

// FetchAnswer is what to put into the response for the partition.
type FetchAnswer struct {
	// Err ends the matter if it is not nil.
	Err *kerr.Error
	// Diverging is set when the client's log is not a prefix of ours: no records
	// then, the client truncates or reports.
	Diverging EpochEnd
	// Limit is the offset before which records may be read: the log end for a
	// follower, the high watermark for a consumer. It may be below Offset: nothing
	// to read yet. It is a value, not looked up during the read (KAFKA-9835).
	Limit         wire.Offset
	HighWatermark wire.Offset
	LogStart      wire.Offset
}

// OnFetch judges a fetch and, if a follower sent it, draws the conclusions from
// it. Call it once, when the request arrives; a fetch that waited for data is
// judged again with Answer.
func (l *Leader) OnFetch(now int64, req FetchRequest) (FetchAnswer, LeaderChange) {
	a := l.Answer(req)
	if req.Replica == wire.NoNode || a.Err != nil || a.Diverging != NoEpochEnd {
		// What a follower with a diverging log has is no replica of ours.
		return a, LeaderChange{}
	}
	l.record(l.follower(req.Replica), now, req)
	c := l.settle(now)
	a.HighWatermark = l.hw
	return a, c
}

// Answer judges a fetch and changes nothing.
//
// Errors: FENCED_LEADER_EPOCH and UNKNOWN_LEADER_EPOCH if the client knows an older
// or newer epoch than ours (KIP-320), NOT_LEADER_OR_FOLLOWER for a follower that is
// no replica or whose registration is outdated (KIP-903), OFFSET_OUT_OF_RANGE.
func (l *Leader) Answer(req FetchRequest) FetchAnswer {
	a := FetchAnswer{Diverging: NoEpochEnd, HighWatermark: l.hw, LogStart: l.logStart, Limit: l.hw}
	if a.Err = l.checkEpoch(req); a.Err != nil {
		return a
	}
	if req.Replica != wire.NoNode {
		a.Limit = l.logEnd
		f := l.follower(req.Replica)
		// A request of an earlier incarnation, delayed in the network, tells about a
		// log that may have lost its tail since.
		if f == nil || req.BrokerEpoch < f.broker.Epoch || req.BrokerEpoch < f.fetchEpoch {
			a.Err = kerr.NotLeaderForPartition
			return a
		}
	}
	// The log start is compared first: below it, epochs are no longer known.
	if req.Offset < l.logStart {
		a.Err = kerr.OffsetOutOfRange
		return a
	}
	if l.judgesByEpoch(req) {
		end := l.endOffsetFor(req.LastFetchedEpoch)
		if end.Epoch == wire.NoLeaderEpoch {
			a.Err = kerr.OffsetOutOfRange
			return a
		}
		if end.Epoch < req.LastFetchedEpoch || end.End < req.Offset {
			a.Diverging = end
			return a
		}
	}
	if req.Offset > l.logEnd {
		a.Err = kerr.OffsetOutOfRange
	}
	return a
}

// judgesByEpoch reports whether the fetcher says of which epoch its last record is.
func (l *Leader) judgesByEpoch(req FetchRequest) bool {
	if req.Replica == wire.NoNode && l.cfg.Fail.On(failpoint.ZooPositionWithoutEpoch) {
		return false
	}
	return req.LastFetchedEpoch != wire.NoLeaderEpoch
}

func (l *Leader) checkEpoch(req FetchRequest) *kerr.Error {
	if req.Replica != wire.NoNode && l.cfg.Fail.On(failpoint.ZooUnfencedReplicaFetch) {
		return nil
	}
	if req.Replica == wire.NoNode && req.CurrentLeaderEpoch == wire.NoLeaderEpoch {
		return nil
	}
	return l.CheckLeaderEpoch(req.CurrentLeaderEpoch)
}

// CheckLeaderEpoch compares the epoch that a client believes in with ours: nil,
// FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH (KIP-320).
func (l *Leader) CheckLeaderEpoch(current wire.LeaderEpoch) *kerr.Error {
	switch {
	case current < l.part.LeaderEpoch:
		return kerr.FencedLeaderEpoch
	case current > l.part.LeaderEpoch:
		return kerr.UnknownLeaderEpoch
	}
	return nil
}

// endOffsetFor is the largest epoch <= epoch in our log and the offset after its
// last record, or NoEpochEnd if no leader before us had that epoch. Our own epoch
// counts from its start on, even before its first record is in the log: without
// it, records of an epoch between could not be told from ours.
func (l *Leader) endOffsetFor(epoch wire.LeaderEpoch) EpochEnd {
	switch {
	case epoch > l.part.LeaderEpoch:
		return NoEpochEnd
	case epoch == l.part.LeaderEpoch:
		return EpochEnd{epoch, l.logEnd}
	}
	floor, end := l.epochs.EndOffsetForEpoch(epoch)
	if floor == wire.NoLeaderEpoch { // larger than all in the log, smaller than ours
		if floor = l.epochs.LatestEpoch(); floor == wire.NoLeaderEpoch {
			floor = epoch // an empty log: ours is the first epoch
		}
		return EpochEnd{floor, l.epochStart}
	}
	return EpochEnd{floor, min(end, l.epochStart)}
}

// OffsetForLeaderEpoch answers the API of that name (KIP-320): where epoch ends
// for a client that believes in epoch current (NoLeaderEpoch skips the check).
// NoEpochEnd means that no leader up to now had such an epoch.
func (l *Leader) OffsetForLeaderEpoch(current, epoch wire.LeaderEpoch) (EpochEnd, *kerr.Error) {
	if current != wire.NoLeaderEpoch {
		if err := l.CheckLeaderEpoch(current); err != nil {
			return NoEpochEnd, err
		}
	}
	if l.cfg.Fail.On(failpoint.ZooPositionWithoutEpoch) {
		return EpochEnd{epoch, l.logEnd}, nil
	}
	return l.endOffsetFor(epoch), nil
}

// HighWatermarkExposed reports whether the high watermark reached the start of our
// epoch. Before that it may be behind one that an earlier leader exposed.
func (l *Leader) HighWatermarkExposed() bool { return l.hw >= l.epochStart }

// LatestOffset answers ListOffsets(latest). A consumer gets the high watermark, or
// OFFSET_NOT_AVAILABLE as long as that could be behind what an earlier leader
// answered (KIP-207); a follower gets the log end. Lookups by timestamp that find
// an offset at or past the high watermark are refused the same way.
func (l *Leader) LatestOffset(replica wire.NodeID) (wire.Offset, *kerr.Error) {
	if replica != wire.NoNode {
		return l.logEnd, nil
	}
	if !l.HighWatermarkExposed() && !l.cfg.Fail.On(failpoint.ZooLatestBeforeEpochStart) {
		return wire.NoOffset, kerr.OffsetNotAvailable
	}
	return l.hw, nil
}
