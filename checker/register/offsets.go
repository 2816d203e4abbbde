package register

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"odradek/broker/wire"
	"odradek/checker/history"
)

// Offsets makes a register of each group's committed offset in each partition, unless the
// guarantees allow that committed offsets get lost or are forgotten.
//
// The offset of a transaction is written by its commit, which is acknowledged before the
// offset shows: the write ends when the next transaction of the same transactional id
// has sent its own, for that waits, and before the final offset is read. If other commits came in between, whichever record
// is later in the log wins, so that nobody can tell whether the write happened.
func Offsets(events []history.Event, g history.Guarantees) []Register {
	if g.Forgetful || g.MayLose(history.OffsetsTopic, history.TransactionsTopic) {
		return nil
	}
	if !slices.ContainsFunc(events, func(e history.Event) bool {
		return e.Func == history.FetchCommitted || e.Func == history.FinalCommitted
	}) {
		return nil // nobody has read any
	}
	o := offsets{
		g: &g, fates: history.Fates(events, g), open: make(map[int64]*history.Event),
		asked: make(map[int64]int64), id: make(map[int64]string), of: make(map[offsetKey]*offsetOps),
	}
	for i := range events {
		o.event(&events[i])
	}
	ops := make([]int64, 0, len(o.open))
	for op := range o.open { //odradek:unordered sorted below
		ops = append(ops, op)
	}
	slices.Sort(ops)
	for _, op := range ops {
		o.write(o.open[op], &history.Event{Op: op, Seq: Never, Outcome: history.Unknown})
	}
	return o.registers()
}

type offsets struct {
	g     *history.Guarantees
	fates map[int64]history.Outcome
	open  map[int64]*history.Event // writes that have not returned
	asked map[int64]int64          // transaction to its first commit
	id    map[int64]string         // transaction to its transactional id
	of    map[offsetKey]*offsetOps
}

type offsetKey struct {
	group string
	wire.TopicPartition
}

// offsetOps are the operations of one register.
type offsetOps struct {
	ops  []Op
	sent []sentOffset
	// settled is when the final offset was asked for, at the latest: transactions had
	// ended before.
	settled int64
}

// sentOffset is an offset that became part of a transaction which committed, or may have.
type sentOffset struct {
	begin, end *history.Event
	txn        int64
}

func (o *offsets) ops(e *history.Event) *offsetOps {
	k := offsetKey{e.Member.Group, e.TP()}
	if o.of[k] == nil {
		o.of[k] = &offsetOps{settled: Never}
	}
	return o.of[k]
}

func (o *offsets) event(e *history.Event) {
	switch {
	case e.Func == history.Begin:
		if e.Producer != nil {
			o.id[e.Op] = e.Producer.TransactionalID
		}
	case e.Func == history.End && e.Phase == history.Invoke && e.Commit:
		if _, again := o.asked[e.Txn]; !again {
			o.asked[e.Txn] = e.Seq
		}
	case e.Func == history.Commit || e.Func == history.SendOffsets:
		if e.Phase == history.Invoke {
			o.open[e.Op] = e
			return
		}
		o.write(o.open[e.Op], e)
		delete(o.open, e.Op)
	case (e.Func == history.FetchCommitted || e.Func == history.FinalCommitted) && e.Phase == history.Return && e.Outcome == history.OK:
		kind := Read
		if e.Func == history.FetchCommitted && o.g.StaleAt(e.Time) {
			kind = Stale
		}
		x := o.ops(e)
		if e.Func == history.FinalCommitted {
			x.settled = min(x.settled, e.Op-1)
		}
		x.ops = append(x.ops, Op{Kind: kind, Value: offsetValue(e.Offset), Who: e.Process, Call: e.Op, Return: e.Seq})
	}
}

func offsetValue(o wire.Offset) string {
	if o == wire.NoOffset {
		return None
	}
	return strconv.FormatInt(int64(o), 10)
}

// write takes down a commit, or what a transaction sent.
func (o *offsets) write(begin, end *history.Event) {
	if end.Outcome == history.Failed {
		return
	}
	x := o.ops(begin)
	if begin.Func == history.SendOffsets {
		if o.fates[begin.Txn] != history.Failed {
			x.sent = append(x.sent, sentOffset{begin, end, begin.Txn})
		}
		return
	}
	op := Op{Kind: Write, Value: offsetValue(begin.Offset), Who: begin.Process, Call: begin.Seq, Return: end.Seq}
	if end.Outcome != history.OK {
		op.Kind, op.Return = Maybe, Never
	}
	x.ops = append(x.ops, op)
	if end.Doubtful && op.Kind == Write {
		op.Kind, op.Return = Maybe, Never
		x.ops = append(x.ops, op)
	}
}

func (o *offsets) registers() []Register {
	keys := make([]offsetKey, 0, len(o.of))
	for k := range o.of { //odradek:unordered sorted below
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b offsetKey) int {
		return cmp.Or(cmp.Compare(a.group, b.group), a.TopicPartition.Compare(b.TopicPartition))
	})
	var out []Register
	for _, k := range keys {
		x := o.of[k]
		out = append(out, Register{
			Name: fmt.Sprintf("the committed offset of group %s in %v", k.group, k.TopicPartition), Partition: k.TopicPartition,
			Initial: None, Ops: append(x.ops, o.transactional(x)...),
		})
	}
	return out
}

// transactional makes operations of what transactions sent.
func (o *offsets) transactional(x *offsetOps) []Op {
	slices.SortFunc(x.sent, func(a, b sentOffset) int { return cmp.Compare(a.begin.Seq, b.begin.Seq) })
	var out []Op
	for i, s := range x.sent {
		asked, ok := o.asked[s.txn]
		if !ok {
			continue
		}
		op := Op{Kind: Write, Value: offsetValue(s.begin.Offset), Who: s.begin.Process, Call: asked, Return: min(x.settled, o.replaced(x.sent[i+1:], s))}
		if s.end.Outcome != history.OK || s.end.Doubtful || o.fates[s.txn] != history.OK || x.between(s.begin.Seq, op.Return) {
			op.Kind = Maybe
		}
		out = append(out, op)
	}
	return out
}

// replaced is when the next transaction of the same id had sent its offset.
func (o *offsets) replaced(later []sentOffset, s sentOffset) int64 {
	for _, x := range later {
		if x.txn != s.txn && o.id[x.txn] == o.id[s.txn] && o.id[s.txn] != "" && x.end.Outcome == history.OK {
			return x.end.Seq
		}
	}
	return Never
}

// between reports whether a commit outside of transactions may have come in between.
func (x *offsetOps) between(from, to int64) bool {
	for _, o := range x.ops {
		if (o.Kind == Write || o.Kind == Maybe) && o.Return > from && o.Call < to {
			return true
		}
	}
	return false
}
