package replica

import (
	"fmt"

	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// FollowerState is what a follower's partition is doing.
//
//	Stopped    -> Fetching    OnLeader: a leader is known
//	Fetching   -> Appending   OnFetched: records to append
//	Fetching   -> Truncating  OnFetched: a diverging epoch
//	Fetching   -> Resetting   OnFetched: OFFSET_OUT_OF_RANGE
//	Fetching   -> Waiting     OnFetched: any other error, or an impossible answer
//	Resetting  -> Truncating  OnLeaderOffsets: the local log lies beyond the leader's
//	Resetting  -> Waiting     OnLeaderOffsets: it overlaps, or an error
//	Appending  -> Fetching    OnAppended
//	Truncating -> Fetching    OnTruncated
//	Truncating -> Waiting     OnTruncated: nothing was cut and nothing forgotten
//	Waiting    -> Fetching    Fetch or Tick at the deadline, OnLeader with a new epoch
//	Resetting  -> Fetching    OnLeader with a new epoch
//	any        -> Stopped     Stop
//	any        -> Failed      OnStorageError; final
//
// In Appending and Truncating a new leader epoch is noted and takes effect when the
// log is done.
type FollowerState uint8

const (
	Stopped FollowerState = iota
	Fetching
	Appending
	Truncating
	Resetting
	Waiting
	Failed
)

func (s FollowerState) String() string {
	return [...]string{"stopped", "fetching", "appending", "truncating", "resetting", "waiting", "failed"}[s]
}

// Follower decides for one partition that follows, across leader epochs. When
// this broker becomes the leader the shell stops it, waits for the log, and makes
// a Leader; when it follows again, a new Follower.
type Follower struct {
	cfg    Config
	epochs EpochCache

	state       FollowerState
	leader      wire.NodeID
	leaderEpoch wire.LeaderEpoch
	wakeAt      int64 // in Waiting

	logStart wire.Offset
	logEnd   wire.Offset
	hw       wire.Offset

	// What the answer being worked on said.
	leaderHW    wire.Offset
	leaderStart wire.Offset
	appendEnd   wire.Offset // in Appending: the log end to expect
	cutTo       wire.Offset // in Truncating: where
	cutFrom     EpochEnd    // and, for a divergence, the latest epoch and the log end before
}

// FollowerStart is the log that a follower starts with.
type FollowerStart struct {
	LogStart, LogEnd wire.Offset
	// HighWatermark is from the checkpoint or the last leadership. It is clamped
	// into the log.
	HighWatermark wire.Offset
}

// NewFollower returns a follower in state Stopped.
func NewFollower(cfg Config, epochs EpochCache, s FollowerStart) *Follower {
	return &Follower{
		cfg: cfg, epochs: epochs, leader: wire.NoNode, leaderEpoch: wire.NoLeaderEpoch,
		logStart: s.LogStart, logEnd: s.LogEnd, hw: min(max(s.HighWatermark, s.LogStart), s.LogEnd),
		leaderHW: wire.NoOffset, leaderStart: wire.NoOffset,
	}
}

// FollowerOp is storage or network work that a step asks for.
type FollowerOp uint8

const (
	// OpNone asks for nothing.
	OpNone FollowerOp = iota
	// OpAppend asks to append the records of the response; then OnAppended.
	OpAppend
	// OpTruncate asks to cut the log at Offset, or at the start of the batch that
	// contains it, and to forget the epochs that start there or later, also when
	// the log is no longer than that already (KAFKA-10706); then OnTruncated.
	OpTruncate
	// OpRestart asks to drop the whole log and its epochs and to start again, empty,
	// at Offset; then OnTruncated.
	OpRestart
	// OpAskOffsets asks to send ListOffsets, for the leader's log start and log end,
	// with this epoch as current leader epoch; then OnLeaderOffsets.
	OpAskOffsets
)

func (o FollowerOp) String() string {
	return [...]string{"none", "append", "truncate", "restart", "ask-offsets"}[o]
}

// FollowerStep is what to do after an input, in the order of its fields.
type FollowerStep struct {
	// LogStart is the offset to advance the log start to, or NoOffset.
	LogStart wire.Offset
	// HighWatermark is set if it advanced.
	HighWatermark bool
	Op            FollowerOp
	Offset        wire.Offset // for OpTruncate and OpRestart
	// BelowHighWatermark is set when the cut is below our own high watermark:
	// records that were committed are dropped here. It takes an unclean election,
	// or a leader that lost its tail, and is worth an event.
	BelowHighWatermark bool
	// ForgetSession is set when the response was not used: a fetch session must
	// begin anew, or what it said is not said again.
	ForgetSession bool
}

var idle = FollowerStep{LogStart: wire.NoOffset}

// FetchPosition is what to put into a Fetch request for the partition. It comes
// back with the response, so that an answer to an earlier question is not taken.
type FetchPosition struct {
	Leader             wire.NodeID
	CurrentLeaderEpoch wire.LeaderEpoch
	Offset             wire.Offset
	LastFetchedEpoch   wire.LeaderEpoch
	LogStart           wire.Offset
}

// OnLeader reports the leader and its epoch from the metadata. leader is NoNode
// while there is none. Epochs that are not newer are ignored.
func (f *Follower) OnLeader(now int64, leader wire.NodeID, epoch wire.LeaderEpoch) FollowerStep {
	if f.state == Failed || epoch <= f.leaderEpoch && f.state != Stopped {
		return idle
	}
	f.leader, f.leaderEpoch = leader, epoch
	switch {
	case f.state == Appending || f.state == Truncating:
	case leader == wire.NoNode:
		f.state = Stopped
	default:
		f.state = Fetching
		if f.cfg.Fail.On(failpoint.ZooTruncateToHighWatermark) {
			return f.truncate(f.hw)
		}
	}
	return idle
}

// Fetch returns what to ask the leader for, or false if the partition takes no
// part in fetches now.
func (f *Follower) Fetch(now int64) (FetchPosition, bool) {
	f.Tick(now)
	if f.state != Fetching {
		return FetchPosition{}, false
	}
	return f.position(), true
}

// same reports whether both ask the same leader epoch about the same log.
func (p FetchPosition) same(q FetchPosition) bool {
	return p.CurrentLeaderEpoch == q.CurrentLeaderEpoch && p.Offset == q.Offset && p.LastFetchedEpoch == q.LastFetchedEpoch
}

func (f *Follower) position() FetchPosition {
	p := FetchPosition{
		Leader: f.leader, CurrentLeaderEpoch: f.leaderEpoch,
		Offset: f.logEnd, LastFetchedEpoch: f.epochs.LatestEpoch(), LogStart: f.logStart,
	}
	if f.cfg.Fail.On(failpoint.ZooTruncateToHighWatermark) {
		p.LastFetchedEpoch = wire.NoLeaderEpoch
	}
	return p
}

// Tick ends a wait that is over.
func (f *Follower) Tick(now int64) {
	if f.state == Waiting && now >= f.wakeAt {
		f.state = Fetching
	}
}

// Deadline is when the partition wants to fetch again, or Never.
func (f *Follower) Deadline() int64 {
	if f.state == Waiting {
		return f.wakeAt
	}
	return Never
}

// Stop ends following, for instance before this broker leads. What storage is
// still doing goes on; its reports are ignored except for the log end.
func (f *Follower) Stop() {
	if f.state != Failed {
		f.state = Stopped
	}
}

// OnStorageError reports that the log failed. Only a restart of the log, with a
// new Follower, leads out of it.
func (f *Follower) OnStorageError() { f.state = Failed }

// OnLogStart reports where the local log starts, after retention has deleted from its
// front, which it does up to the high watermark at most. While the log is being cut it
// is OnTruncated that matters.
func (f *Follower) OnLogStart(logStart wire.Offset) {
	if f.state != Truncating {
		f.logStart = max(f.logStart, logStart)
		f.check()
	}
}

// State is what the partition is doing.
func (f *Follower) State() FollowerState { return f.state }

// Leader is the leader being followed, or NoNode, and its epoch.
func (f *Follower) Leader() (wire.NodeID, wire.LeaderEpoch) { return f.leader, f.leaderEpoch }

// HighWatermark is the offset before which the local log is known committed.
func (f *Follower) HighWatermark() wire.Offset { return f.hw }

// LogEnd is the log end last reported.
func (f *Follower) LogEnd() wire.Offset { return f.logEnd }

// LogStart is the start of the local log.
func (f *Follower) LogStart() wire.Offset { return f.logStart }

func (f *Follower) check() {
	if f.logStart > f.hw || f.hw > f.logEnd {
		panic(fmt.Sprintf("replica: follower's log start %d, high watermark %d, log end %d out of order",
			f.logStart, f.hw, f.logEnd))
	}
}
