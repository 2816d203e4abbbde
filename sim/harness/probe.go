package harness

import (
	"fmt"

	"odradek/broker"
	"odradek/broker/metadata"
	"odradek/broker/raft"
	"odradek/broker/storage"
	"odradek/broker/wire"
	"odradek/checker/invariant"
	"odradek/sim/cluster"
)

// probe implements broker.Probe for one life of a node: it translates what it is told
// into the checkers' words.
type probe struct {
	v *invariants
	n *cluster.Node
	// logs are the node's, which outlive the process.
	logs *nodeLogs
}

// nodeLogs are the logs on one node's disk.
type nodeLogs struct {
	byName map[storage.Partition]*replicaLog
	list   []*replicaLog // in order of creation
	// unregistered: the last stop was not in good order, and no registration of a
	// later life than epoch's is committed yet.
	unregistered bool
	epoch        wire.BrokerEpoch
}

func (p *probe) log(name storage.Partition) *replicaLog {
	l := p.logs.byName[name]
	if l == nil {
		l = &replicaLog{name: name}
		if name != broker.MetadataLog {
			l.part = p.v.partition(name)
			l.part.holders++
		}
		p.logs.byName[name] = l
		p.logs.list = append(p.logs.list, l)
	}
	return l
}

// LogOpened compares what is on the disk with what was there before the process ended.
func (p *probe) LogOpened(name storage.Partition, start, end wire.Offset) {
	_, known := p.logs.byName[name]
	l := p.log(name)
	old, flushed, cut, powerLost := l.end(), l.flushed, l.cut, l.powerLost
	found, open := onDisk(p.n.Disk, name.TopicPartition, end)
	kept := l.reopened(found, end)
	l.undecided = open
	v := p.v
	v.counts.logs++
	where := fmt.Sprintf("%s on %s", name.TopicPartition, p.n.Name())
	switch {
	case l.end() != end || start > end:
		v.report(string(invariant.Bookkeeping), where, fmt.Sprintf("the log was opened from %d to %d, but its files end at %d", start, end, l.end()))
	case !known:
	case kept < flushed:
		v.report(DurableLost, where, fmt.Sprintf("everything below %d was durable, but after the restart the log is another one from %d on", flushed, kept))
	case kept < old && !powerLost && !cut:
		v.report(WrittenLost, where, fmt.Sprintf("everything below %d was written and the machine had power, but after the restart the log is another one from %d on", old, kept))
	}
	l.cut, l.powerLost = false, false
	v.ended(p.n.ID, l)
}

// LogAppended implements broker.Probe.
func (p *probe) LogAppended(name storage.Partition, b storage.BatchID, batch []byte) {
	p.v.counts.batches++
	if l := p.logs.byName[name]; l != nil { // else it is being deleted, with appends under way
		l.append(invariant.Batch(b))
		p.v.transactions.appended(p.n.ID, l, batch)
	}
}

// LogTruncated implements broker.Probe.
func (p *probe) LogTruncated(name storage.Partition, to wire.Offset) { p.log(name).truncate(to) }

// LogRestarted implements broker.Probe.
func (p *probe) LogRestarted(name storage.Partition, at wire.Offset) { p.log(name).restart(at) }

// LogCleaned implements broker.Probe.
func (p *probe) LogCleaned(name storage.Partition, c storage.Cleaned, highWatermark wire.Offset, wall int64) {
	left := make([]invariant.Batch, len(c.Batches))
	for i, b := range c.Batches {
		left[i] = invariant.Batch(b)
	}
	p.v.counts.cleaned++
	l := p.log(name)
	if l.part != nil {
		p.v.compacted(p.n, l, &c, highWatermark, wall)
	}
	l.clean(c.From, c.UpTo, left, highWatermark)
	if l.running {
		l.told.LogEnd = l.end() // while a role ends, more is written than a replica has told
		p.v.replica(l)
	}
}

// LogDeleted implements broker.Probe.
func (p *probe) LogDeleted(name storage.Partition) {
	l := p.logs.byName[name]
	if l == nil {
		return
	}
	delete(p.logs.byName, name)
	for i, m := range p.logs.list {
		if m == l {
			p.logs.list = append(p.logs.list[:i:i], p.logs.list[i+1:]...)
			break
		}
	}
	l.restart(0)
	p.v.ended(p.n.ID, l)
	if l.part.holders--; l.part.holders == 0 {
		p.v.forget(l.part)
	}
}

// ReplicaChanged implements broker.Probe.
func (p *probe) ReplicaChanged(s *broker.ReplicaState) {
	l := p.log(storage.Partition{TopicPartition: s.TopicPartition, TopicID: s.TopicID})
	l.flushed = max(l.flushed, s.Flushed)
	p.logStart(l, s.LogStart)
	if s.Err != nil {
		p.v.ended(p.n.ID, l)
		return
	}
	l.running, l.cut = true, false
	l.told = invariant.Replica{
		Node: p.n.ID, Running: true, Unregistered: p.logs.unregistered,
		Leader: s.Leads, LeaderEpoch: s.LeaderEpoch, LogStart: s.LogStart, LogEnd: s.LogEnd, HighWatermark: s.HighWatermark, LastStable: s.LastStableOffset,
		MaximalISR: s.MaximalISR, PartitionEpoch: s.PartitionEpoch, Pending: s.Proposing,
	}
	p.v.replica(l)
}

// logStart counts what was deleted from the front of a log.
func (p *probe) logStart(l *replicaLog, at wire.Offset) {
	if at > l.logStart && l.running {
		if l.part == nil {
			p.v.counts.metadataStarts++
		} else {
			p.v.counts.starts++
		}
	}
	l.logStart = at
}

// Acknowledged implements broker.Probe.
func (p *probe) Acknowledged(name storage.Partition, _ wire.LeaderEpoch, last wire.Offset) {
	p.v.acknowledged(p.log(name).part, p.n.ID, last)
}

// MetadataApplied implements broker.Probe.
func (p *probe) MetadataApplied(d *metadata.Delta, upTo wire.Offset) { p.v.metadata(p.n, d, upTo) }

// QuorumChanged implements broker.Probe.
func (p *probe) QuorumChanged(s broker.QuorumProbe) {
	l := p.log(broker.MetadataLog)
	l.running, l.cut = true, false
	l.flushed = max(l.flushed, min(s.FlushedOffset, s.LogEnd))
	p.v.counts.quorum++
	p.logStart(l, s.LogStartOffset)
	p.v.judgeQuorum(p.v.quorum.Observe(invariant.Member{
		Node: p.n.ID, Running: true, Epoch: s.Durable.LeaderEpoch, Leader: s.State == raft.Leader && s.Quorum == s.Durable,
		LogEnd: s.LogEnd, HighWatermark: s.HighWatermark, Changes: l.take(),
	}))
}

// Voted implements broker.Probe.
func (p *probe) Voted(v broker.VoteProbe) {
	p.v.counts.votes++
	p.v.judgeQuorum(p.v.quorum.Voted(invariant.Vote{
		Node: p.n.ID, Epoch: v.Epoch, Candidate: v.Candidate,
		DurableEpoch: v.Durable.LeaderEpoch, DurableCandidate: v.Durable.VotedID,
	}))
}
