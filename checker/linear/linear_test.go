package linear

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"odradek/broker/wire"
	"odradek/checker/history"
)

// genOps draws a history that is linearizable by construction: every operation
// takes effect at an instant, and its interval contains that instant.
func genOps(t *rapid.T, most int) []Op {
	var ops []Op
	end := wire.Offset(0)
	n := rapid.IntRange(0, most).Draw(t, "operations")
	for i := range n {
		// Instants are 1000 apart; intervals reach over a few of them. Stamps are
		// distinct: the last digits belong to the operation.
		at := int64(1000 * (i + 1))
		call := at - 1000*int64(rapid.IntRange(0, 4).Draw(t, "before")) - int64(i)
		ret := at + 1000*int64(rapid.IntRange(0, 4).Draw(t, "after")) + int64(i) + 1
		switch rapid.IntRange(0, 9).Draw(t, "open") {
		case 0:
			ret = Never
		case 1:
			call = Always
		}
		o := Op{Base: end, Call: call, Return: ret}
		if rapid.IntRange(0, 2).Draw(t, "read") > 0 {
			o.N = rapid.IntRange(1, 3).Draw(t, "records")
			end += wire.Offset(o.N)
		}
		ops = append(ops, o)
	}
	return ops
}

// spoil changes one thing about one operation; the result may still be legal.
func spoil(t *rapid.T, ops []Op) []Op {
	ops = slices.Clone(ops)
	if len(ops) == 0 {
		return ops
	}
	i := rapid.IntRange(0, len(ops)-1).Draw(t, "spoiled")
	o := &ops[i]
	by := int64(rapid.IntRange(1, 6).Draw(t, "by"))
	switch rapid.IntRange(0, 5).Draw(t, "how") {
	case 0:
		o.Base += wire.Offset(by % 3)
	case 1:
		o.N = (o.N + 1) % 4
	case 2:
		ops = slices.Delete(ops, i, i+1)
	case 3, 4: // move the interval
		if o.Call != Always && o.Return != Never {
			if rapid.Bool().Draw(t, "earlier") {
				by = -by
			}
			o.Call += 1000*by + 300
			o.Return += 1000*by + 300
		}
	case 5:
		ops = append(ops, *o)
	}
	return ops
}

func TestBothCheckersAcceptWhatIsLinearizable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := rapid.Permutation(genOps(t, 12)).Draw(t, "recorded")
		if v := Sweep(ops, 0); !v.OK {
			t.Fatalf("the sweep: %s", v.Reason)
		}
		if !Porcupine(ops, 0) {
			t.Fatal("Porcupine refuses")
		}
	})
}

func TestCheckersNeverDisagree(t *testing.T) {
	legal, illegal := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for range 5 {
			ops := genOps(t, 10)
			for range rapid.IntRange(1, 3).Draw(t, "changes") {
				ops = spoil(t, ops)
			}
			sweep, search := Sweep(ops, 0), Porcupine(ops, 0)
			if sweep.OK != search {
				t.Fatalf("the sweep says %v (%s), Porcupine %v", sweep.OK, sweep.Reason, search)
			}
			for _, window := range []int{1, 2, 3, 7} {
				if windowed(ops, 0, window) != search {
					t.Fatalf("in windows of %d: %v, whole: %v", window, !search, search)
				}
			}
			if search {
				legal++
			} else {
				illegal++
			}
		}
	})
	if legal < 50 || illegal < 50 {
		t.Errorf("only %d legal and %d illegal histories were tried", legal, illegal)
	}
}

func TestPlantedViolations(t *testing.T) {
	for _, c := range []struct {
		name string
		ops  []Op
	}{
		{"a later offset returned before an earlier one was called", []Op{{0, 1, 10, 20}, {1, 1, 1, 5}}},
		{"two appends at one offset", []Op{{0, 1, 1, 2}, {0, 1, 3, 4}}},
		{"a gap", []Op{{1, 1, 1, 2}}},
		{"a read inside a batch", []Op{{0, 3, 1, 2}, {2, 0, 3, 4}}},
		{"a read that misses an acknowledged append", []Op{{0, 1, 1, 2}, {0, 0, 3, 4}}},
		{"a read of the future", []Op{{1, 0, 1, 2}, {0, 1, 3, 4}}},
		{"reads that go back", []Op{{0, 1, 1, 100}, {1, 0, 10, 11}, {0, 0, 20, 21}}},
	} {
		v := Sweep(c.ops, 0)
		if v.OK || v.Reason == "" || len(v.Seqs) == 0 {
			t.Errorf("%s: %+v", c.name, v)
		}
		if v := Check(c.ops, 0, Window); v.OK {
			t.Errorf("%s: accepted", c.name)
		}
	}
	// Concurrent operations may happen in either order.
	if v := Check([]Op{{0, 1, 10, 20}, {1, 1, 1, 11}, {1, 0, 2, 12}}, 0, Window); !v.OK {
		t.Error(v.Reason)
	}
}

func TestLongHistoriesAreCheckedInWindows(t *testing.T) {
	var ops []Op
	for i := range 20_000 {
		at := int64(10 * i)
		ops = append(ops, Op{wire.Offset(i), 1, at - 95, at + 100})
	}
	if v := Check(ops, 0, Window); !v.OK {
		t.Fatal(v.Reason)
	}
	// Across a window's border.
	ops[Window+5].Call, ops[Window+5].Return = 1, 2
	if v := Check(ops, 0, Window); v.OK {
		t.Fatal("an append that returned long before its time was accepted")
	}
}

// recorded writes a history of partition t-0.
type recorded struct{ *history.Recorder }

func (r recorded) send(value uint64, acks int8, outcome history.Outcome, at wire.Offset) {
	op := r.Invoke(history.Event{Func: history.Append, Process: "p", Topic: "t", Value: value, Acks: acks})
	if outcome != "" {
		r.Return(op, history.Event{Outcome: outcome, Offset: at})
	}
}

func (r recorded) latest(exact bool, o wire.Offset) {
	op := r.Invoke(history.Event{Func: history.ListOffsets, Process: "c", Topic: "t", Which: "latest", Exact: exact})
	r.Return(op, history.Event{Outcome: history.OK, Offset: o})
}

func (r recorded) poll(recs ...history.Record) {
	r.Return(r.Invoke(history.Event{Func: history.Poll, Process: "c", Topic: "t"}), history.Event{Outcome: history.OK, Records: recs})
}

func (r recorded) final(start wire.Offset, values ...uint64) {
	e := history.Event{Outcome: history.OK, Start: start, End: start + wire.Offset(len(values))}
	for i, v := range values {
		e.Records = append(e.Records, history.Record{Offset: start + wire.Offset(i), Value: v})
	}
	r.Return(r.Invoke(history.Event{Func: history.Final, Process: "final", Topic: "t"}), e)
}

func TestHistoriesAreResolvedByTheFinalLog(t *testing.T) {
	const all, one = history.AcksAll, history.AcksLeader
	for _, c := range []struct {
		name  string
		write func(r recorded)
		ok    bool
	}{
		{"acknowledged in order", func(r recorded) {
			r.send(1, all, history.OK, 0)
			r.latest(true, 1)
			r.send(2, all, history.OK, 1)
			r.final(0, 1, 2)
		}, true},
		{"unknown and absent is dropped", func(r recorded) {
			r.send(1, all, history.Unknown, 0)
			r.send(2, all, history.OK, 0)
			r.latest(true, 1)
			r.final(0, 2)
		}, true},
		{"unknown and late", func(r recorded) {
			r.send(1, all, "", 0)
			r.send(2, all, history.OK, 0)
			r.latest(true, 1)
			r.final(0, 2, 1)
		}, true},
		{"unknown, but seen before a read that misses it", func(r recorded) {
			r.send(1, all, "", 0)
			r.poll(history.Record{Offset: 0, Value: 1})
			r.latest(true, 0)
			r.final(0, 1)
		}, false},
		{"the same read without the claim to be exact", func(r recorded) {
			r.send(1, all, "", 0)
			r.poll(history.Record{Offset: 0, Value: 1})
			r.latest(false, 0)
			r.final(0, 1)
		}, true},
		{"acks=1 becomes visible after its acknowledgement", func(r recorded) {
			r.send(1, one, history.OK, 0)
			r.latest(true, 0)
			r.final(0, 1)
		}, true},
		{"acks=all must be visible by then", func(r recorded) {
			r.send(1, all, history.OK, 0)
			r.latest(true, 0)
			r.final(0, 1)
		}, false},
		{"acknowledged and lost", func(r recorded) {
			r.send(1, all, history.OK, 0)
			r.final(0)
		}, false},
		{"acknowledged where another value is", func(r recorded) {
			r.send(1, all, history.OK, 1)
			r.send(2, all, history.Unknown, 1)
			r.final(0, 1, 2)
		}, false},
		{"one offset acknowledged twice below the log's start", func(r recorded) {
			r.send(1, all, history.OK, 0)
			r.send(2, all, history.OK, 0)
			r.final(1)
		}, false},
		{"a later record acknowledged before an earlier one was sent", func(r recorded) {
			r.send(1, all, history.OK, 1)
			r.send(2, all, history.OK, 0)
			r.final(0, 2, 1)
		}, false},
		{"control records and deleted ones fit anywhere", func(r recorded) {
			r.send(1, all, history.OK, 1)
			r.latest(true, 3)
			r.send(2, all, history.OK, 4)
			r.final(3, 0, 2)
		}, true},
		{"observed before it was sent", func(r recorded) {
			r.poll(history.Record{Offset: 0, Value: 1})
			r.send(1, all, history.Unknown, 0)
			r.final(0, 1)
		}, false},
	} {
		r := recorded{history.NewRecorder(nil)}
		c.write(r)
		if v := CheckHistory(r.Events(), wire.TopicPartition{Topic: "t"}); v.OK != c.ok {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
}

func BenchmarkSweep20000(b *testing.B) {
	var ops []Op
	for i := range 20_000 {
		ops = append(ops, Op{wire.Offset(i), 1, int64(10*i) - 95, int64(10*i) + 100})
	}
	for b.Loop() {
		Sweep(ops, 0)
	}
}
