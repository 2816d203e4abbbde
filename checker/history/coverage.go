package history

import (
	"slices"

	"odradek/broker/wire"
)

// coverage judges whether a group got everything (rule 17): no record below its
// committed offset that was never handed to a member, and, if its members could work
// until the end, none at or beyond it.
func (c *judge) coverage(g *group, o *groupOffsets) {
	f, p := o.final, c.byTP[o.tp]
	if f == nil || p == nil || !p.log.present {
		return
	}
	given := slices.Clone(o.given)
	slices.Sort(given)
	subject := "group " + g.name
	missed, left := 0, 0
	var first, behind Record
	for _, r := range p.log.records {
		if r.Value == 0 || r.Offset < f.start || f.isolation == ReadCommitted && !p.due(r) {
			continue
		}
		if f.offset != wire.NoOffset && r.Offset < f.offset {
			if _, ok := slices.BinarySearch(given, r.Offset); !ok {
				if missed++; missed == 1 {
					first = r
				}
			}
		} else if left++; left == 1 {
			behind = r
		}
	}
	if missed > 0 {
		seqs := []int64{f.invokeSeq, f.returnSeq}
		if a := p.byValue[first.Value]; a != nil {
			seqs = append(a.seqs(), seqs...)
		}
		c.found(about{Unconsumed, o.tp, subject}, c.skipped(g, o, first.Offset), seqs, "value %d at %d is below the committed offset %d, and no member was given it (%d records)", first.Value, first.Offset, f.offset, missed)
	}
	if left > 0 && f.live {
		r := violates("every group catches up once everything has healed")
		if f.isolation == ReadCommitted {
			// A transaction whose coordinator has lost it hangs, and who waits for its offsets.
			r = c.g.lossOf(r, o.tp.Topic, TransactionsTopic)
		}
		c.found(about{Lag, o.tp, subject}, r, []int64{f.invokeSeq, f.returnSeq},
			"the committed offset is %d, but value %d is at %d (%d records are left)", f.offset, behind.Value, behind.Offset, left)
	}
}

// due reports whether a reader of committed records gets the record in the end.
func (p *partition) due(r Record) bool {
	if p.committed.present {
		return len(p.committed.offsets[r.Value]) > 0
	}
	a := p.byValue[r.Value]
	return a == nil || a.txn == nil || a.txn.fate == committed
}

// skipped rules on a record below the committed offset that nobody was given.
func (c *judge) skipped(g *group, o *groupOffsets, at wire.Offset) ruling {
	if slices.Contains(c.g.AtMostOnce, g.name) {
		return allows("rule 17: the group commits before it processes")
	}
	for _, w := range o.writes {
		if w.admin && w.possible() && w.offset > at {
			return allows("an administrator moved the group to %d", w.offset)
		}
	}
	if c.g.Forgetful {
		return allows("committed offsets may be forgotten")
	}
	// The log may have ended before, and have been written anew.
	return c.g.lossOf(violates("rule 17: what is committed was consumed"), o.tp.Topic)
}
