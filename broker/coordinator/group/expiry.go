package group

import (
	"maps"
	"slices"

	"odradek/broker/coordinator"
	"odradek/broker/wire"
)

// Offsets are forgotten in three ways, each by tombstones: they expire, their topic is
// deleted, or an administrator deletes them or their group (offset_fetch.go, describe.go).
//
// An offset expires offsets.retention.minutes after it was last of use: since the group
// became empty; since its commit, if the group has no members ever or its members no
// longer subscribe to the topic. Groups in a rebalance lose nothing, as nobody knows what
// their members are about to subscribe to (KAFKA-13636). An offset that was committed
// with a retention of its own expires by that. What a transaction may yet change stays.
//
// Unlike in Kafka, an offset committed to a group that is empty already counts from its
// commit, not from when the group became empty: whoever resets the offsets of an old
// group means to use them.

// expireOffsets is what the sweep does, every offsets.retention.check.interval.ms: it also
// takes back the records of empty groups without offsets.
func (t *turn) expireOffsets() {
	for _, id := range t.m.ids() {
		g := t.m.groups[id]
		expired, left := t.expired(id, g)
		var records []coordinator.Record
		for _, tp := range expired {
			records = append(records, offsetTombstone(id, tp))
		}
		if len(expired) > 0 {
			t.event(Event{Kind: "offsets-expired", Group: id, Count: len(expired)})
		}
		if left == 0 && g.empty() && g.persisted() {
			records = append(records, g.tombstones()...)
			t.event(Event{Kind: "group-expired", Group: id})
		}
		t.appendSplit(records)
	}
	t.m.timers.start(&t.m.sweep, t.later(t.m.cfg.Broker.OffsetsRetentionCheckMs))
}

// expired are the partitions of a group whose offsets have expired, sorted, and how
// many others it has.
func (t *turn) expired(id string, g group) (expired []wire.TopicPartition, left int) {
	retention := int64(t.m.cfg.Broker.OffsetsRetentionMinutes) * 60_000
	for _, tp := range t.m.offsets.partitions(id) {
		o, ok := t.m.offsets.get(id, tp)
		since, ages := g.agesFrom(o.committed)
		due := addClamped(since, retention)
		if o.expires != noExpiry {
			due = o.expires
		}
		if ok && ages && !g.subscribes(tp.Topic) && due <= t.at.Wall && !t.m.offsets.unstable(id, tp) {
			expired = append(expired, tp)
		} else {
			left++
		}
	}
	return expired, left
}

// forgetTopics deletes the offsets of topics that the metadata had and have no more, or
// have in another incarnation.
func (t *turn) forgetTopics() {
	gone := make(map[string]bool)
	for name, use := range t.m.offsets.topics { //odradek:unordered each topic is on its own
		topic := t.at.Image.Topic(name)
		switch {
		case use.count == 0:
			delete(t.m.offsets.topics, name) // what was to be committed was not
		case topic != nil && (use.id.IsZero() || use.id == topic.ID):
			use.id = topic.ID
		case !use.id.IsZero():
			gone[name] = true
		}
	}
	if len(gone) == 0 {
		return
	}
	for _, id := range t.offsetGroups() {
		var records []coordinator.Record
		for _, tp := range t.m.offsets.partitions(id) {
			if gone[tp.Topic] {
				records = append(records, offsetTombstone(id, tp))
			}
		}
		t.appendSplit(records)
	}
}

// offsetGroups are the groups that have offsets, sorted.
func (t *turn) offsetGroups() []string {
	ids := make(map[string]bool)
	for id := range t.m.offsets.byGroup { //odradek:unordered sorted below
		ids[id] = true
	}
	for id := range t.m.offsets.open { //odradek:unordered sorted below
		ids[id] = true
	}
	return slices.Sorted(maps.Keys(ids))
}
