package history

import (
	"cmp"
	"slices"

	"odradek/broker/wire"
)

// observation is one sight of a value at an offset: in an acknowledgement, in a poll or, if
// neither is set, in the final log. What it takes to tell of it is worked out for the few that
// are contradicted.
type observation struct {
	Record
	append *appendOp
	read   *read
}

func (o *observation) what() string {
	switch {
	case o.append != nil:
		return "an acknowledgement"
	case o.read != nil:
		return o.read.process
	}
	return "the final read"
}

func (c *check) seqsOf(o *observation) []int64 {
	switch {
	case o.append != nil:
		return o.append.seqs()
	case o.read != nil:
		return []int64{o.read.returnSeq}
	}
	return []int64{c.log.seq}
}

// ruleOf rules on an observation that is contradicted.
func (c *check) ruleOf(o *observation) ruling {
	switch {
	case o.append != nil:
		return c.g.lossOfAppend(o.append)
	case o.read != nil:
		return c.lossOfRead(o.read)
	}
	return violates("rule 1: an offset never changes its record")
}

// inconsistencies looks for offsets that were seen with different values. The
// final log, where it covers the offset, is the reference, else what was seen
// first; every other value at the offset is reported once.
func (c *check) inconsistencies() {
	all := make([]observation, 0, len(c.log.records)+len(c.appends)+len(c.reads))
	for _, r := range c.log.records {
		all = append(all, observation{Record: r})
	}
	for _, a := range c.appends {
		if a.outcome == OK && a.offset != wire.NoOffset {
			all = append(all, observation{Record: Record{a.offset, a.value}, append: a})
		}
	}
	for i := range c.reads {
		r := &c.reads[i]
		all = append(all, observation{Record: r.Record, read: r})
	}
	// Stable: the final log comes first at each offset, then acknowledgements.
	slices.SortStableFunc(all, func(a, b observation) int { return cmp.Compare(a.Offset, b.Offset) })
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Offset == all[0].Offset {
			n++
		}
		c.inconsistent(all[:n])
		all = all[n:]
	}
}

// inconsistent judges the observations of one offset.
func (c *check) inconsistent(at []observation) {
	ref := &at[0]
	var reported []uint64
	for i := range at[1:] {
		o := &at[1+i]
		if o.Value == ref.Value || slices.Contains(reported, o.Value) {
			continue
		}
		reported = append(reported, o.Value)
		r := c.ruleOf(o)
		if lost := c.ruleOf(ref); lost.verdict == Allowed {
			r = lost // it was the reference that got lost
		}
		c.found(InconsistentOffsets, r, slices.Concat(c.seqsOf(ref), c.seqsOf(o)), "offset %d has value %d in %s and %d in %s", o.Offset, ref.Value, ref.what(), o.Value, o.what())
	}
}

// sends looks for appends of one producer in reverse order.
func (c *check) sends() {
	type sent struct {
		a  *appendOp
		at wire.Offset
	}
	last := make(map[string]sent) // by producer
	for _, a := range c.appends { // as invoked
		at := a.offset
		if at == wire.NoOffset {
			if offsets := c.log.offsets[a.value]; len(offsets) > 0 {
				at = offsets[0]
			}
		}
		if at == wire.NoOffset {
			continue
		}
		before, ok := last[a.process]
		last[a.process] = sent{a, at}
		if !ok || before.at < at {
			continue
		}
		c.found(NonmonotonicSend, c.orderOf(before.a, a), slices.Concat(before.a.seqs(), a.seqs()),
			"%s sent value %d before %d, but they are at %d and %d", a.process, before.a.value, a.value, before.at, at)
	}
}

func (c *check) orderOf(first, second *appendOp) ruling {
	idempotent := first.idempotent && second.idempotent
	switch {
	case c.g.Unclean:
		return allows("rule 8: unclean leader election")
	case idempotent:
		// Both acknowledged, and one of them lost by a fault: its offset is free
		// for the other.
		for _, a := range []*appendOp{first, second} {
			if a.outcome == OK && len(c.log.offsets[a.value]) == 0 {
				return c.g.lossOfAppend(a)
			}
		}
		return violates("rule 9: the producer is idempotent")
	case first.inFlight > 1 || second.inFlight > 1:
		return allows("rule 10: not idempotent, with several requests in flight")
	case first.outcome != OK:
		return allows("rule 10: not idempotent, and the first was given up while in flight")
	}
	for _, a := range []*appendOp{first, second} {
		if len(c.log.offsets[a.value]) == 0 {
			return c.g.lossOfAppend(a)
		}
	}
	return violates("rule 10: one request in flight")
}

// polls follows every consumer.
func (c *check) polls() {
	for _, process := range c.consumers {
		f := follower{check: c, process: process, next: wire.NoOffset}
		for _, m := range c.moves[process] {
			if m.seek {
				f.next, f.last = m.offset, nil
				continue
			}
			for i := range m.records {
				f.got(&m, &m.records[i])
			}
		}
	}
}

// follower is the position of one consumer.
type follower struct {
	*check
	process string
	next    wire.Offset // -1 is not known
	last    *Record     // got since the last seek
	lastSeq int64
}

func (f *follower) got(m *move, r *Record) {
	defer func() { f.next, f.last, f.lastSeq = r.Offset+1, r, m.seq }()
	if f.next == wire.NoOffset {
		return
	}
	seqs := []int64{m.seq}
	if f.last != nil && f.lastSeq != m.seq {
		seqs = []int64{f.lastSeq, m.seq}
	}
	if r.Offset < f.next {
		f.found(NonmonotonicPoll, violates("a consumer goes forward"), seqs, "%s got offset %d when it was at %d", f.process, r.Offset, f.next)
		return
	}
	switch now, ok := f.log.at[r.Offset]; {
	case f.compacts:
		// Records were removed, from some replicas earlier than from others: those that are
		// left in the end may have been missing to who read from another. What nothing
		// replaces has always been there, unless the log was truncated and written anew.
		if f.g.lossOf(ruling{verdict: Violation}, f.tp.Topic).verdict == Allowed {
			return
		}
	case !ok || now != r.Value:
		return // what was between is not known: the log has changed since
	case f.last != nil && f.log.covers(f.last.Offset):
		if v, ok := f.log.at[f.last.Offset]; !ok || v != f.last.Value {
			f.found(PollSkip, violates("rule 8: a consumer is told of a truncation"), seqs,
				"%s went on from %d to %d across a truncation of which it was not told", f.process, f.last.Offset, r.Offset)
			return
		}
	}
	i, _ := slices.BinarySearchFunc(f.log.records, f.next, func(r Record, o wire.Offset) int { return cmp.Compare(r.Offset, o) })
	for ; i < len(f.log.records) && f.log.records[i].Offset < r.Offset; i++ {
		missed := f.log.records[i]
		if f.compacts && f.removable(missed, m) {
			continue
		}
		if missed.Value != 0 && (m.isolation == ReadUncommitted || f.due(missed)) {
			rule := violates("rule 1: offset order is log order")
			if a := f.byValue[missed.Value]; m.isolation == ReadCommitted && a != nil && a.txn != nil {
				if x, ok := f.g.lostMarker(a); ok {
					rule = x
				}
			}
			f.found(PollSkip, rule, seqs,
				"%s went from %d to %d without value %d at %d", f.process, f.next, r.Offset, missed.Value, missed.Offset)
			return
		}
	}
}

// regressions looks for latest offsets that go back before the eyes of one client.
func (c *check) regressions() {
	for _, process := range c.askers {
		answers := c.latest[process] // as returned
		var high *latest
		for i := range answers {
			a := &answers[i]
			if high != nil && a.invokeSeq > high.returnSeq && a.offset < high.offset {
				r := violates("rule 20: the latest offset never goes back")
				if a.epoch < high.epoch {
					// A leader that is cut off and has been replaced does not know it. The
					// client can tell by the epoch.
					r = allows("the answer is from the leader of epoch %d, which epoch %d had replaced", a.epoch, high.epoch)
				} else if c.g.Unclean {
					r = allows("rule 8: unclean leader election")
				} else if x, ok := c.g.excused(c.tp, high.offset, high.invoked, high.returned, PowerLost); ok {
					r = x
				}
				c.found(OffsetRegression, r, []int64{high.returnSeq, a.returnSeq}, "%s was told %d and later %d", process, high.offset, a.offset)
				if r.verdict == Violation {
					high = a // report each step back once
				}
			}
			if high == nil || a.offset > high.offset {
				high = a
			}
		}
	}
}
