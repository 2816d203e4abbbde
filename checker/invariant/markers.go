package invariant

import (
	"slices"

	"odradek/broker/wire"
)

// Marker is a control record that ends a transaction in a partition.
type Marker struct {
	Partition  wire.TopicPartition
	Offset     wire.Offset
	Node       wire.NodeID // that has it
	ProducerID int64
	Epoch      int16
	Commit     bool
}

// outcomes are what was decided about transactions, and what their partitions have been told.
type outcomes struct {
	// decided are the decisions by the identity that their markers have. Before the second
	// version of the protocol one producer epoch may have many.
	decided map[identity]*decision
	markers map[markedBy]marker // the last of a producer in a partition
	// lost is when a partition was excused, in the number of decisions before.
	lost      map[wire.TopicPartition]int
	decisions int
	// again are the producers whose epochs up to one may have been given out twice.
	again map[int64]int16
}

type decision struct {
	commit, abort bool
	// partitions are those of the last one, number its place among all.
	partitions []wire.TopicPartition
	number     int
	version    int16
}

type markedBy struct {
	wire.TopicPartition
	producerID int64
}

type marker struct {
	at     wire.Offset
	epoch  int16
	commit bool
	// old: it was there before the last decision.
	old bool
}

func newOutcomes() outcomes {
	return outcomes{decided: make(map[identity]*decision), markers: make(map[markedBy]marker), lost: make(map[wire.TopicPartition]int), again: make(map[int64]int16)}
}

// decide takes note of a decision. No marker that was written before it tells of it.
func (o *outcomes) decide(r *TransactionRecord) {
	k := identity{r.ProducerID, r.Epoch}
	d := o.decided[k]
	if d == nil {
		d = &decision{}
		o.decided[k] = d
	}
	o.decisions++
	d.partitions, d.number, d.version = r.Partitions, o.decisions, r.Version
	if r.State == TransactionPrepareCommit {
		d.commit = true
	} else {
		d.abort = true
	}
	for _, tp := range r.Partitions {
		k := markedBy{tp, r.ProducerID}
		if m, ok := o.markers[k]; ok {
			m.old = true
			o.markers[k] = m
		}
	}
}

// complete checks the markers of a transaction that is said to be complete.
func (o *outcomes) complete(f *findings, prepared *TransactionRecord) {
	if epoch, ok := o.again[prepared.ProducerID]; ok && prepared.Epoch <= epoch {
		return
	}
	d := o.decided[identity{prepared.ProducerID, prepared.Epoch}]
	for _, tp := range prepared.Partitions {
		if at, lost := o.lost[tp]; lost && at >= d.number {
			continue
		}
		m, ok := o.markers[markedBy{tp, prepared.ProducerID}]
		if !ok || m.old || m.epoch != prepared.Epoch || m.commit != (prepared.State == TransactionPrepareCommit) {
			f.add(MarkerWritten, nil, "the transaction of producer id %d in epoch %d is complete after %v, but %v has no such marker", prepared.ProducerID, prepared.Epoch, prepared.State, tp)
		}
	}
}

// Marked reports a marker when it is appended. One of a producer epoch that no
// coordinator has decided about aborts: it comes from an administrator, who ends a transaction
// that hangs.
func (o *outcomes) Marked(m Marker) []Violation {
	f := &findings{subject: m.Partition.String()}
	d := o.decided[identity{m.ProducerID, m.Epoch}]
	outcome := "aborts"
	if m.Commit {
		outcome = "commits"
	}
	switch {
	case d == nil && !m.Commit:
	case d == nil, m.Commit && !d.commit, !m.Commit && !d.abort:
		f.add(MarkerDecided, []wire.NodeID{m.Node}, "a marker of node %d %s what producer id %d wrote in epoch %d, which was not decided", m.Node, outcome, m.ProducerID, m.Epoch)
	case d.version >= 2 && !slices.Contains(d.partitions, m.Partition):
		f.add(MarkerDecided, []wire.NodeID{m.Node}, "a marker of node %d %s the transaction of producer id %d in epoch %d, which has only %v", m.Node, outcome, m.ProducerID, m.Epoch, d.partitions)
	}
	return f.list
}

// MarkerCommitted reports a marker that is below the high watermark of a replica, before any
// answer speaks of it.
func (o *outcomes) MarkerCommitted(m Marker) {
	k := markedBy{m.Partition, m.ProducerID}
	if last, ok := o.markers[k]; !ok || m.Offset > last.at {
		o.markers[k] = marker{at: m.Offset, epoch: m.Epoch, commit: m.Commit}
	}
}

// Lost forgets the markers of a partition: the fault plan allows that they are lost, or its
// topic was deleted. No transaction that is decided by now has to have one there.
func (o *outcomes) Lost(tp wire.TopicPartition) {
	o.lost[tp] = o.decisions
	for k := range o.markers { //odradek:unordered each on its own
		if k.TopicPartition == tp {
			delete(o.markers, k)
		}
	}
}
