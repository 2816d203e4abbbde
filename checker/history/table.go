package history

import (
	"math"
	"time"

	"odradek/broker/wire"
)

// table judges a compacted partition as the table that it is (rule 19): the newest record
// of each key stays, and a tombstone for its time.
func (c *check) table() {
	if !c.compacts || !c.log.present {
		return
	}
	keys, rows := c.rows()
	for _, k := range keys {
		c.row(rows[k])
	}
	for _, process := range c.consumers {
		c.rebuilt(process, rows)
	}
}

// row is what is known of one key.
type row struct {
	key string
	// newest is the append with the highest offset among those that certainly took place:
	// they were acknowledged, or somebody has read them.
	newest   *appendOp
	newestAt wire.Offset
	readAs   *read // nil if it was acknowledged
	// last is the last one in the final log.
	last *appendOp
	at   wire.Offset
	// erased: an append that may have taken place was a tombstone, and whether it did the
	// final log does not tell.
	erased bool
}

func (c *check) rows() ([]string, map[string]*row) {
	rows := make(map[string]*row)
	read := make(map[uint64]*read)
	for i := range c.reads {
		read[c.reads[i].Value] = &c.reads[i]
	}
	for _, a := range c.appends {
		if a.key == "" || a.outcome == Failed || a.aborted() {
			continue
		}
		k := rows[a.key]
		if k == nil {
			k = &row{key: a.key, at: wire.NoOffset}
			rows[a.key] = k
		}
		at, seen := wire.NoOffset, read[a.value]
		switch {
		case a.txn != nil && a.txn.fate != committed:
		case a.outcome == OK && a.offset != wire.NoOffset:
			at, seen = a.offset, nil
		case seen != nil:
			at = seen.Offset
		}
		switch {
		case at != wire.NoOffset && (k.newest == nil || at > k.newestAt):
			k.newest, k.newestAt, k.readAs = a, at, seen
		case at == wire.NoOffset && a.tombstone:
			k.erased = true
		}
	}
	for _, r := range c.log.records {
		// An aborted record counts if readers of committed records get it: the log takes it for
		// committed, which is judged elsewhere, and compaction has to as well.
		_, taken := c.committed.at[r.Offset]
		if a := c.byValue[r.Value]; a != nil && (!a.aborted() || taken) {
			if k := rows[a.key]; k != nil {
				k.last, k.at = a, r.Offset
			}
		}
	}
	return sortedKeys(rows), rows
}

// row judges one key in the final log.
func (c *check) row(k *row) {
	w := k.newest
	if w == nil || k.at >= k.newestAt || k.newestAt < c.log.start && c.g.Retention {
		return
	}
	rule := c.g.lossOfAppend(w)
	if k.readAs != nil {
		rule = c.lossOfRead(k.readAs)
	}
	if rule.verdict == Violation {
		rule = violates("rule 19: compaction keeps the last record of each key")
	}
	seqs := append(w.seqs(), c.log.seq)
	switch {
	case k.last != nil:
		c.found(LostKey, rule, append(seqs, k.last.seqs()...), "key %q was last written at %d (%s), but the log ends with its older value %d at %d", k.key, k.newestAt, w.content(), k.last.value, k.at)
	case k.erased:
		// A tombstone of unknown outcome may have come later, and gone.
	case !w.tombstone:
		c.found(LostKey, rule, seqs, "key %q was last written at %d (%s), and the log does not have it any more", k.key, k.newestAt, w.content())
	case c.log.time-w.invoked < c.g.DeleteRetention:
		c.found(LostTombstone, rule, seqs, "the tombstone of key %q at %d is gone %v after it was sent", k.key, k.newestAt, time.Duration(c.log.time-w.invoked))
	}
}

func (a *appendOp) content() string {
	if a.tombstone {
		return "a tombstone"
	}
	return "a value"
}

// removable reports whether a replica may have compacted a record away by the time of a
// poll: it was aborted, its time as a tombstone was over, or a later record of its key had
// been sent.
func (p *partition) removable(r Record, m *move) bool {
	a := p.byValue[r.Value]
	if a == nil || a.key == "" {
		return false
	}
	if a.aborted() || a.tombstone && m.time-a.invoked >= p.tombstones {
		return true
	}
	for _, b := range p.byKey[a.key] {
		if b.invokeSeq >= m.seq {
			break
		}
		if b != a && b.outcome != Failed && !b.aborted() && (b.offset > r.Offset || b.offset == wire.NoOffset) {
			return true
		}
	}
	return false
}

// rebuilt judges the tables that a consumer has built, each time when it had begun at the
// start of the log: what was deleted must not be in it. (That nothing is missing is
// what poll-skip says.)
func (c *check) rebuilt(process string, rows map[string]*row) {
	var table map[string]cell // nil: it did not begin at the start
	next := wire.Offset(math.MaxInt64)
	var began, now, seq int64
	for _, m := range c.moves[process] {
		if m.seek {
			c.staleCells(process, table, rows, next, now-began, seq)
			table = nil
			if m.offset != wire.NoOffset && m.offset <= c.log.start {
				table, next, began = make(map[string]cell), m.offset, m.time
			}
			continue
		}
		if table == nil {
			continue
		}
		now, seq = m.time, m.seq
		for _, r := range m.records {
			next = r.Offset + 1
			if a := c.byValue[r.Value]; a != nil && a.key != "" && !a.aborted() {
				table[a.key] = cell{a, r.Offset}
			}
		}
	}
	c.staleCells(process, table, rows, next, now-began, seq)
}

// cell is what a table has for a key.
type cell struct {
	a  *appendOp
	at wire.Offset
}

// staleCells looks for keys that had been deleted before the reader's position.
func (c *check) staleCells(process string, table map[string]cell, rows map[string]*row, next wire.Offset, took, seq int64) {
	for _, key := range sortedKeys(table) {
		have, k := table[key], rows[key]
		if k == nil || k.newest == nil || !k.newest.tombstone || k.newestAt >= next || k.at > k.newestAt || have.at >= k.newestAt {
			continue
		}
		rule := allows("rule 19: tombstones are kept for their time only")
		if took < c.g.DeleteRetention {
			rule = violates("rule 19: who reads everything within delete.retention.ms sees all tombstones")
		}
		c.found(StaleTable, c.g.lossOf(rule, c.tp.Topic), append(have.a.seqs(), append(k.newest.seqs(), seq)...),
			"%s read the log from its start past %d and has value %d for key %q, which was deleted at %d", process, next, have.a.value, key, k.newestAt)
	}
}
