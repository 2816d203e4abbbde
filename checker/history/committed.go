package history

import (
	"cmp"
	"slices"

	"odradek/broker/wire"
)

// groupOffsets is what a history says about a group and a partition.
type groupOffsets struct {
	tp     wire.TopicPartition
	writes []*offsetWrite // as invoked
	reads  []offsetRead   // as returned
	final  *finalOffset   // nil if nobody looked
	given  []wire.Offset  // handed to members, as returned
}

// offsetWrite is a commit, or an offset that was sent with a transaction.
type offsetWrite struct {
	offset               wire.Offset
	process              string
	admin                bool // nobody's, so that it may be anything
	invokeSeq, returnSeq int64
	outcome              Outcome
	doubtful             bool // it may happen once more after it returned
	txn                  *transaction
}

// offsetRead is a committed offset that somebody was told.
type offsetRead struct {
	invokeSeq, returnSeq int64
	time                 int64
	offset               wire.Offset // -1: none
	stable, exact        bool
	process              string
}

// finalOffset is the committed offset after everything healed.
type finalOffset struct {
	offsetRead
	start     wire.Offset // from which on the group had to read
	live      bool        // it had the chance to read everything
	isolation Isolation
}

func (o *groupOffsets) write(e *Event) *offsetWrite {
	w := &offsetWrite{offset: e.Offset, process: e.Process, admin: e.Member.ID == "", invokeSeq: e.Seq, returnSeq: never, outcome: Unknown}
	o.writes = append(o.writes, w)
	return w
}

func (w *offsetWrite) returned(e *Event) {
	w.returnSeq, w.outcome, w.doubtful = e.Seq, e.Outcome, e.Doubtful
}

// possible reports whether the write may have taken place.
func (w *offsetWrite) possible() bool {
	return w.outcome != Failed && (w.txn == nil || w.txn.fate != aborted)
}

// shownFrom is the first event at which a reader may see it.
func (w *offsetWrite) shownFrom() int64 {
	if w.txn == nil {
		return w.invokeSeq
	}
	return w.txn.asked()
}

// last is the last event at which it may have taken its place in the order of writes.
// Offsets of a transaction take theirs when they are sent, and show when it commits.
func (w *offsetWrite) last() int64 {
	if w.outcome != OK || w.doubtful {
		return never
	}
	return w.returnSeq
}

// settled is the event from which on a reader certainly sees it or a later one, never if
// none is known. The end of a transaction is acknowledged before its offsets show;
// only readers that wait for open transactions cannot miss it.
func (w *offsetWrite) settled(stable bool) int64 {
	switch {
	case w.outcome != OK:
		return never
	case w.txn == nil:
		return w.returnSeq
	case stable && w.txn.told == committed:
		return w.txn.done()
	}
	return never
}

// committedOffsets judges what was read of one group's committed offset in one partition
// (rule 18): each answer must be the newest commit, or one that was under way.
func (c *judge) committedOffsets(g *group, o *groupOffsets) {
	if len(o.reads) == 0 && o.final == nil {
		return
	}
	history := newOffsetHistory(o.writes)
	for i := range o.reads {
		r := &o.reads[i]
		c.committedOffset(g, o, r, history, history.newest(r.invokeSeq, r.stable))
	}
	if o.final != nil {
		// Every transaction has ended, and what it sent has its place.
		c.committedOffset(g, o, &o.final.offsetRead, history, history.last)
	}
}

// committedOffset judges one answer, given the last write that it must not miss.
func (c *judge) committedOffset(g *group, o *groupOffsets, r *offsetRead, h *offsetHistory, newest *offsetWrite) {
	if r.offset == wire.NoOffset && newest == nil || h.explains(r, newest) {
		return
	}
	seqs := []int64{r.invokeSeq, r.returnSeq}
	rule := violates("rule 18: a committed offset is the last successful commit")
	switch {
	case r.offset == wire.NoOffset && c.g.Forgetful:
		rule = allows("committed offsets may be forgotten")
	case !r.exact && newest != nil && c.g.StaleAt(r.time):
		rule = allows("rule 18: the coordinator may have been replaced without knowing it")
	}
	rule = c.g.lossOf(rule, OffsetsTopic, TransactionsTopic)
	subject := about{CommitRegression, o.tp, "group " + g.name}
	if newest == nil || r.offset != wire.NoOffset && !h.known(r) {
		for _, w := range o.writes {
			if w.offset == r.offset && w.txn != nil && w.txn.fate == aborted {
				subject.name = AbortedOffset
				c.found(subject, rule, append(seqs, w.txn.seqs()...), "%s was told the committed offset %d, of %v, which is aborted (%s)", r.process, r.offset, w.txn, w.txn.because)
				return
			}
		}
		subject.name = PhantomCommit
		c.found(subject, rule, seqs, "%s was told the committed offset %d, which nobody had committed", r.process, r.offset)
		return
	}
	seqs = append(seqs, newest.invokeSeq, newest.returnSeq)
	if newest.txn != nil {
		subject.name = TornTransaction
		c.found(subject, rule, append(seqs, newest.txn.seqs()...), "%s was told the committed offset %d, but %d is part of %v, which committed before", r.process, r.offset, newest.offset, newest.txn)
		return
	}
	c.found(subject, rule, seqs, "%s was told the committed offset %d, but %s had committed %d before", r.process, r.offset, newest.process, newest.offset)
}

// offsetHistory answers which writes a reader must see and which it may see.
type offsetHistory struct {
	byOffset map[wire.Offset][]*offsetWrite // possible ones, as invoked
	// What readers of either kind must not miss, by the event from which on.
	plain, stable []settledWrite
	// last is the write invoked last of those that certainly took place.
	last *offsetWrite
}

// settledWrite is the write invoked last of all that are settled by an event.
type settledWrite struct {
	by     int64
	newest *offsetWrite
}

func newOffsetHistory(writes []*offsetWrite) *offsetHistory {
	h := &offsetHistory{byOffset: make(map[wire.Offset][]*offsetWrite)}
	for _, w := range writes {
		if !w.possible() {
			continue
		}
		h.byOffset[w.offset] = append(h.byOffset[w.offset], w)
		if by := w.settled(false); by != never {
			h.plain = append(h.plain, settledWrite{by, w})
		}
		if by := w.settled(true); by != never {
			h.stable = append(h.stable, settledWrite{by, w})
		}
		if w.outcome == OK && (w.txn == nil || w.txn.fate == committed) {
			h.last = w // as invoked
		}
	}
	for _, list := range [][]settledWrite{h.plain, h.stable} {
		slices.SortFunc(list, func(a, b settledWrite) int { return cmp.Compare(a.by, b.by) })
		for i := 1; i < len(list); i++ {
			if list[i].newest.invokeSeq < list[i-1].newest.invokeSeq {
				list[i].newest = list[i-1].newest
			}
		}
	}
	return h
}

// newest is the write invoked last of those that a reader that begins at an event must
// not miss, nil if there is none.
func (h *offsetHistory) newest(begin int64, stable bool) *offsetWrite {
	list := h.plain
	if stable {
		list = h.stable
	}
	i, _ := slices.BinarySearchFunc(list, begin, func(w settledWrite, seq int64) int { return cmp.Compare(w.by, seq) })
	if i == 0 {
		return nil
	}
	return list[i-1].newest
}

// explains reports whether a write of the offset was there to be read, and is not
// certainly replaced by the newest.
func (h *offsetHistory) explains(r *offsetRead, newest *offsetWrite) bool {
	writes := h.byOffset[r.offset]
	for i := len(writes) - 1; i >= 0; i-- { // the last one is the best explanation, mostly
		w := writes[i]
		if w.shownFrom() < r.returnSeq && (newest == nil || w.last() >= newest.invokeSeq) {
			return true
		}
	}
	return false
}

// known reports whether somebody had committed the offset by then.
func (h *offsetHistory) known(r *offsetRead) bool {
	for _, w := range h.byOffset[r.offset] {
		if w.shownFrom() < r.returnSeq {
			return true
		}
	}
	return false
}
