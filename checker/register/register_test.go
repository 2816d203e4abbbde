package register

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"odradek/broker/wire"
	"odradek/checker/history"
)

func TestPlantedRegisters(t *testing.T) {
	read := func(v string, call, ret int64) Op { return Op{Kind: Read, Value: v, Who: "r", Call: call, Return: ret} }
	stale := func(v string, call, ret int64) Op {
		return Op{Kind: Stale, Value: v, Who: "r", Call: call, Return: ret}
	}
	write := func(v string, call, ret int64) Op {
		return Op{Kind: Write, Value: v, Who: "w", Call: call, Return: ret}
	}
	maybe := func(v string, call int64) Op { return Op{Kind: Maybe, Value: v, Who: "w", Call: call, Return: Never} }
	grant := func(who string, id int64, epoch int16, call, ret int64) Op {
		return Op{Kind: Grant, ID: id, Epoch: epoch, Who: who, Call: call, Return: ret}
	}
	for _, test := range []struct {
		name    string
		initial string
		ops     []Op
		want    bool
	}{
		{"nothing", None, nil, true},
		{"reads what was written", None, []Op{read(None, 1, 2), write("a", 3, 4), read("a", 5, 6)}, true},
		{"reads what was replaced", None, []Op{write("a", 1, 2), write("b", 3, 4), read("a", 5, 6)}, false},
		{"reads what is being replaced", None, []Op{write("a", 1, 2), write("b", 3, 6), read("a", 4, 5)}, true},
		{"back and forth", None, []Op{write("a", 1, 2), write("b", 3, 8), read("b", 4, 5), read("a", 6, 7)}, false},
		{"nobody wrote it", None, []Op{write("a", 1, 2), read("b", 3, 4)}, false},
		{"not known in the beginning", Anything, []Op{read("a", 1, 2), read("a", 3, 4), write("b", 5, 6), read("b", 7, 8)}, true},
		{"not known in the beginning, and then it changes by itself", Anything, []Op{read("a", 1, 2), read("b", 3, 4)}, false},
		{"perhaps, and it was", None, []Op{maybe("a", 1), read(None, 2, 3), read("a", 4, 5), read("a", 6, 7)}, true},
		{"perhaps, and it was not", None, []Op{maybe("a", 1), read(None, 2, 3)}, true},
		{"perhaps, but not twice", None, []Op{maybe("a", 1), read("a", 2, 3), write("b", 4, 5), read("b", 6, 7), read("a", 8, 9)}, false},
		{"perhaps, but not before it was tried", None, []Op{read("a", 1, 2), maybe("a", 3)}, false},
		{"a reader that may be late", None, []Op{write("a", 1, 2), write("b", 3, 4), stale("a", 5, 6), read("b", 7, 8)}, true},
		{"a reader that may be late sees what is not written yet", None, []Op{write("a", 1, 2), stale("b", 3, 4), write("b", 5, 6)}, false},
		{"a reader that may be late sees the beginning", None, []Op{write("a", 1, 2), stale(None, 3, 4)}, true},
		{"epochs", None, []Op{grant("p", 1, 0, 1, 2), grant("q", 1, 2, 3, 4), grant("q", 1, 2, 5, 6), grant("p", 9, 0, 7, 8)}, true},
		{"concurrent epochs", None, []Op{grant("p", 1, 1, 1, 4), grant("q", 1, 0, 2, 3)}, true},
		{"an epoch back", None, []Op{grant("p", 1, 1, 1, 2), grant("q", 1, 0, 3, 4)}, false},
		{"one epoch for two", None, []Op{grant("p", 1, 1, 1, 4), grant("q", 1, 1, 2, 3)}, false},
		{"back to an old producer id", None, []Op{grant("p", 1, 1, 1, 2), grant("q", 2, 0, 3, 4), grant("r", 1, 2, 5, 6)}, false},
		{"a negative epoch", None, []Op{grant("p", 1, -1, 1, 2)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := Check(&Register{Name: "x", Initial: test.initial, Ops: test.ops})
			if v.OK != test.want || v.Undecided {
				t.Fatalf("undecided %v: %s", v.Undecided, v.String())
			}
			if !v.OK && (v.Reason == "" || len(v.Ops) == 0 || len(v.Seqs) == 0) {
				t.Errorf("no counterexample: %+v", v)
			}
		})
	}
}

func TestCounterexampleHasWhatItNeeds(t *testing.T) {
	var ops []Op
	for i := range int64(50) {
		ops = append(ops, Op{Kind: Write, Value: fmt.Sprint(i), Who: "w", Call: 4 * i, Return: 4*i + 3})
		ops = append(ops, Op{Kind: Read, Value: fmt.Sprint(i), Who: "r", Call: 4*i + 1, Return: 4*i + 2})
	}
	ops = append(ops, Op{Kind: Read, Value: "48", Who: "r", Call: 300, Return: 301}, Op{Kind: Read, Value: "49", Who: "r", Call: 302, Return: 303})
	v := Check(&Register{Name: "x", Initial: None, Ops: ops})
	want := `no order of these 3 operations explains x, which was none before
  w writes 48 [192, 195]
  w writes 49 [196, 199]
  r reads 48 [300, 301]
`
	if d := cmp.Diff(want, v.String()); d != "" {
		t.Fatal(d)
	}
	if d := cmp.Diff([]int64{192, 195, 196, 199, 300, 301}, v.Seqs); d != "" {
		t.Error(d)
	}
}

// brute tries every order.
func brute(ops []Op, s state) bool {
	if len(ops) == 0 {
		return true
	}
	first := Never // return of an operation
	for _, o := range ops {
		first = min(first, o.Return)
	}
	for i, o := range ops {
		if o.Call > first {
			continue // another has to come before it
		}
		for _, next := range step(s, o) {
			if brute(slices.Delete(slices.Clone(ops), i, i+1), next) {
				return true
			}
		}
	}
	return false
}

// genOps draws a small history, linearizable or not.
func genOps(t *rapid.T, grants bool) []Op {
	n := rapid.IntRange(0, 7).Draw(t, "operations")
	stamps := rapid.Permutation(func() (s []int64) {
		for i := range int64(2 * n) {
			s = append(s, i+1)
		}
		return s
	}()).Draw(t, "stamps")
	var ops []Op
	for i := range n {
		o := Op{Call: stamps[2*i], Return: stamps[2*i+1], Who: rapid.SampledFrom([]string{"p", "q"}).Draw(t, "who")}
		if o.Call > o.Return {
			o.Call, o.Return = o.Return, o.Call
		}
		// Short operations, mostly, or everything is concurrent.
		if rapid.IntRange(0, 2).Draw(t, "short") > 0 {
			o.Return = o.Call*10 + int64(rapid.IntRange(1, 25).Draw(t, "length"))
		} else {
			o.Return *= 10
		}
		o.Call *= 10
		if o.Return <= o.Call {
			o.Return = o.Call + 1
		}
		o.Return = o.Return*10 + int64(i) + 1 // distinct, and no operation's call
		o.Call *= 10
		if grants {
			o.Kind, o.ID, o.Epoch = Grant, int64(rapid.IntRange(1, 2).Draw(t, "id")), int16(rapid.IntRange(0, 4).Draw(t, "epoch"))
		} else {
			o.Kind = rapid.SampledFrom([]Kind{Read, Read, Write, Maybe}).Draw(t, "kind")
			o.Value = rapid.SampledFrom([]string{"a", "b", None}).Draw(t, "value")
			if o.Kind == Maybe {
				o.Return = Never
			}
		}
		ops = append(ops, o)
	}
	return ops
}

func TestSearchAgreesWithEveryOrder(t *testing.T) {
	legal, illegal := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for _, grants := range []bool{false, true} {
			ops := genOps(t, grants)
			initial := rapid.SampledFrom([]string{None, Anything}).Draw(t, "initial")
			want := brute(ops, state{value: initial})
			v := Check(&Register{Name: "x", Initial: initial, Ops: ops})
			if v.OK != want || v.Undecided {
				t.Fatalf("all orders say %v, the check %v of %v", want, v.OK, ops)
			}
			if want {
				legal++
				continue
			}
			illegal++
			if len(v.Ops) > len(ops) {
				t.Fatalf("the counterexample is larger than the history: %v", v)
			}
		}
	})
	if legal == 0 || illegal == 0 {
		t.Errorf("%d legal and %d illegal histories: one-sided", legal, illegal)
	}
}

func TestLongRegistersAreFast(t *testing.T) {
	var ops []Op
	for i := range int64(20_000) { // a writer, a reader that overlaps with it, now and then a doubtful one
		at := 10 * i
		ops = append(ops, Op{Kind: Write, Value: fmt.Sprint(i), Call: at, Return: at + 5}, Op{Kind: Read, Value: fmt.Sprint(i), Call: at + 3, Return: at + 8})
		if i%10 == 0 {
			ops = append(ops, Op{Kind: Maybe, Value: fmt.Sprint(i + 3), Call: at + 1, Return: Never})
		}
		if i%4 == 0 { // somebody is alone
			ops = append(ops, Op{Kind: Read, Value: fmt.Sprint(i), Call: at + 9, Return: at + 9})
		}
	}
	begin := time.Now()
	if v := Check(&Register{Name: "x", Initial: None, Ops: ops}); !v.OK || v.Undecided {
		t.Fatalf("undecided %v: %s", v.Undecided, v.String())
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("%v for %d operations", took, len(ops))
	}
}

// chronicle writes histories.
type chronicle struct{ *history.Recorder }

func (c chronicle) do(begin, end history.Event) {
	op := c.Invoke(begin)
	if end.Outcome != "" {
		c.Return(op, end)
	}
}

var someone = &history.Member{Group: "g", ID: "m", Generation: 1}

func (c chronicle) commit(o wire.Offset, end history.Event) {
	c.do(history.Event{Func: history.Commit, Process: "m", Topic: "t", Member: someone, Offset: o}, end)
}

func (c chronicle) fetch(o wire.Offset) {
	c.do(history.Event{Func: history.FetchCommitted, Process: "f", Topic: "t", Member: someone}, history.Event{Outcome: history.OK, Offset: o})
}

func (c chronicle) alter(text string, outcome history.Outcome) {
	c.do(history.Event{Func: history.AlterConfig, Process: "a", Key: "k", Text: text}, history.Event{Outcome: outcome})
}

func (c chronicle) describe(text string, exact bool) {
	c.do(history.Event{Func: history.DescribeConfig, Process: "d", Key: "k", Exact: exact}, history.Event{Outcome: history.OK, Text: text})
}

func (c chronicle) transaction(o wire.Offset, commit bool, outcome history.Outcome) {
	t := c.Invoke(history.Event{Func: history.Begin, Process: "p", Producer: &history.Producer{TransactionalID: "x"}})
	c.do(history.Event{Func: history.SendOffsets, Process: "p", Topic: "t", Txn: t, Member: someone, Offset: o}, history.Event{Outcome: history.OK})
	c.do(history.Event{Func: history.End, Process: "p", Txn: t, Commit: commit}, history.Event{Outcome: outcome})
}

func (c chronicle) initialise(who string, id int64, epoch int16) {
	c.do(history.Event{Func: history.InitProducer, Process: who, Producer: &history.Producer{TransactionalID: "x", ID: -1}},
		history.Event{Outcome: history.OK, Producer: &history.Producer{TransactionalID: "x", ID: id, Epoch: epoch}})
}

func TestRegistersOfHistories(t *testing.T) {
	ok, unknown, open := history.Event{Outcome: history.OK}, history.Event{Outcome: history.Unknown}, history.Event{}
	doubtful := history.Event{Outcome: history.OK, Doubtful: true}
	lossy := history.Guarantees{Excuses: []history.Excuse{{Rule: history.PowerLost, Topic: history.OffsetsTopic}}}
	stale := history.Guarantees{Excuses: []history.Excuse{{Rule: history.Deposed, Topic: history.OffsetsTopic, Until: 1}}}
	for _, test := range []struct {
		name  string
		given history.Guarantees
		write func(c chronicle)
		want  string // the beginning of the register's name
	}{
		{"commits", history.Guarantees{}, func(c chronicle) {
			c.fetch(-1)
			c.commit(5, ok)
			c.fetch(5)
			c.commit(6, unknown)
			c.fetch(5)
			c.commit(7, open)
			c.fetch(7)
			c.fetch(6)
		}, ""},
		{"a commit goes back", history.Guarantees{}, func(c chronicle) { c.commit(5, ok); c.commit(6, ok); c.fetch(5) }, "the committed offset of group g in t-0"},
		{"it goes back and the coordinators lost power", lossy, func(c chronicle) { c.commit(5, ok); c.commit(6, ok); c.fetch(5) }, ""},
		{"an old coordinator answers", stale, func(c chronicle) { c.commit(5, ok); c.commit(6, ok); c.fetch(5) }, ""},
		{"a request may still arrive", history.Guarantees{}, func(c chronicle) { c.commit(5, doubtful); c.commit(6, ok); c.fetch(5) }, ""},
		{"it may arrive once", history.Guarantees{}, func(c chronicle) {
			c.commit(5, doubtful)
			c.commit(6, ok)
			c.fetch(5)
			c.commit(7, ok)
			c.fetch(7)
			c.fetch(5)
		}, "the committed offset"},
		{"new, old, new", history.Guarantees{}, func(c chronicle) { c.commit(5, ok); c.commit(6, open); c.fetch(6); c.fetch(5); c.fetch(6) }, "the committed offset"},
		{"transactions", history.Guarantees{}, func(c chronicle) {
			c.transaction(5, true, history.OK)
			c.fetch(-1)
			c.transaction(6, false, history.OK)
			c.fetch(5)
			c.transaction(7, true, history.OK)
			c.fetch(5)
			c.fetch(7)
		}, ""},
		{"a transaction's offset is replaced and comes back", history.Guarantees{}, func(c chronicle) {
			c.transaction(5, true, history.OK)
			c.transaction(7, true, history.OK)
			c.fetch(7)
			c.fetch(5)
		}, "the committed offset"},
		{"an aborted offset", history.Guarantees{}, func(c chronicle) { c.transaction(5, false, history.OK); c.fetch(5) }, "the committed offset"},
		{"a transaction of unknown outcome", history.Guarantees{}, func(c chronicle) { c.transaction(5, true, history.Unknown); c.fetch(-1); c.fetch(5) }, ""},
		{"configs", history.Guarantees{}, func(c chronicle) {
			c.describe("1", true)
			c.alter("2", history.OK)
			c.describe("1", false)
			c.describe("2", true)
			c.alter("3", history.Failed)
			c.alter("4", history.Unknown)
			c.describe("4", true)
		}, ""},
		{"a config goes back", history.Guarantees{}, func(c chronicle) { c.alter("2", history.OK); c.alter("3", history.OK); c.describe("2", true) }, "config k"},
		{"a config that was refused", history.Guarantees{}, func(c chronicle) { c.alter("2", history.OK); c.alter("3", history.Failed); c.describe("3", true) }, "config k"},
		{"epochs", history.Guarantees{}, func(c chronicle) { c.initialise("p", 1, 0); c.initialise("q", 1, 1) }, ""},
		{"an epoch twice", history.Guarantees{}, func(c chronicle) { c.initialise("p", 1, 0); c.initialise("q", 1, 0) }, "the producer epoch of x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := chronicle{history.NewRecorder(nil)}
			test.write(c)
			report := CheckHistory(c.Events(), test.given)
			if report.Undecided != 0 {
				t.Errorf("%d of %d searches ended without a verdict", report.Undecided, report.Searches)
			}
			if test.want == "" {
				for _, f := range report.Failed {
					t.Fatal(f.Verdict.String())
				}
				return
			}
			if len(report.Failed) != 1 || !strings.HasPrefix(report.Failed[0].Register.Name, test.want) || report.Ops == 0 {
				t.Fatalf("%+v", report)
			}
		})
	}
}

// A search that runs out of its budget is no proof, even where it passes over a violation.
func TestSearchesThatAreGivenUpAreCounted(t *testing.T) {
	hard := func(c chronicle) { // every order of the commits has to be tried but those that the fetch rules out
		var ops []int64
		for i := range 20 {
			ops = append(ops, c.Invoke(history.Event{Func: history.Commit, Process: fmt.Sprint("m", i), Topic: "t", Member: someone, Offset: wire.Offset(i)}))
		}
		for _, op := range ops {
			c.Return(op, history.Event{Outcome: history.OK})
		}
		c.fetch(0)
		c.fetch(1) // a violation
	}
	easy := func(c chronicle) { c.alter("1", history.OK); c.describe("1", true) }
	for _, test := range []struct {
		name  string
		write []func(chronicle)
		want  Report
		vain  bool
	}{
		{"all decided", []func(chronicle){easy}, Report{Searches: 1, Ops: 2}, false},
		{"half decided", []func(chronicle){easy, hard}, Report{Searches: 2, Undecided: 1, Ops: 2}, false},
		{"none decided", []func(chronicle){hard}, Report{Searches: 1, Undecided: 1}, true},
		{"nothing to decide", nil, Report{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := chronicle{history.NewRecorder(nil)}
			for _, write := range test.write {
				write(c)
			}
			report := CheckHistory(c.Events(), history.Guarantees{})
			if d := cmp.Diff(test.want, report); d != "" {
				t.Error(d)
			}
			if got := report.Inconclusive(); got != test.vain {
				t.Errorf("inconclusive: %v", got)
			}
		})
	}
}
