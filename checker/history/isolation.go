package history

import (
	"slices"
)

// isolation judges what transactions promise (rules 11 and 13). Findings about one
// transaction and one reader are reported once each.
func (c *judge) isolation() {
	for _, t := range c.txns {
		c.torn(t)
	}
	seen := make(map[sighting]bool)
	for _, p := range c.parts {
		for i := range p.reads {
			if r := &p.reads[i]; r.Value != 0 {
				if a := p.byValue[r.Value]; a != nil && a.txn != nil {
					c.dirty(p, a, r, seen)
				}
			}
		}
		c.hidden(p)
		c.hanging(p)
	}
}

// sighting is one kind of finding about a reader and a transaction.
type sighting struct {
	name   Name
	txn    *transaction
	reader string
}

// torn looks for transactions of which readers of committed records get only a part in the
// end, or nothing although the commit was acknowledged.
func (c *judge) torn(t *transaction) {
	if t.fate != committed || len(t.missing) == 0 {
		return
	}
	lost := t.missing[0]
	seqs := append(lost.seqs(), t.seqs()...)
	if len(t.shown) == 0 {
		c.found(about{LostTransaction, lost.tp, t.String()}, c.tear(t), seqs, "%v committed (%s), but value %d, like all of its %d acknowledged records, is not there for readers of committed records", t, t.because, lost.value, len(t.missing))
		return
	}
	c.found(about{TornTransaction, lost.tp, t.String()}, c.tear(t), append(seqs, t.shown[0].seqs()...), "%v has value %d in %v, but not value %d, which was acknowledged in %v (%d of %d parts are missing)",
		t, t.shown[0].value, t.shown[0].tp, lost.value, lost.tp, len(t.missing), len(t.missing)+len(t.shown))
}

// tear rules on a committed transaction that is not whole.
func (c *judge) tear(t *transaction) ruling {
	r := violates("rule 11: a transaction takes place as a whole")
	for _, a := range t.missing {
		// Its record is gone, or the marker that commits it.
		if x, ok := c.g.lostMarker(a); ok {
			return x
		}
		if c.byTP[a.tp].sightOf(a, c.g) == gone {
			if x := c.g.lossOfAppend(a); x.verdict == Allowed {
				return x
			}
		}
	}
	return c.g.lossOf(r, TransactionsTopic)
}

// dirty looks for reads of what is not committed.
func (c *judge) dirty(p *partition, a *appendOp, r *read, seen map[sighting]bool) {
	t := a.txn
	report := func(name Name, because ruling, format string, args ...any) {
		s := sighting{name, t, r.process}
		if seen[s] {
			return
		}
		seen[s] = true
		if r.isolation != ReadCommitted {
			because = allows("rule 14: %s reads uncommitted records too", r.process)
		}
		c.found(about{name, p.tp, t.String()}, because, slices.Concat(a.seqs(), t.seqs(), []int64{r.returnSeq}), format, args...)
	}
	rule := violates("rule 13: only committed records are delivered to read_committed")
	switch {
	case t.fate == aborted:
		if t.told != aborted { // the final log says so: the marker may have been lost
			rule = c.g.lossOf(rule, p.tp.Topic, TransactionsTopic)
		} else if x, ok := c.g.lostMarker(a); ok {
			rule = x
		} else {
			rule = c.g.lossOf(rule, TransactionsTopic) // an epoch handed out again has a next one, too
		}
		report(AbortedRead, rule, "%s read value %d at %d of %v, which is aborted (%s)", r.process, r.Value, r.Offset, t, t.because)
	case r.returnSeq < t.asked():
		report(PrecommittedRead, rule, "%s read value %d at %d of %v before anybody asked for its commit", r.process, r.Value, r.Offset, t)
	case t.fate == committed && len(t.missing) > 0 && r.isolation == ReadCommitted:
		report(IntermediateRead, c.tear(t), "%s read value %d at %d of %v, of which value %d can never be read", r.process, r.Value, r.Offset, t, t.missing[0].value)
	}
}

// hidden looks for records outside of transactions that readers of committed records do
// not get.
func (c *judge) hidden(p *partition) {
	if !p.committed.present {
		return
	}
	for _, r := range p.log.records {
		if a := p.byValue[r.Value]; a != nil && a.txn == nil && p.sightOf(a, c.g) == hidden {
			c.found(about{name: HiddenRecord, tp: p.tp}, violates("rule 13: only aborted records are withheld"), append(a.seqs(), p.committed.seq),
				"value %d is at %d, in no transaction, but readers of committed records do not get it", r.Value, r.Offset)
		}
	}
}

// hanging looks for a last stable offset that did not reach the end.
func (c *judge) hanging(p *partition) {
	if !p.committed.present || !p.log.present || p.committed.end >= p.log.end {
		return
	}
	r := c.g.lossOf(violates("rule 15: every transaction ends"), p.tp.Topic, TransactionsTopic)
	seqs := []int64{p.log.seq, p.committed.seq}
	open := "no known transaction"
	for _, x := range p.log.records {
		if a := p.byValue[x.Value]; x.Offset >= p.committed.end && a != nil && a.txn != nil {
			open, seqs = a.txn.String(), append(seqs, a.txn.seqs()...)
			break
		}
	}
	c.found(about{name: HangingTransaction, tp: p.tp}, r, seqs, "the last stable offset is %d and the log ends at %d: %s is open", p.committed.end, p.log.end, open)
}
