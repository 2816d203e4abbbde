package register

import (
	"slices"

	"odradek/checker/history"
)

// Configs makes a register of each config. Descriptions that are not exact are answered by
// brokers that may lag behind.
func Configs(events []history.Event) []Register {
	of := make(map[string]*Register)
	open := make(map[int64]*history.Event)
	register := func(key string) *Register {
		if of[key] == nil {
			of[key] = &Register{Name: "config " + key, Initial: Anything}
		}
		return of[key]
	}
	alter := func(begin *history.Event, outcome history.Outcome, doubtful bool, end int64) {
		r := register(begin.Key)
		op := Op{Kind: Write, Value: text(begin.Text), Who: begin.Process, Call: begin.Seq, Return: end}
		if outcome == history.OK {
			r.Ops = append(r.Ops, op)
		}
		if outcome == history.Unknown || outcome == history.OK && doubtful {
			op.Kind, op.Return = Maybe, Never
			r.Ops = append(r.Ops, op)
		}
	}
	for i := range events {
		e := &events[i]
		switch {
		case e.Func != history.AlterConfig && e.Func != history.DescribeConfig:
		case e.Phase == history.Invoke:
			open[e.Op] = e
		case e.Func == history.AlterConfig:
			alter(open[e.Op], e.Outcome, e.Doubtful, e.Seq)
			delete(open, e.Op)
		default:
			begin := open[e.Op]
			delete(open, e.Op)
			kind := Stale
			if begin.Exact {
				kind = Read
			}
			if e.Outcome == history.OK {
				r := register(begin.Key)
				r.Ops = append(r.Ops, Op{Kind: kind, Value: text(e.Text), Who: e.Process, Call: e.Op, Return: e.Seq})
			}
		}
	}
	ops := make([]int64, 0, len(open))
	for op := range open { //odradek:unordered sorted below
		ops = append(ops, op)
	}
	slices.Sort(ops)
	for _, op := range ops {
		if e := open[op]; e.Func == history.AlterConfig {
			alter(e, history.Unknown, false, Never)
		}
	}
	return sorted(of)
}

// text keeps a value that is empty apart from the names of states.
func text(s string) string { return `"` + s + `"` }

func sorted(of map[string]*Register) []Register {
	keys := make([]string, 0, len(of))
	for k := range of { //odradek:unordered sorted below
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := make([]Register, 0, len(keys))
	for _, k := range keys {
		out = append(out, *of[k])
	}
	return out
}
