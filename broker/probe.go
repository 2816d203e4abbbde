package broker

import (
	"odradek/broker/metadata"
	"odradek/broker/raft"
	"odradek/broker/replica"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// Probe is told what happens inside a node, in order and at the moment when it does: a
// window for checkers and tools of either world. Nothing a probe does may reach the
// node, and no logic may depend on whether there is one. Its methods run on the node's
// loop; what they are given must not be modified, and not be kept unless stated.
//
// Logs are named by topic id as well as by name, since a topic may be deleted and made
// again. The metadata log is one of them ([MetadataLog]).
type Probe interface {
	// LogOpened tells of a log that was found at the start, or made: its records run
	// from start to end. What they are is on the disk.
	LogOpened(log storage.Partition, start, end wire.Offset)
	// LogAppended tells of a batch that is written and readable from now on, perhaps
	// not durable yet, and of its bytes.
	LogAppended(log storage.Partition, b storage.BatchID, batch []byte)
	// LogTruncated tells that everything from the offset on is gone. The offset is at
	// the start of a batch.
	LogTruncated(log storage.Partition, to wire.Offset)
	// LogRestarted tells that the log is empty and goes on at the offset.
	LogRestarted(log storage.Partition, at wire.Offset)
	// LogCleaned tells that compaction replaces the batches in a part of the log of a
	// replica with that high watermark. The old segments and the new one (.cleaned) are
	// still on the disk side by side. wall is the time of day in ms. Its Batches may be kept.
	LogCleaned(log storage.Partition, c storage.Cleaned, highWatermark wire.Offset, wall int64)
	// LogDeleted tells that the replica is being removed.
	LogDeleted(log storage.Partition)

	// ReplicaChanged gives the state of a replica after something in it changed. It is
	// not called while the log is being truncated. The slices may be kept.
	ReplicaChanged(s *ReplicaState)
	// Acknowledged tells that a produce with acks=all is about to be acknowledged,
	// whose last record is at the offset.
	Acknowledged(log storage.Partition, epoch wire.LeaderEpoch, last wire.Offset)

	// MetadataApplied gives what changed in the image, which holds everything committed
	// before upTo now. It precedes whatever the node does about it.
	MetadataApplied(d *metadata.Delta, upTo wire.Offset)

	// QuorumChanged gives this node's part in the metadata quorum after it changed. It
	// is not called while the metadata log is being truncated.
	QuorumChanged(s QuorumProbe)
	// Voted tells that the answer to a Vote request (no pre-vote) is about to leave
	// this node, and grants it.
	Voted(v VoteProbe)
}

// MetadataLog is the metadata log's name for a [Probe].
var MetadataLog = storage.Partition{TopicPartition: metadataPartition, TopicID: metadataTopicID}

// QuorumProbe is a node's part in the quorum.
type QuorumProbe struct {
	raft.Status
	// LogEnd is what is written of the log; Status.LogEndOffset is what is decided.
	LogEnd wire.Offset
	// Durable is what the quorum-state file is known to say. While Status.Quorum is
	// another, nobody else may see that yet, and a crash may undo it.
	Durable raft.QuorumState
}

// VoteProbe is a vote that is being answered.
type VoteProbe struct {
	Epoch     wire.LeaderEpoch
	Candidate wire.NodeID
	// Durable is what the quorum-state file is known to say at this moment.
	Durable raft.QuorumState
}

// storageName is the replica's name for storage and probes.
func (p *partition) storageName() storage.Partition {
	return storage.Partition{TopicPartition: p.tp, TopicID: p.id.TopicID}
}

// watch adds the probe's questions to an observer.
func (n *Node) watch(log storage.Partition, o storage.Observer) storage.Observer {
	probe := n.opts.Probe
	if probe == nil {
		return o
	}
	o.Wrote = func(_ *storage.Log, b storage.BatchID, batch []byte) { probe.LogAppended(log, b, batch) }
	o.Cut = func(_ *storage.Log, to wire.Offset, empty bool) {
		if empty {
			probe.LogRestarted(log, to)
		} else {
			probe.LogTruncated(log, to)
		}
	}
	o.Cleaned = func(l *storage.Log, c storage.Cleaned) {
		hw := wire.NoOffset
		if p := n.replicas.byTP[log.TopicPartition]; p != nil && p.log == l {
			hw = p.highWatermark()
		}
		probe.LogCleaned(log, c, hw, n.wallMillis())
	}
	return o
}

func (n *Node) probeOpened(log storage.Partition, l *storage.Log) {
	if n.opts.Probe != nil && l != nil {
		n.opts.Probe.LogOpened(log, l.LogStartOffset(), l.LogEndOffset())
	}
}

// probed is what the probe was last told of a replica, and the version of the ISR that
// goes with it.
type probed struct {
	state   ReplicaState
	version replica.ISRVersion
	known   bool
}

// probe tells of the replica if something changed since the last time. It is called
// after every input of a role, before anything else follows from it.
func (p *partition) probe() {
	if p.n.opts.Probe == nil || p.log == nil || p.cutting || p.gone {
		return
	}
	was := &p.probed
	s := ReplicaState{
		TopicPartition: p.tp, TopicID: p.id.TopicID, HighWatermark: p.highWatermark(), Err: p.err, LeaderEpoch: wire.NoLeaderEpoch,
		LogStart: p.log.LogStartOffset(), LogEnd: p.log.LogEndOffset(), Flushed: p.log.FlushedOffset(),
		LastStableOffset: p.lastStableOffset(),
	}
	var version replica.ISRVersion
	switch {
	case p.leader != nil:
		version = p.leader.ISRVersion()
		s.Leads, s.LeaderEpoch, s.PartitionEpoch, s.Proposing = true, p.leader.LeaderEpoch(), version.PartitionEpoch, version.Proposal != 0
	case p.follower != nil:
		_, s.LeaderEpoch = p.follower.Leader()
	}
	if was.known && version == was.version && s.plain() == was.state.plain() {
		return
	}
	if p.leader != nil {
		if was.known && was.state.Leads && version == was.version && s.LeaderEpoch == was.state.LeaderEpoch {
			s.ISR, s.MaximalISR = was.state.ISR, was.state.MaximalISR
		} else {
			l := p.leader.Snapshot()
			s.ISR, s.MaximalISR = l.Partition.ISR, l.MaximalISR
		}
	}
	*was = probed{s, version, true}
	p.n.opts.Probe.ReplicaChanged(&was.state)
}

// plainState is what can be compared of a ReplicaState.
type plainState struct {
	start, end, flushed, hw, stable wire.Offset
	epoch                           wire.LeaderEpoch
	leads, failed                   bool
}

func (s *ReplicaState) plain() plainState {
	return plainState{s.LogStart, s.LogEnd, s.Flushed, s.HighWatermark, s.LastStableOffset, s.LeaderEpoch, s.Leads, s.Err != nil}
}

// probe tells of the quorum if something changed since the last time.
func (q *quorum) probe() {
	probe := q.n.opts.Probe
	if probe == nil || q.dead || q.cuts > 0 || q.raft == nil {
		return
	}
	s := QuorumProbe{q.raft.Status(), q.log.LogEndOffset(), q.durable}
	if s != q.probed {
		q.probed = s
		probe.QuorumChanged(s)
	}
}

// probeVote tells of a vote that is being answered.
func (q *quorum) probeVote(r raft.VoteRequest, a raft.VoteResponse) {
	if probe := q.n.opts.Probe; probe != nil && a.VoteGranted && !r.PreVote {
		probe.Voted(VoteProbe{r.CandidateEpoch, r.CandidateID, q.durable})
	}
}

// probeAcked tells of a produce with acks=all that ends before required.
func (p *partition) probeAcked(required wire.Offset) {
	if probe := p.n.opts.Probe; probe != nil {
		probe.Acknowledged(p.storageName(), p.leader.LeaderEpoch(), required-1)
	}
}
