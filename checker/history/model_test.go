package history

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"odradek/broker/wire"
)

// world is a simple cluster that does everything right, and records it: a keyed input, an
// output that is written in transactions, a group that reads the input, and coordinators
// that know who is a member and a producer.
type world struct {
	*script
	draw       func(n int) int
	value      uint64
	input      []uint64
	output     []entryOf
	generation int32
	members    []*worker // of the newest generation
	gone       []*worker // that do not know it yet
	committed  wire.Offset
	epoch      int16
	workers    int
}

type entryOf struct {
	value     uint64
	committed *bool
}

// worker is a process that consumes, transforms and produces.
type worker struct {
	proc  string
	m     *Member
	owns  bool
	epoch int16
	at    wire.Offset
}

func (w *world) next() uint64 { w.value++; return w.value }

// rebalance starts a generation, of the members that are left and perhaps a new one; the
// first of them gets the partition.
func (w *world) rebalance() {
	if len(w.members) > 0 && w.draw(2) == 0 { // one is thrown out
		w.gone = append(w.gone, w.members[0])
		w.members = w.members[1:]
	}
	if len(w.members) == 0 || w.draw(2) == 0 {
		w.workers++
		w.members = append(w.members, &worker{proc: fmt.Sprintf("w%d", w.workers)})
	}
	w.generation++
	for i, x := range w.members {
		if x.m != nil && x.owns && w.draw(2) == 0 { // eager
			w.member(Revoked, x.proc, x.m, 0)
			x.owns = false
		}
		x.m = of(x.proc, w.generation)
		if i > 0 {
			if x.owns {
				panic("not the first")
			}
			w.member(Assigned, x.proc, x.m)
			continue
		}
		w.member(Assigned, x.proc, x.m, 0)
		if !x.owns {
			w.epoch++
			x.owns, x.epoch, x.at = true, w.epoch, w.committed
			w.initialised(x.proc, 1, x.epoch)
			w.fetches(x.proc, w.committed, stable)
			w.seek(x.proc, max(x.at, 0))
		}
	}
}

// work is a round of the member that has the partition.
func (w *world) work(x *worker, zombie bool) {
	at := max(x.at, 0)
	n := min(1+w.draw(3), len(w.input)-int(at))
	if n <= 0 {
		return
	}
	var records []Record
	for i := range n {
		records = append(records, Record{at + wire.Offset(i), w.input[int(at)+i]})
	}
	w.read(x.proc, records, member(x.m))
	t := w.begin(x.proc, x.epoch)
	commit, outcome := w.draw(4) > 0 && !zombie, OK
	done := new(bool)
	for _, r := range records {
		v := w.next()
		if zombie {
			w.send(x.proc, v, AcksAll, Failed, wire.NoOffset, inTopic("out"), inTxn(t), from(r.Value))
			continue
		}
		w.send(x.proc, v, AcksAll, OK, wire.Offset(len(w.output)), inTopic("out"), inTxn(t), from(r.Value))
		w.output = append(w.output, entryOf{v, done})
	}
	offset := at + wire.Offset(n)
	if zombie {
		w.sendsOffset(x.proc, t, x.m, offset, Failed)
		w.ends(x.proc, t, true, Failed)
		return
	}
	w.sendsOffset(x.proc, t, x.m, offset, OK)
	asked := commit || w.draw(2) == 0
	if !commit && asked || w.draw(4) == 0 {
		outcome, asked = Unknown, true // a commit is asked for, and nobody knows
	}
	w.ends(x.proc, t, asked, outcome)
	w.output = append(w.output, entryOf{0, done})
	if commit {
		*done, w.committed, x.at = true, offset, offset
		return
	}
	w.seek(x.proc, at)
}

// steps draws a history.
func (w *world) steps(n int) {
	w.rebalance()
	for range n {
		switch w.draw(10) {
		case 0:
			w.rebalance()
		case 1, 2, 3:
			v := w.next()
			outcome := OK
			if w.draw(5) == 0 {
				outcome = Unknown
			}
			w.send("source", v, AcksAll, outcome, wire.Offset(len(w.input)))
			w.input = append(w.input, v)
		case 4:
			if len(w.gone) > 0 {
				x := w.gone[0]
				if w.gone = w.gone[1:]; x.owns && w.draw(2) == 0 {
					w.work(x, true)
				}
				w.beats(x.proc, x.m, Failed)
				w.commits(x.proc, x.m, 1, Failed)
				w.member(Lost, x.proc, x.m)
			}
		case 5:
			for _, x := range w.members {
				w.beats(x.proc, x.m, OK)
			}
		case 6:
			w.fetches("looker", w.committed)
		default:
			w.work(w.members[0], false)
		}
	}
	for max(w.members[0].at, 0) < wire.Offset(len(w.input)) {
		w.work(w.members[0], false)
	}
	w.finals(-1, w.input, w.input...)
	var all, some []uint64
	for _, e := range w.output {
		all = append(all, e.value)
		if e.value != 0 && *e.committed {
			some = append(some, e.value)
		}
	}
	w.finalsOf("out", -1, some, all...)
	w.settled(w.committed)
}

var pipeline = Guarantees{Pipelines: []Pipeline{{Group: "g", Inputs: []string{"t"}, Output: "out"}}}

func TestWorldsThatDoEverythingRightHaveNoViolations(t *testing.T) {
	zombies, ended := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := &world{script: newScript(), committed: wire.NoOffset, draw: func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }}
		w.steps(rapid.IntRange(0, 60).Draw(t, "steps"))
		report, err := Check(w.Events(), pipeline)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range report.Anomalies {
			if a.Verdict != Allowed || a.Name != DoubleOwnership {
				t.Fatal(report)
			}
			zombies++
		}
		if report.Inputs != len(w.input) || report.Given < len(w.input) {
			t.Fatalf("%d inputs, of which %d were judged and %d given", len(w.input), report.Inputs, report.Given)
		}
		ended += report.Committed + report.Aborted
	})
	if zombies == 0 || ended == 0 {
		t.Error("the worlds are too tame")
	}
}

// Whatever is taken from a history that is right, or put into it, has to be noticed.
func TestSpoiledWorldsAreNoticed(t *testing.T) {
	spoilt := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		w := &world{script: newScript(), committed: wire.NoOffset, draw: func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }}
		w.steps(rapid.IntRange(30, 60).Draw(t, "steps"))
		events := w.Events()
		what := rapid.SampledFrom([]string{"committed output removed", "aborted output shown", "final offset back", "given record forgotten"}).Draw(t, "what")
		i := rapid.IntRange(0, len(events)-1).Draw(t, "from")
		if !spoil(events, i, what) {
			return
		}
		spoilt[what]++
		report, err := Check(events, pipeline)
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Violations()) == 0 {
			t.Fatalf("%s from event %d on: not noticed\n%s", what, i, report)
		}
	})
	if len(spoilt) < 4 {
		t.Errorf("too little was tried: %v", spoilt)
	}
}

// spoil changes one thing at or after event i, if it can.
func spoil(events []Event, i int, what string) bool {
	for ; i < len(events); i++ {
		e := &events[i]
		if e.Phase != Return {
			continue
		}
		final := e.Func == Final && e.Isolation == ReadCommitted && e.Topic == "out"
		switch what {
		case "committed output removed":
			if final && len(e.Records) > 0 {
				e.Records = e.Records[1:]
				return true
			}
		case "aborted output shown":
			if final {
				for _, all := range events {
					if all.Func != Final || all.Topic != "out" || all.Isolation == ReadCommitted || all.Phase != Return {
						continue
					}
					for _, r := range all.Records {
						if r.Value != 0 && !contains(e.Records, r) {
							e.Records = append([]Record{r}, e.Records...)
							for k := 1; k < len(e.Records) && e.Records[k-1].Offset > e.Records[k].Offset; k++ {
								e.Records[k-1], e.Records[k] = e.Records[k], e.Records[k-1]
							}
							return true
						}
					}
				}
			}
		case "final offset back":
			if e.Func == FinalCommitted && e.Offset > 0 {
				e.Offset--
				return true
			}
		case "given record forgotten":
			if e.Func == Poll && len(e.Records) > 0 {
				gone := e.Records[0].Value
				for k := range events { // wherever it was given
					x := &events[k]
					if x.Func == Poll && x.Phase == Return {
						var left []Record
						for _, r := range x.Records {
							if r.Value != gone {
								left = append(left, r)
							}
						}
						x.Records = left
					}
				}
				return true
			}
		}
	}
	return false
}

func contains(records []Record, r Record) bool {
	for _, x := range records {
		if x == r {
			return true
		}
	}
	return false
}

func TestLongHistoriesAreJudgedFast(t *testing.T) {
	seed := uint32(1)
	w := &world{script: newScript(), committed: wire.NoOffset, draw: func(n int) int {
		seed = seed*1664525 + 1013904223
		return int(seed>>16) % n
	}}
	w.steps(13_000)
	begin := time.Now()
	report, err := Check(w.Events(), pipeline)
	took := time.Since(begin)
	t.Logf("%d events in %v", len(w.Events()), took)
	if err != nil || len(report.Violations()) > 0 {
		t.Fatal(err, report)
	}
	if len(w.Events()) < 100_000 {
		t.Errorf("only %d events", len(w.Events()))
	}
	if took > 5*time.Second { // a tenth of that on an idle machine
		t.Errorf("%v for %d events", took, len(w.Events()))
	}
}
