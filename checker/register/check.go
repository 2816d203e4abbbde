package register

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// Check decides about one register.
func Check(r *Register) Verdict {
	if o := unwritten(r); o != nil {
		return verdict([]Op{*o}, "nobody had written to %s what was read", r.Name)
	}
	ops, before := settle(r.Ops), state{value: r.Initial}
	budget := Budget
	for len(ops) > 0 && budget > 0 {
		n, after := window(ops, before)
		if piece := ops[:n]; !search(piece, before, &budget) {
			return refute(r, piece, before)
		}
		ops, before = ops[n:], after
	}
	return Verdict{OK: true, Undecided: budget <= 0}
}

// unwritten finds a stale read of what was never there. (Those reads say nothing about the
// order of the others, so no search needs them.)
func unwritten(r *Register) *Op {
	first := make(map[string]int64) // call of the first writer
	for _, o := range r.Ops {
		if o.Kind == Write || o.Kind == Maybe {
			if at, ok := first[o.Value]; !ok || o.Call < at {
				first[o.Value] = o.Call
			}
		}
	}
	for i := range r.Ops {
		o := &r.Ops[i]
		if at, ok := first[o.Value]; o.Kind == Stale && o.Value != r.Initial && r.Initial != Anything && (!ok || at > o.Return) {
			return o
		}
	}
	return nil
}

// settle sorts operations by their calls, without stale reads, and ends those that may have happened: one that
// nobody has read may as well not have, and after its last reader it makes no
// difference.
func settle(ops []Op) []Op {
	last := make(map[string]int64) // return of the last reader
	for _, o := range ops {
		if o.Kind == Read {
			last[o.Value] = max(last[o.Value], o.Return)
		}
	}
	var out []Op
	for _, o := range ops {
		if o.Kind == Stale {
			continue
		}
		if o.Kind == Maybe {
			if o.Return = min(o.Return, last[o.Value]); o.Return <= o.Call {
				continue
			}
		}
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b Op) int { return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(a.Return, b.Return)) })
	return out
}

// window is how many operations go together, up to one that has the register for itself,
// and the state after it.
func window(ops []Op, before state) (int, state) {
	ids := unpack(before.used)
	end := Always // of everything before
	for i, o := range ops {
		if o.Kind == Grant {
			if at, known := slices.BinarySearch(ids, o.ID); !known {
				ids = slices.Insert(ids, at, o.ID)
			}
		}
		alone := o.Call > end && (i+1 == len(ops) || ops[i+1].Call > o.Return)
		end = max(end, o.Return)
		if !alone {
			continue
		}
		switch o.Kind {
		case Read, Write:
			return i + 1, state{value: o.Value}
		case Grant:
			return i + 1, state{o.Who, o.ID, o.Epoch, pack(ids)}
		}
	}
	return len(ops), before // the last one
}

// refute makes a counterexample of a window that is not linearizable: the shortest history
// that shows it, without what it does not need.
func refute(r *Register, ops []Op, before state) Verdict {
	var returns []int64
	for _, o := range ops {
		returns = append(returns, o.Return)
	}
	slices.Sort(returns)
	budget := Budget
	n := sort.Search(len(returns)-1, func(i int) bool { return !search(until(ops, returns[i]), before, &budget) })
	ops = until(ops, returns[n])
	for i := len(ops) - 1; i >= 0 && len(ops) <= mostToReduce; i-- {
		if less := slices.Delete(slices.Clone(ops), i, i+1); dispensable(ops, i) && !search(less, before, &budget) {
			ops = less
		}
	}
	return verdict(ops, "no order of these %d operations explains %s, which was %s before", len(ops), r.Name, before)
}

func verdict(ops []Op, format string, args ...any) Verdict {
	v := Verdict{Ops: ops, Reason: fmt.Sprintf(format, args...)}
	for _, o := range ops {
		for _, s := range []int64{o.Call, o.Return} {
			if s != Always && s != Never {
				v.Seqs = append(v.Seqs, s)
			}
		}
	}
	slices.Sort(v.Seqs)
	return v
}

// mostToReduce bounds the time for making a counterexample small.
const mostToReduce = 200

// until is the history as it was when an operation had just returned: of those that had
// been called by then and had not returned, nobody knows whether they happened.
func until(ops []Op, end int64) []Op {
	var out []Op
	for _, o := range ops {
		switch {
		case o.Return <= end:
			out = append(out, o)
		case o.Call < end && (o.Kind == Write || o.Kind == Maybe):
			o.Kind = Maybe
			out = append(out, o)
		}
	}
	return out
}

// dispensable reports whether a history that is illegal without the operation is illegal
// with it: true of readers, of grants, and of writers whose value nobody reads. Others may
// be what makes it legal.
func dispensable(ops []Op, i int) bool {
	if ops[i].Kind == Read || ops[i].Kind == Grant {
		return true
	}
	for _, o := range ops {
		if o.Kind == Read && o.Value == ops[i].Value {
			return false
		}
	}
	return true
}

func (s state) String() string {
	if s.used != "" {
		return fmt.Sprintf("producer id %d, epoch %d", s.id, s.epoch)
	}
	return s.value
}
