package linear

import (
	"cmp"
	"slices"

	"odradek/broker/wire"
	"odradek/checker/history"
)

// Resolve turns what a history says about one partition into operations with
// fixed offsets, given the final read that the history ends with:
//
//   - An append with acks=all that was acknowledged is pinned at its offset. If the
//     final log does not have it there, that is the verdict.
//   - Any other append (unknown, acks below all) is pinned where the final log has
//     it, with every copy, and dropped if the log does not.
//   - Records that no client wrote, offsets without a record, and whatever lies
//     before the final log's start have intervals open at both ends.
//   - Every append returns at the latest when something at or beyond its offset is
//     first observed.
//   - Exact reads of the latest offset are taken as they are, others left out.
//
// The log starts at 0. A verdict that is not OK is final; else [Check] the
// operations. Use this only where the run's settings promise it: no unclean
// election, no compaction, and no loss that an excuse allows.
func Resolve(events []history.Event, tp wire.TopicPartition) ([]Op, Verdict) {
	r := resolver{tp: tp, final: make(map[wire.Offset]uint64), appends: make(map[int64]*pending), byValue: make(map[uint64]*pending)}
	for i := range events {
		if e := &events[i]; e.TP() == tp {
			r.event(e)
		}
	}
	return r.resolve()
}

type resolver struct {
	tp         wire.TopicPartition
	final      map[wire.Offset]uint64
	reader     string // process that read the final log
	start, end wire.Offset

	appends map[int64]*pending
	byValue map[uint64]*pending
	order   []*pending       // as invoked
	asked   map[int64]bool   // open exact reads
	reads   []Op             // exact ones
	seen    []sight          // what was observed, and when
	polled  []*history.Event // returns of polls
}

type pending struct {
	invoke *history.Event
	ret    *history.Event // nil if it never returned
}

// sight is that offset o was known to be in the log at event seq.
type sight struct {
	o   wire.Offset
	seq int64
}

func (r *resolver) event(e *history.Event) {
	switch {
	case e.Func == history.Append && e.Phase == history.Invoke:
		p := &pending{invoke: e}
		r.appends[e.Op] = p
		r.byValue[e.Value] = p
		r.order = append(r.order, p)
	case e.Func == history.Append:
		p := r.appends[e.Op]
		p.ret = e
		if p.acked() {
			r.seen = append(r.seen, sight{e.Offset, e.Seq})
		}
	case e.Func == history.ListOffsets && e.Phase == history.Invoke:
		if e.Exact && e.Which != "earliest" && e.Isolation == history.ReadUncommitted {
			if r.asked == nil {
				r.asked = make(map[int64]bool)
			}
			r.asked[e.Op] = true
		}
	case e.Func == history.ListOffsets:
		if r.asked[e.Op] && e.Outcome == history.OK {
			r.reads = append(r.reads, Op{Base: e.Offset, Call: e.Op, Return: e.Seq})
			r.seen = append(r.seen, sight{e.Offset - 1, e.Seq})
		}
	case e.Func == history.Poll && e.Phase == history.Return:
		r.polled = append(r.polled, e)
	case e.Func == history.Final && e.Phase == history.Return:
		if r.reader == "" {
			r.reader, r.start = e.Process, e.Start
		}
		if e.Process != r.reader {
			return
		}
		r.end = e.End
		for _, rec := range e.Records {
			r.final[rec.Offset] = rec.Value
		}
	}
}

// acked reports whether the append was acknowledged by all in-sync replicas, at a
// known offset.
func (p *pending) acked() bool {
	return p.ret != nil && p.ret.Outcome == history.OK && p.invoke.Acks == history.AcksAll && p.ret.Offset != wire.NoOffset
}

func (r *resolver) resolve() ([]Op, Verdict) {
	for _, e := range r.polled {
		for _, rec := range e.Records {
			// What the final log contradicts is package history's to report.
			if r.final[rec.Offset] == rec.Value {
				r.seen = append(r.seen, sight{rec.Offset, e.Seq})
			}
		}
	}
	firstSight := r.firstSights()

	taken := make(map[wire.Offset]bool)
	var ops []Op
	for _, p := range r.order {
		if !p.acked() {
			continue
		}
		o, call := p.ret.Offset, p.invoke.Seq
		value, there := r.final[o]
		if (there || o >= r.start) && value != p.invoke.Value {
			return nil, illegal([]Op{{o, 1, call, p.ret.Seq}}, "value %d was acknowledged at %d, where the final log has %d", p.invoke.Value, o, value)
		}
		if taken[o] {
			return nil, illegal([]Op{{o, 1, call, p.ret.Seq}}, "offset %d was acknowledged twice", o)
		}
		taken[o] = true
		ops = append(ops, Op{o, 1, call, min(p.ret.Seq, firstSight(o))})
	}
	for o := wire.Offset(0); o < r.end; o++ {
		if taken[o] {
			continue
		}
		op := Op{o, 1, Always, Never}
		if p := r.byValue[r.final[o]]; p != nil {
			op.Call, op.Return = p.invoke.Seq, firstSight(o)
		}
		ops = append(ops, op)
	}
	for _, op := range ops {
		if op.Return < op.Call {
			return nil, illegal([]Op{op}, "the %v was observed before it was sent", op)
		}
	}
	return append(ops, r.reads...), Verdict{OK: true}
}

// firstSights returns the function from an offset to the first event that showed
// it, or a later one, to be in the log; [Never] if there is none.
func (r *resolver) firstSights() func(wire.Offset) int64 {
	slices.SortFunc(r.seen, func(a, b sight) int { return cmp.Or(cmp.Compare(a.o, b.o), cmp.Compare(a.seq, b.seq)) })
	first := make([]int64, len(r.seen)+1) // over the sights from i on
	first[len(r.seen)] = Never
	for i := len(r.seen) - 1; i >= 0; i-- {
		first[i] = min(first[i+1], r.seen[i].seq)
	}
	return func(o wire.Offset) int64 {
		i, _ := slices.BinarySearchFunc(r.seen, o, func(s sight, o wire.Offset) int { return cmp.Compare(s.o, o) })
		return first[i]
	}
}

// CheckHistory resolves and checks one partition of a history.
func CheckHistory(events []history.Event, tp wire.TopicPartition) Verdict {
	ops, v := Resolve(events, tp)
	if !v.OK {
		return v
	}
	return Check(ops, 0, Window)
}
