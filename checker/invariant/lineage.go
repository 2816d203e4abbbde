package invariant

import (
	"cmp"
	"slices"

	"odradek/broker/wire"
)

// Batch is a batch of a log, as far as identity goes.
type Batch struct {
	Base, Last wire.Offset
	Epoch      wire.LeaderEpoch
	CRC        uint32
}

// Change is one thing that happened to a replica's log.
type Change struct {
	Kind   ChangeKind
	Batch  Batch       // of Appended
	Offset wire.Offset // of the others
	// Of CleanedTo: the batches that are left, and the replica's high watermark.
	Batches       []Batch
	HighWatermark wire.Offset
}

// ChangeKind says what happened.
type ChangeKind uint8

const (
	// Appended: Batch was added at the end.
	Appended ChangeKind = iota
	// TruncatedTo: everything from Offset on is gone, by truncation, or because it
	// was not durable and the node lost power.
	TruncatedTo
	// StartedAt: the log was emptied and continues at Offset: a new replica, or one
	// that got a snapshot.
	StartedAt
	// CleanedTo: compaction has left Batches of a part of the log that ends at Offset. Some
	// may be rewritten, with new checksums.
	CleanedTo
)

// entry is a batch with the digest of the log up to its end.
type entry struct {
	Batch
	digest uint64
}

func byLast(e entry, o wire.Offset) int { return cmp.Compare(e.Last, o) }

// mix extends a digest by a batch. (The finaliser of splitmix64 after each word:
// collisions are a matter of chance, 2^-64 for a pair.)
func (b *Batch) mix(digest uint64) uint64 {
	for _, w := range [...]uint64{uint64(b.Base), uint64(b.Last), uint64(uint32(b.Epoch))<<32 | uint64(b.CRC)} {
		digest += w + 0x9e3779b97f4a7c15
		digest = (digest ^ digest>>30) * 0xbf58476d1ce4e5b9
		digest = (digest ^ digest>>27) * 0x94d049bb133111eb
		digest ^= digest >> 31
	}
	return digest
}

// replicaLog is what one replica has.
type replicaLog struct {
	entries []entry
	start   wire.Offset // where entries begin
	prefix  uint64      // digest of what is before start
	// anchored is false while prefix is not known: the log began in the middle, at
	// an offset whose history nobody has told yet.
	anchored bool
}

func (l *replicaLog) end() wire.Offset {
	if n := len(l.entries); n > 0 {
		return l.entries[n-1].Last + 1
	}
	return l.start
}

func (l *replicaLog) digest() uint64 {
	if n := len(l.entries); n > 0 {
		return l.entries[n-1].digest
	}
	return l.prefix
}

// below is the last entry that ends before o.
func (l *replicaLog) below(o wire.Offset) (entry, bool) { return lastBelow(l.entries, o) }

func lastBelow(es []entry, o wire.Offset) (entry, bool) {
	i, _ := slices.BinarySearchFunc(es, o, byLast)
	if i == 0 {
		return entry{}, false
	}
	return es[i-1], true
}

// endingAt is the entry whose last offset is o.
func endingAt(es []entry, o wire.Offset) (entry, bool) {
	i, ok := slices.BinarySearchFunc(es, o, byLast)
	if !ok {
		return entry{}, false
	}
	return es[i], true
}

// lineage is the history of one partition: all its replicas' logs, and what is
// committed.
type lineage struct {
	logs []nodeLog // in the order in which they were first told of: there are few
	// known has every batch that some replica has.
	known map[point]entry
	// committed is what was below some replica's high watermark, in order.
	committed []entry
	// watermark is the true high watermark: the largest ever seen.
	watermark wire.Offset
	// forms are the checksums of batches that compaction has rewritten, and those that they
	// had before. A log counts as having what compaction has removed from it, so that nothing
	// of what must hold between replicas changes with that.
	forms map[form]uint32
	// cleaned is how far any replica was ever compacted.
	cleaned wire.Offset
}

type nodeLog struct {
	node wire.NodeID
	*replicaLog
}

// form is a batch that compaction has rewritten.
type form struct {
	point
	crc uint32
}

// point is an end of a batch; log matching says that it determines the log.
type point struct {
	last  wire.Offset
	epoch wire.LeaderEpoch
}

func newLineage() lineage {
	return lineage{known: make(map[point]entry), forms: make(map[form]uint32)}
}

func (g *lineage) log(n wire.NodeID) *replicaLog {
	for i := range g.logs {
		if g.logs[i].node == n {
			return g.logs[i].replicaLog
		}
	}
	l := &replicaLog{anchored: true} // a log that begins at 0 has nothing before it
	g.logs = append(g.logs, nodeLog{n, l})
	return l
}

// apply takes over what happened to a replica's log.
func (g *lineage) apply(f *findings, n wire.NodeID, changes []Change) {
	l := g.log(n)
	for i := range changes {
		switch c := &changes[i]; c.Kind {
		case Appended:
			g.append(f, n, l, c.Batch)
		case TruncatedTo:
			g.truncate(l, c.Offset)
			if c.Offset < l.start {
				*l = g.startingAt(c.Offset)
			}
		case StartedAt:
			g.truncate(l, l.start)
			*l = g.startingAt(c.Offset)
		case CleanedTo:
			g.clean(f, n, l, c)
		}
	}
}

// clean takes note of a compaction.
func (g *lineage) clean(f *findings, n wire.NodeID, l *replicaLog, c *Change) {
	nodes := []wire.NodeID{n}
	if c.Offset > c.HighWatermark {
		f.add(CleanedStable, nodes, "node %d compacted its log up to %d, its high watermark is %d", n, c.Offset, c.HighWatermark)
	}
	for _, b := range c.Batches {
		x, ok := endingAt(l.entries, b.Last)
		switch {
		case !ok && (b.Last < l.start || !l.anchored):
			// What it was is not known.
		case !ok || x.Base != b.Base || x.Epoch != b.Epoch:
			f.add(CleanedSubset, nodes, "compaction on node %d left a batch from %d to %d in epoch %d that was not there", n, b.Base, b.Last, b.Epoch)
		case x.CRC != b.CRC:
			g.forms[form{point{b.Last, b.Epoch}, b.CRC}] = x.CRC
		}
	}
	g.cleaned = max(g.cleaned, c.Offset)
}

// skip has a log that was copied from a compacted one go on at offset to: what is left out
// is committed, and counts as copied.
func (g *lineage) skip(l *replicaLog, to wire.Offset) {
	at, _ := slices.BinarySearchFunc(g.committed, l.end(), byLast)
	end := at
	for end < len(g.committed) && g.committed[end].Last < to {
		end++
	}
	continues := at == 0 && l.end() == 0 || at > 0 && g.committed[at-1].Last+1 == l.end() && g.committed[at-1].digest == l.digest()
	if !l.anchored || !continues || end == at || g.committed[end-1].Last+1 != to {
		*l = replicaLog{start: to} // its history cannot be told any more
		return
	}
	l.entries = append(l.entries, g.committed[at:end]...)
}

// truncate drops what ends at or beyond o. Log matching is about batches that some
// log has: of those that nobody has any more, another may come in the same epoch
// (an append that failed on the leader's disk, say).
func (g *lineage) truncate(l *replicaLog, o wire.Offset) {
	cut, _ := slices.BinarySearchFunc(l.entries, o, byLast)
	gone := l.entries[cut:]
	l.entries = l.entries[:cut]
	for i := range gone {
		if !g.kept(&gone[i]) {
			delete(g.known, point{gone[i].Last, gone[i].Epoch})
		}
	}
}

func (g *lineage) kept(e *entry) bool {
	for _, l := range g.logs {
		if x, ok := endingAt(l.entries, e.Last); ok && x.Epoch == e.Epoch {
			return true
		}
	}
	return false
}

// startingAt is an empty log; what was committed before its start is its prefix.
func (g *lineage) startingAt(o wire.Offset) replicaLog {
	l := replicaLog{start: o, anchored: o == 0}
	if e, ok := endingAt(g.committed, o-1); ok {
		l.prefix, l.anchored = e.digest, true
	}
	return l
}

func (g *lineage) append(f *findings, n wire.NodeID, l *replicaLog, b Batch) {
	if b.Base < l.end() || b.Last < b.Base {
		f.add(Bookkeeping, []wire.NodeID{n}, "a batch from %d to %d was appended to a log that ends at %d", b.Base, b.Last, l.end())
		return
	}
	if crc, rewritten := g.forms[form{point{b.Last, b.Epoch}, b.CRC}]; rewritten {
		b.CRC = crc
	}
	if b.Base > l.end() {
		if b.Base > g.cleaned {
			f.add(LogMatching, []wire.NodeID{n}, "node %d has nothing from %d to %d, and no replica was compacted beyond %d", n, l.end(), b.Base, g.cleaned)
		}
		g.skip(l, b.Base)
	}
	before, met := g.known[point{b.Last, b.Epoch}]
	if !l.anchored {
		// Take the word of whoever had this batch first for what precedes it.
		if !met || before.Batch != b {
			l.entries = append(l.entries, entry{Batch: b})
			return
		}
		*l = replicaLog{entries: []entry{before}, start: b.Base, anchored: true}
		return
	}
	e := entry{b, b.mix(l.digest())}
	l.entries = append(l.entries, e)
	switch {
	case !met:
		g.known[point{b.Last, b.Epoch}] = e
	case before.digest != e.digest:
		f.add(LogMatching, []wire.NodeID{n}, "node %d has a batch that ends at %d in epoch %d after another history than the first replica that had it", n, b.Last, b.Epoch)
	}
}

// commit takes note that node n's high watermark is hw, and compares what is below
// it with what is committed.
func (g *lineage) commit(f *findings, n wire.NodeID, hw wire.Offset) {
	g.watermark = max(g.watermark, hw)
	l := g.log(n)
	if e, ok := l.below(hw); ok && l.anchored {
		g.agree(f, n, l, e)
	}
}

// agree compares node n's log up to its entry e with what is committed, and
// commits what is new.
func (g *lineage) agree(f *findings, n wire.NodeID, l *replicaLog, e entry) {
	var last entry // committed
	if k := len(g.committed); k > 0 {
		last = g.committed[k-1]
	}
	if len(g.committed) > 0 && e.Last < g.committed[0].Base {
		// What was committed there is forgotten, and was told anew by a log that has
		// nothing of it.
		return
	}
	if len(g.committed) > 0 && e.Last <= last.Last {
		if c, ok := endingAt(g.committed, e.Last); !ok || c.digest != e.digest {
			f.add(CommittedPrefix, []wire.NodeID{n}, "node %d has another record history below its high watermark, up to %d in epoch %d, than what was committed there", n, e.Last, e.Epoch)
		}
		return
	}
	if len(g.committed) > 0 && !g.holds(l, last) {
		f.add(CommittedPrefix, []wire.NodeID{n}, "node %d has its high watermark beyond %d without the history committed up to there", n, last.Last)
		return
	}
	from := 0
	if len(g.committed) > 0 {
		from, _ = slices.BinarySearchFunc(l.entries, last.Last+1, byLast)
	}
	for _, x := range l.entries[from:] {
		if x.Last > e.Last {
			break
		}
		g.committed = append(g.committed, x)
	}
}

// holds reports whether the log contains the committed history up to c.
func (g *lineage) holds(l *replicaLog, c entry) bool {
	if l.end() <= c.Last {
		return false
	}
	if !l.anchored {
		return true // not known to be wrong
	}
	if x, ok := endingAt(l.entries, c.Last); ok {
		return x.digest == c.digest
	}
	// The log starts behind c, and what it starts with was committed.
	return l.start > c.Last
}

// complete reports whether node n has everything committed.
func (g *lineage) complete(n wire.NodeID) bool {
	l := g.log(n)
	if l.end() < g.watermark {
		return false
	}
	if len(g.committed) == 0 {
		return true
	}
	return g.holds(l, g.committed[len(g.committed)-1])
}

// forget drops what is committed from an offset on: the fault plan allows its loss.
func (g *lineage) forget(from wire.Offset) {
	cut, _ := slices.BinarySearchFunc(g.committed, from, byLast)
	g.committed = g.committed[:cut]
	g.watermark = min(g.watermark, from)
}
