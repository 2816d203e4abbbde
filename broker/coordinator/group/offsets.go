package group

import (
	"maps"
	"slices"

	"odradek/broker/coordinator"
	"odradek/broker/wire"
)

// offset is one committed offset.
type offset struct {
	at          int64
	leaderEpoch int32 // -1 is unknown
	metadata    string
	committed   int64       // ms, wall clock
	expires     int64       // ms, wall clock, or noExpiry
	logOffset   wire.Offset // of its record: the later one counts
}

// noExpiry: the offset lives as long as all offsets of its group.
const noExpiry = -1

// offsets is every committed offset of the shard, and what open transactions may make
// of them.
//
// An offset that a transaction writes is pending until the marker. What counts in the
// end is the order of the records in the log, not that of the markers: cleaning keeps
// the last record of a key, so anything else would be a different offset after the
// next load (KAFKA-14505). So a commit puts a pending offset in place only if nothing
// later is there, and a plain record drops the pending ones before it at once.
type offsets struct {
	byGroup map[string]map[wire.TopicPartition]offset
	// pending is by producer id; open counts the same by group and partition.
	pending map[int64]*pendingOffsets
	open    map[string]map[wire.TopicPartition]int
	// topics has every topic that there are offsets of, to notice when it is deleted.
	topics map[string]*topicUse
}

// pendingOffsets is what one open transaction has written.
type pendingOffsets struct {
	epoch   int16
	offsets map[groupPartition]offset
}

type groupPartition struct {
	group string
	tp    wire.TopicPartition
}

type topicUse struct {
	count int // of offsets, committed and pending
	// id is the topic's as last seen in the metadata, zero if it never was: then the
	// metadata may be what is behind, and nothing follows from its absence.
	id wire.UUID
}

func newOffsets() offsets {
	return offsets{
		byGroup: make(map[string]map[wire.TopicPartition]offset),
		pending: make(map[int64]*pendingOffsets),
		open:    make(map[string]map[wire.TopicPartition]int),
		topics:  make(map[string]*topicUse),
	}
}

// get is the committed offset.
func (os *offsets) get(group string, tp wire.TopicPartition) (offset, bool) {
	o, ok := os.byGroup[group][tp]
	return o, ok
}

// has reports whether a group has offsets, committed or pending.
func (os *offsets) has(group string) bool {
	return len(os.byGroup[group]) > 0 || len(os.open[group]) > 0
}

// unstable reports whether a transaction that is open may change the offset.
func (os *offsets) unstable(group string, tp wire.TopicPartition) bool { return os.open[group][tp] > 0 }

// partitions are those that a group has offsets of, committed or pending, sorted.
func (os *offsets) partitions(group string) []wire.TopicPartition {
	tps := make([]wire.TopicPartition, 0, len(os.byGroup[group]))
	for tp := range os.byGroup[group] { //odradek:unordered sorted below
		tps = append(tps, tp)
	}
	for tp := range os.open[group] { //odradek:unordered sorted below
		if _, ok := os.get(group, tp); !ok {
			tps = append(tps, tp)
		}
	}
	slices.SortFunc(tps, wire.TopicPartition.Compare)
	return tps
}

// put is the replay of a plain commit.
func (os *offsets) put(group string, tp wire.TopicPartition, o offset) {
	os.dropPending(group, tp)
	os.set(group, tp, o)
}

func (os *offsets) set(group string, tp wire.TopicPartition, o offset) {
	byPartition := os.byGroup[group]
	if byPartition == nil {
		byPartition = make(map[wire.TopicPartition]offset)
		os.byGroup[group] = byPartition
	}
	if _, ok := byPartition[tp]; !ok {
		os.use(tp.Topic, 1)
	}
	byPartition[tp] = o
}

// remove is the replay of a tombstone.
func (os *offsets) remove(group string, tp wire.TopicPartition) {
	os.dropPending(group, tp)
	if _, ok := os.get(group, tp); !ok {
		return
	}
	delete(os.byGroup[group], tp)
	if len(os.byGroup[group]) == 0 {
		delete(os.byGroup, group)
	}
	os.use(tp.Topic, -1)
}

// putPending is the replay of a commit inside a transaction.
func (os *offsets) putPending(by coordinator.Transaction, group string, tp wire.TopicPartition, o offset) {
	p := os.pending[by.ProducerID]
	if p == nil {
		p = &pendingOffsets{offsets: make(map[groupPartition]offset)}
		os.pending[by.ProducerID] = p
	}
	p.epoch = by.Epoch
	gp := groupPartition{group, tp}
	if _, ok := p.offsets[gp]; !ok {
		os.count(gp, 1)
	}
	p.offsets[gp] = o
}

// take removes what a transaction has pending; nil if that is nothing.
func (os *offsets) take(producerID int64) *pendingOffsets {
	p := os.pending[producerID]
	if p == nil {
		return nil
	}
	delete(os.pending, producerID)
	for gp := range p.offsets { //odradek:unordered counting
		os.count(gp, -1)
	}
	return p
}

// commit makes what a transaction wrote the committed offsets.
func (os *offsets) commit(p *pendingOffsets) {
	for gp, o := range p.offsets { //odradek:unordered each partition is on its own
		if there, ok := os.get(gp.group, gp.tp); !ok || there.logOffset < o.logOffset {
			os.set(gp.group, gp.tp, o)
		}
	}
}

// groups are those that a transaction wrote to, sorted.
func (p *pendingOffsets) groups() []string {
	ids := make(map[string]bool)
	for gp := range p.offsets { //odradek:unordered sorted below
		ids[gp.group] = true
	}
	return slices.Sorted(maps.Keys(ids))
}

// dropPending forgets what open transactions have written to a partition.
func (os *offsets) dropPending(group string, tp wire.TopicPartition) {
	if !os.unstable(group, tp) {
		return
	}
	gp := groupPartition{group, tp}
	for _, p := range os.pending { //odradek:unordered the same for each
		if _, ok := p.offsets[gp]; ok {
			delete(p.offsets, gp)
			os.count(gp, -1)
		}
	}
}

// count keeps open and topics in step with pending.
func (os *offsets) count(gp groupPartition, by int) {
	byPartition := os.open[gp.group]
	if byPartition == nil {
		byPartition = make(map[wire.TopicPartition]int)
		os.open[gp.group] = byPartition
	}
	byPartition[gp.tp] += by
	check(byPartition[gp.tp] >= 0, "%v of %q is pending %d times", gp.tp, gp.group, byPartition[gp.tp])
	if byPartition[gp.tp] == 0 {
		delete(byPartition, gp.tp)
		if len(byPartition) == 0 {
			delete(os.open, gp.group)
		}
	}
	os.use(gp.tp.Topic, by)
}

func (os *offsets) use(topic string, by int) {
	u := os.topics[topic]
	if u == nil {
		u = new(topicUse)
		os.topics[topic] = u
	}
	if u.count += by; u.count == 0 {
		delete(os.topics, topic)
	}
}
