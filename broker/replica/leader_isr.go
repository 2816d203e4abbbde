package replica

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// follower is what the leader knows of another replica.
type follower struct {
	id     wire.NodeID
	broker BrokerState // from the metadata

	// What its last fetch in this leader epoch said.
	logEnd     wire.Offset // NoOffset before the first
	logStart   wire.Offset
	fetchEpoch wire.BrokerEpoch
	lastEpoch  wire.LeaderEpoch // last fetched epoch

	fetchedAt    int64       // time of the last fetch
	fetchedAtEnd wire.Offset // the leader's log end at that time
	caughtUpAt   int64       // last time at which it had all that the leader had
}

func newFollower(id wire.NodeID) follower {
	return follower{
		id: id, broker: BrokerState{Epoch: wire.NoBrokerEpoch, Fenced: true},
		logEnd: wire.NoOffset, logStart: wire.NoOffset, fetchEpoch: wire.NoBrokerEpoch, lastEpoch: wire.NoLeaderEpoch,
		fetchedAt: longAgo, fetchedAtEnd: wire.NoOffset, caughtUpAt: longAgo,
	}
}

func (l *Leader) follower(id wire.NodeID) *follower {
	for i := range l.followers {
		if l.followers[i].id == id {
			return &l.followers[i]
		}
	}
	return nil
}

// record notes a valid fetch. A follower was caught up at the time of its previous
// fetch if it now has what the leader had then: one that reads as fast as the
// leader writes is never seen at the log end itself.
func (l *Leader) record(f *follower, now int64, req FetchRequest) {
	switch {
	case req.Offset >= l.logEnd:
		f.caughtUpAt = max(f.caughtUpAt, now)
	case f.fetchedAtEnd != wire.NoOffset && req.Offset >= f.fetchedAtEnd:
		f.caughtUpAt = max(f.caughtUpAt, f.fetchedAt)
	}
	f.logEnd, f.logStart = req.Offset, req.LogStart
	f.fetchEpoch, f.lastEpoch = req.BrokerEpoch, req.LastFetchedEpoch
	f.fetchedAt, f.fetchedAtEnd = now, l.logEnd
}

// caughtUp is the ISR's test for staying in: at the log end, or there recently.
func (l *Leader) caughtUp(f *follower, now int64) bool {
	return f.logEnd == l.logEnd || now-f.caughtUpAt <= int64(l.cfg.LagTimeMax)
}

// eligible reports whether the controller would let the replica into the ISR: an
// active broker (KIP-841) whose present registration is the one that fetched
// (KIP-903).
func (l *Leader) eligible(f *follower) bool {
	b := f.broker
	return !b.Fenced && !b.ShuttingDown && b.Epoch != wire.NoBrokerEpoch && f.fetchEpoch == b.Epoch
}

// setFollowers installs the other replicas.
func (l *Leader) setFollowers(fs []follower) {
	slices.SortFunc(fs, func(a, b follower) int { return cmp.Compare(a.id, b.id) })
	l.followers = fs
	for _, id := range l.part.ISR {
		if id != l.self && l.follower(id) == nil {
			panic(fmt.Sprintf("replica: ISR %v has %d, which is not among the replicas %v", l.part.ISR, id, l.part.Replicas))
		}
	}
}

// pendingISR is a proposed ISR whose fate the leader does not know.
type pendingISR struct {
	request AlterPartition
	// isr is what was proposed, sorted.
	isr []wire.NodeID
	// retryAt is when to send it again; Never while an answer is awaited, from
	// the controller or, after a final error, from the metadata.
	retryAt int64
}

// inMaximalISR reports whether the replica may be in the controller's ISR: in the
// committed one, or in a proposal that may have been applied (KIP-497). A proposed
// leaver counts until its leave is committed.
func (l *Leader) inMaximalISR(id wire.NodeID) bool {
	return slices.Contains(l.part.ISR, id) || l.pending != nil && slices.Contains(l.pending.isr, id)
}

// reviewISR returns a proposal to send now: a due retry, else an ISR with the
// replicas that caught up, else one without those that fell behind.
func (l *Leader) reviewISR(now int64) *AlterPartition {
	if p := l.pending; p != nil {
		if now < p.retryAt {
			return nil
		}
		p.retryAt = Never
		return &p.request
	}
	if now < l.notBefore {
		return nil
	}
	join, leave := 0, 0 // counted first: this runs on every fetch, and mostly neither is so
	for i := range l.followers {
		switch f := &l.followers[i]; {
		case l.mayJoin(f, now):
			join++
		case l.lapsed(f, now):
			leave++
		}
	}
	if join+leave == 0 {
		return nil
	}
	isr := slices.Clone(l.part.ISR)
	for i := range l.followers {
		switch f := &l.followers[i]; {
		case join > 0 && l.mayJoin(f, now):
			isr = append(isr, f.id)
		case join == 0 && l.lapsed(f, now):
			isr = slices.DeleteFunc(isr, func(id wire.NodeID) bool { return id == f.id })
		}
	}
	return l.propose(isr)
}

// lapsed reports whether the replica should leave the ISR.
func (l *Leader) lapsed(f *follower, now int64) bool {
	return slices.Contains(l.part.ISR, f.id) && !l.caughtUp(f, now)
}

// mayJoin reports whether the replica should enter the ISR: it is fetching, has
// everything committed, and has reached this leader's epoch, since before that
// the high watermark may still be behind one that was exposed.
func (l *Leader) mayJoin(f *follower, now int64) bool {
	return !slices.Contains(l.part.ISR, f.id) && l.eligible(f) &&
		now-f.fetchedAt <= int64(l.cfg.LagTimeMax) &&
		f.logEnd >= l.hw && f.logEnd >= l.epochStart
}

func (l *Leader) propose(isr []wire.NodeID) *AlterPartition {
	slices.Sort(isr)
	l.nextID++
	p := &pendingISR{
		request: AlterPartition{ID: l.nextID, LeaderEpoch: l.part.LeaderEpoch, PartitionEpoch: l.part.PartitionEpoch},
		isr:     isr, retryAt: Never,
	}
	for _, id := range isr {
		m := ISRMember{Node: id, Epoch: l.epoch}
		if id != l.self {
			f := l.follower(id)
			// A member that has not fetched from this leader yet is vouched for by
			// the metadata that says it is in the ISR.
			if m.Epoch = f.fetchEpoch; m.Epoch == wire.NoBrokerEpoch {
				m.Epoch = f.broker.Epoch
			}
		}
		p.request.ISR = append(p.request.ISR, m)
	}
	l.pending = p
	return &p.request
}

// AlterPartitionResult is the controller's answer, or the lack of one.
type AlterPartitionResult struct {
	// Err is nil for success. Any error of the whole request or of the transport
	// counts as the partition's; NetworkException stands for no answer at all.
	Err *kerr.Error
	// The state after success.
	LeaderEpoch    wire.LeaderEpoch
	PartitionEpoch wire.PartitionEpoch
	ISR            []wire.NodeID
}

// OnAlterPartitionResult takes the answer to proposal id. The shell must report one
// for every proposal that it sent, time-outs included; answers to proposals that
// are settled are ignored.
//
//	none                        committed, unless it is older than the metadata
//	INELIGIBLE_REPLICA          not applied, though the partition epoch was right:
//	OPERATION_NOT_ATTEMPTED     withdrawn
//	FENCED_LEADER_EPOCH         we are behind: the proposal may or may not have
//	INVALID_UPDATE_VERSION      been applied, the metadata will tell; until then
//	NEW_LEADER_ELECTED          the maximal ISR keeps it
//	UNKNOWN_TOPIC_OR_PARTITION
//	UNKNOWN_TOPIC_ID
//	INVALID_REQUEST
//	any other, such as          sent again after RetryBackoff
//	NOT_CONTROLLER, STALE_BROKER_EPOCH, a time-out
//
// Withdrawing is sound if the controller handles a leader's requests in the order in
// which they were sent. As in Kafka, an earlier attempt that got no answer and arrives
// after the refusal, over a connection given up, could still be applied.
func (l *Leader) OnAlterPartitionResult(now int64, id int64, res AlterPartitionResult) LeaderChange {
	p := l.pending
	if p == nil || p.request.ID != id {
		return l.settle(now)
	}
	if l.cfg.Fail.On(failpoint.ReplicaAlterPartitionLost) {
		res = AlterPartitionResult{Err: kerr.NetworkException}
	}
	switch res.Err {
	case nil:
		if res.LeaderEpoch == l.part.LeaderEpoch && res.PartitionEpoch >= l.part.PartitionEpoch {
			part := l.part.clone()
			part.PartitionEpoch, part.ISR = res.PartitionEpoch, slices.Clone(res.ISR)
			return l.commit(now, part)
		}
	case kerr.IneligibleReplica, kerr.OperationNotAttempted:
		l.pending = nil
		l.notBefore = now + int64(l.cfg.RetryBackoff)
	case kerr.FencedLeaderEpoch, kerr.InvalidUpdateVersion, kerr.NewLeaderElected,
		kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InvalidRequest:
		p.retryAt = Never
	default:
		p.retryAt = now + int64(l.cfg.RetryBackoff)
	}
	return l.settle(now)
}

// OnMetadata takes the partition's state from the metadata, in the same leader
// epoch and with the same leader; what is not newer than the state known is
// ignored, because a proposal made on top of that may be in flight (KAFKA-12686).
// Replicas may have been added (KIP-455); when some leave, the leader epoch is another
// one. So an answer to AlterPartition, which tells of the ISR only, misses nothing.
func (l *Leader) OnMetadata(now int64, p Partition) LeaderChange {
	if p.LeaderEpoch > l.part.LeaderEpoch {
		panic(fmt.Sprintf("replica: epoch %d's leader was given the state of epoch %d", l.part.LeaderEpoch, p.LeaderEpoch))
	}
	if p.LeaderEpoch < l.part.LeaderEpoch || p.PartitionEpoch <= l.part.PartitionEpoch {
		return l.settle(now)
	}
	return l.commit(now, p.clone())
}

// commit installs a state that the controller committed. With a newer partition
// epoch, a proposal still in flight can no longer be applied: it names the old one.
func (l *Leader) commit(now int64, p Partition) LeaderChange {
	old := l.part
	l.part = p.clone()
	l.pending = nil
	l.reassign()
	for i := range l.followers {
		f := &l.followers[i]
		// A joiner had reached the high watermark, perhaps not the log end. Without
		// a lag time of grace it would be put out again at once.
		if slices.Contains(l.part.ISR, f.id) && !slices.Contains(old.ISR, f.id) {
			f.caughtUpAt = max(f.caughtUpAt, now)
		}
	}
	c := l.settle(now)
	c.ISR = !slices.Equal(old.ISR, l.part.ISR)
	return c
}

// reassign makes followers match the replicas of the partition.
func (l *Leader) reassign() {
	var next []follower
	for _, id := range l.part.Replicas {
		if id == l.self {
			continue
		}
		if f := l.follower(id); f != nil {
			next = append(next, *f)
		} else {
			next = append(next, newFollower(id))
		}
	}
	l.setFollowers(next)
}

// Deadline is when Tick has something to do: a retry, or a follower that falls
// behind. Never if only an input can change anything.
func (l *Leader) Deadline() int64 {
	at := Never
	if l.pending != nil {
		at = l.pending.retryAt
	} else if l.notBefore > l.lastNow {
		at = l.notBefore
	}
	for i := range l.followers {
		f := &l.followers[i]
		if f.logEnd == l.logEnd {
			continue
		}
		if lapse := f.caughtUpAt + int64(l.cfg.LagTimeMax) + 1; lapse > l.lastNow {
			at = min(at, lapse)
		}
	}
	return at
}

// ISRVersion tells whether a leader's ISR, committed or maximal, has changed.
type ISRVersion struct {
	PartitionEpoch wire.PartitionEpoch
	Proposal       int64 // the ID of the pending one, 0 for none
}

// ISRVersion is that of the ISR as it is now.
func (l *Leader) ISRVersion() ISRVersion {
	v := ISRVersion{PartitionEpoch: l.part.PartitionEpoch}
	if l.pending != nil {
		v.Proposal = l.pending.request.ID
	}
	return v
}

// LeaderSnapshot is a leader's state, for invariants and for people.
type LeaderSnapshot struct {
	Partition     Partition
	MaximalISR    []wire.NodeID // sorted
	Pending       bool
	HighWatermark wire.Offset
	LogStart      wire.Offset
	LogEnd        wire.Offset
	EpochStart    wire.Offset
}

// Snapshot copies the leader's state.
func (l *Leader) Snapshot() LeaderSnapshot {
	s := LeaderSnapshot{
		Partition: l.part.clone(), Pending: l.pending != nil,
		HighWatermark: l.hw, LogStart: l.logStart, LogEnd: l.logEnd, EpochStart: l.epochStart,
	}
	for _, id := range l.part.Replicas {
		if l.inMaximalISR(id) {
			s.MaximalISR = append(s.MaximalISR, id)
		}
	}
	slices.Sort(s.MaximalISR)
	return s
}
