package replica

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// Leader decides for the leader of one partition during one leader epoch.
//
// Invariants, checked always: the log start is at most the high watermark, which
// is at most the log end; the high watermark never goes back; the leader is in its
// own ISR; at most one AlterPartition is in flight.
type Leader struct {
	cfg    Config
	self   wire.NodeID
	epoch  wire.BrokerEpoch // of our own registration
	epochs EpochCache
	part   Partition
	minISR int

	logStart   wire.Offset
	logEnd     wire.Offset
	flushed    wire.Offset
	epochStart wire.Offset
	hw         wire.Offset

	followers []follower // the other replicas, sorted by id
	pending   *pendingISR
	nextID    int64
	notBefore int64 // no new proposal before this time
	lastNow   int64
}

// LeaderStart is what a new leader starts from.
type LeaderStart struct {
	Self        wire.NodeID
	BrokerEpoch wire.BrokerEpoch // of Self's registration
	Partition   Partition
	MinISR      int // min.insync.replicas of the topic
	// Brokers tells the registration state of the other replicas; the missing
	// ones are taken as unknown, thus not eligible to join the ISR.
	Brokers map[wire.NodeID]BrokerState

	LogStart wire.Offset
	// LogEnd is also the start offset of the leader epoch.
	LogEnd  wire.Offset
	Flushed wire.Offset // durable end of the log; matters with Config.CountFlushed
	// HighWatermark is the last one that this replica knew, as a follower or from
	// its checkpoint. It is clamped into the log.
	HighWatermark wire.Offset
}

// LeaderChange is what an input changed; the shell acts on it in this order.
type LeaderChange struct {
	// HighWatermark is set if it advanced: complete produces and fetches that
	// wait for it.
	HighWatermark bool
	// ISR is set if the committed ISR changed.
	ISR bool
	// Propose is a request to send to the controller, or nil.
	Propose *AlterPartition
}

// NewLeader starts a leader epoch. In-sync followers get a full LagTimeMax to
// show up.
func NewLeader(now int64, cfg Config, epochs EpochCache, s LeaderStart) (*Leader, LeaderChange) {
	l := &Leader{
		cfg: cfg, self: s.Self, epoch: s.BrokerEpoch, epochs: epochs,
		part: s.Partition.clone(), minISR: s.MinISR,
		logStart: s.LogStart, logEnd: s.LogEnd, flushed: min(s.Flushed, s.LogEnd), epochStart: s.LogEnd,
		hw:        min(max(s.HighWatermark, s.LogStart), s.LogEnd),
		notBefore: longAgo, lastNow: now,
	}
	var fs []follower
	for _, id := range l.part.Replicas {
		if id == l.self {
			continue
		}
		f := newFollower(id)
		if b, ok := s.Brokers[id]; ok {
			f.broker = b
		}
		if slices.Contains(l.part.ISR, id) {
			f.caughtUpAt = now
		}
		fs = append(fs, f)
	}
	l.setFollowers(fs)
	return l, l.settle(now)
}

// settle draws the conclusions from whatever an input changed. Every input ends
// with it.
func (l *Leader) settle(now int64) LeaderChange {
	l.lastNow = now
	var c LeaderChange
	c.Propose = l.reviewISR(now)
	c.HighWatermark = l.advanceHighWatermark(now)
	l.check()
	return c
}

func (l *Leader) check() {
	if l.logStart > l.hw || l.hw > l.logEnd || l.flushed > l.logEnd {
		panic(fmt.Sprintf("replica: log start %d, high watermark %d, flushed %d, log end %d out of order",
			l.logStart, l.hw, l.flushed, l.logEnd))
	}
	if !slices.Contains(l.part.ISR, l.self) {
		panic(fmt.Sprintf("replica: leader %d is not in its ISR %v", l.self, l.part.ISR))
	}
}

// OnAppended reports the log end: what is written and readable.
func (l *Leader) OnAppended(now int64, logEnd wire.Offset) LeaderChange {
	if logEnd < l.logEnd {
		panic(fmt.Sprintf("replica: a leader's log went back from %d to %d", l.logEnd, logEnd))
	}
	l.logEnd = logEnd
	return l.settle(now)
}

// OnFlushed reports how far the log is durable.
func (l *Leader) OnFlushed(now int64, flushed wire.Offset) LeaderChange {
	l.flushed = max(l.flushed, min(flushed, l.logEnd))
	return l.settle(now)
}

// OnLogStart reports that the log start advanced, by retention or DeleteRecords;
// both stay at or below the high watermark.
func (l *Leader) OnLogStart(now int64, logStart wire.Offset) LeaderChange {
	l.logStart = max(l.logStart, logStart)
	return l.settle(now)
}

// OnMinISR reports a changed min.insync.replicas.
func (l *Leader) OnMinISR(now int64, minISR int) LeaderChange {
	l.minISR = minISR
	return l.settle(now)
}

// OnCountFlushed reports a change of [Config.CountFlushed]. What has been committed
// stays so.
func (l *Leader) OnCountFlushed(now int64, count bool) LeaderChange {
	l.cfg.CountFlushed = count
	return l.settle(now)
}

// OnBrokerState reports a replica's registration. A fenced broker, or one in
// controlled shutdown, is not eligible to join the ISR (KIP-841); leaving it is
// the controller's decision.
func (l *Leader) OnBrokerState(now int64, broker wire.NodeID, state BrokerState) LeaderChange {
	if f := l.follower(broker); f != nil {
		f.broker = state
	}
	return l.settle(now)
}

// Tick lets time pass. It does nothing before Deadline.
func (l *Leader) Tick(now int64) LeaderChange { return l.settle(now) }

// LeaderEpoch is the epoch that this leader was elected in.
func (l *Leader) LeaderEpoch() wire.LeaderEpoch { return l.part.LeaderEpoch }

// HighWatermark is the offset after the last committed record.
func (l *Leader) HighWatermark() wire.Offset { return l.hw }

// LogEnd is the log end last reported.
func (l *Leader) LogEnd() wire.Offset { return l.logEnd }

// EpochStart is the log end at the election.
func (l *Leader) EpochStart() wire.Offset { return l.epochStart }

// effectiveMin is the minimum ISR, or the number of replicas if that is smaller.
func (l *Leader) effectiveMin() int { return min(l.minISR, len(l.part.Replicas)) }

// UnderMinISR reports whether the committed ISR is smaller than its minimum.
func (l *Leader) UnderMinISR() bool { return len(l.part.ISR) < l.effectiveMin() }

// CheckProduce judges an acks=all produce before it is appended: nil or
// NOT_ENOUGH_REPLICAS.
func (l *Leader) CheckProduce() *kerr.Error {
	if l.UnderMinISR() {
		return kerr.NotEnoughReplicas
	}
	return nil
}

// Acked reports whether an acks=all produce whose records end before required is
// complete, and its error: nil, or NOT_ENOUGH_REPLICAS_AFTER_APPEND if the ISR has
// shrunk below its minimum meanwhile. Kafka compares the maximal ISR here; a
// joiner that the controller has not confirmed is no replica to promise.
func (l *Leader) Acked(required wire.Offset) (done bool, err *kerr.Error) {
	switch {
	case l.hw < required:
		return false, nil
	case l.UnderMinISR():
		return true, kerr.NotEnoughReplicasAfterAppend
	}
	return true, nil
}

// advanceHighWatermark raises the high watermark to the smallest log end over the
// maximal ISR, and reports whether it moved.
func (l *Leader) advanceHighWatermark(now int64) bool {
	// KIP-966: with fewer replicas than the minimum, what is committed now might be
	// on too few of them to survive, and the eligible leader replicas rely on the
	// high watermark standing still.
	if l.UnderMinISR() && !l.cfg.Fail.On(failpoint.ZooLastReplicaStanding) {
		return false
	}
	hw := l.logEnd
	if l.cfg.CountFlushed {
		hw = l.flushed
	}
	for i := range l.followers {
		f := &l.followers[i]
		if f.logEnd >= hw {
			continue
		}
		// A caught-up replica on its way into the ISR is waited for as well: else a
		// busy leader alone in the ISR would stay ahead of it for ever.
		if l.inMaximalISR(f.id) || l.eligible(f) && l.caughtUp(f, now) {
			hw = f.logEnd
		}
	}
	if hw <= l.hw {
		return false
	}
	l.hw = hw
	return true
}

// LowWatermark is the smallest log start of the replicas that are alive, which is
// what DeleteRecords waits for; NoOffset while one of them has not fetched yet.
func (l *Leader) LowWatermark() wire.Offset {
	low := l.logStart
	for i := range l.followers {
		if f := &l.followers[i]; !f.broker.Fenced {
			low = min(low, f.logStart)
		}
	}
	return low
}
