package storage

import (
	"math"
	"slices"
	"sort"

	"odradek/broker/wire"
)

// epochEntry says that a leader epoch begins at an offset.
type epochEntry struct {
	epoch wire.LeaderEpoch
	start wire.Offset
}

// noChange is the clean bound when everything in the cache is durable.
const noChange = wire.Offset(math.MaxInt64)

// epochCache is the leader epochs of a log (KIP-101), both fields strictly increasing
// from entry to entry. It is kept in leader-epoch-checkpoint.
type epochCache struct {
	entries []epochEntry
	// changed is the lowest offset at which the cache differs from the content of
	// the last write that was begun, writing the same for a write under way: recovery
	// has to derive the entries from there on again, so that the recovery point
	// must not pass it.
	changed, writing wire.Offset
}

func newEpochCache(entries []epochEntry) *epochCache {
	return &epochCache{entries: entries, changed: noChange, writing: noChange}
}

func (c *epochCache) latest() wire.LeaderEpoch {
	if len(c.entries) == 0 {
		return wire.NoLeaderEpoch
	}
	return c.entries[len(c.entries)-1].epoch
}

// assign adds an epoch if it is above the latest, and reports whether it did. Entries
// at or after start belong to epochs that never got a record, and give way.
func (c *epochCache) assign(epoch wire.LeaderEpoch, start wire.Offset) bool {
	if epoch < 0 || epoch <= c.latest() {
		return false
	}
	c.truncate(start)
	c.entries = append(c.entries, epochEntry{epoch, start})
	c.changed = min(c.changed, start)
	return true
}

// truncate removes the epochs that begin at or after end, and reports whether there
// were any.
func (c *epochCache) truncate(end wire.Offset) bool {
	i := sort.Search(len(c.entries), func(i int) bool { return c.entries[i].start >= end })
	if i == len(c.entries) {
		return false
	}
	c.entries = c.entries[:i]
	c.changed = min(c.changed, end)
	return true
}

// raiseStart forgets the epochs that end at or below start; the one that contains it
// begins there now. It reports whether anything changed.
func (c *epochCache) raiseStart(start wire.Offset) bool {
	i := sort.Search(len(c.entries), func(i int) bool { return c.entries[i].start > start })
	if i == 0 || (i == 1 && c.entries[0].start == start) {
		return false
	}
	c.entries = slices.Clone(c.entries[i-1:])
	c.entries[0].start = start
	return true
}

// endOffset is [Log.EndOffsetForEpoch].
func (c *epochCache) endOffset(epoch wire.LeaderEpoch, logEnd wire.Offset) (wire.LeaderEpoch, wire.Offset) {
	if epoch == wire.NoLeaderEpoch || len(c.entries) == 0 || epoch > c.latest() {
		return wire.NoLeaderEpoch, wire.NoOffset
	}
	if epoch == c.latest() {
		return epoch, logEnd
	}
	i := sort.Search(len(c.entries), func(i int) bool { return c.entries[i].epoch > epoch })
	if i == 0 {
		return epoch, c.entries[0].start
	}
	return c.entries[i-1].epoch, c.entries[i].start
}

// cleanBelow is the offset below which the file agrees with the cache.
func (c *epochCache) cleanBelow() wire.Offset { return min(c.changed, c.writing) }

// beginWrite returns the content to write.
func (c *epochCache) beginWrite() []byte {
	c.writing, c.changed = min(c.changed, c.writing), noChange
	return formatEpochs(c.entries)
}

// endWrite follows a successful write.
func (c *epochCache) endWrite() { c.writing = noChange }
