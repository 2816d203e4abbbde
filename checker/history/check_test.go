package history

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"odradek/broker/wire"
)

// script writes histories of one partition. Time is the sequence number.
type script struct{ *Recorder }

func newScript() *script { return &script{NewRecorder(nil)} }

func (s *script) now() int64 { return int64(len(s.Events())) + 1 }

func (s *script) event(e Event) Event {
	e.Time, e.Topic = s.now(), "t"
	return e
}

// send is an append with its return. outcome "" leaves it open.
func (s *script) send(proc string, value uint64, acks int8, outcome Outcome, at wire.Offset, change ...func(*Event)) int64 {
	e := s.event(Event{Func: Append, Process: proc, Value: value, Acks: acks, Idempotent: true, InFlight: 5})
	for _, f := range change {
		f(&e)
	}
	op := s.Invoke(e)
	if outcome != "" {
		s.Return(op, s.event(Event{Outcome: outcome, Offset: at}))
	}
	return op
}

func plain(e *Event)  { e.Idempotent = false }
func single(e *Event) { e.Idempotent, e.InFlight = false, 1 }

func (s *script) poll(proc string, records ...Record) {
	s.Return(s.Invoke(s.event(Event{Func: Poll, Process: proc})), s.event(Event{Outcome: OK, Records: records}))
}

func (s *script) seek(proc string, to wire.Offset) {
	s.Invoke(s.event(Event{Func: Seek, Process: proc, Offset: to}))
}

func (s *script) latest(proc string, offset wire.Offset) {
	s.Return(s.Invoke(s.event(Event{Func: ListOffsets, Process: proc, Which: "latest"})), s.event(Event{Outcome: OK, Offset: offset}))
}

// final ends the history: values from offset start on, 0 being records of the
// broker.
func (s *script) final(start wire.Offset, values ...uint64) {
	var records []Record
	for i, v := range values {
		records = append(records, Record{start + wire.Offset(i), v})
	}
	s.Return(s.Invoke(s.event(Event{Func: Final, Process: "final"})), s.event(Event{Outcome: OK, Start: start, End: start + wire.Offset(len(values)), Records: records}))
}

var power = Guarantees{Excuses: []Excuse{{Rule: PowerLost, Partition: -1, Until: 1000, Reason: "all nodes lost power"}}}
var leader = Guarantees{Excuses: []Excuse{{Rule: LeaderFailed, Partition: -1, Until: 1000, Reason: "node 1 crashed"}}}

// planted is a history with what has to be found in it.
type planted struct {
	name  string
	given Guarantees
	write func(s *script)
	want  []string // verdict and name
}

func TestPlantedAnomaliesAreFound(t *testing.T) {
	judged(t, []planted{
		{"acks=all lost", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.send("p", 2, AcksAll, OK, 1)
			s.final(0, 2)
		}, []string{"violation lost-write", "violation inconsistent-offsets"}},
		{"acks=all lost in a gap", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 1)
			s.final(0, 0, 0)
		}, []string{"violation lost-write", "violation inconsistent-offsets"}},
		{"acks=all unseen", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.send("p", 2, AcksAll, OK, 1)
			s.final(0, 1)
		}, []string{"violation unseen"}},
		{"acks=all unseen after power loss", power, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.final(0)
		}, []string{"allowed unseen"}},
		{"acks=all unseen after a leader's crash", leader, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.final(0)
		}, []string{"violation unseen"}},
		{"acks=1 unseen after the leader's crash", leader, func(s *script) {
			s.send("p", 1, AcksLeader, OK, 0)
			s.final(0)
		}, []string{"allowed unseen"}},
		{"acks=1 unseen without a crash", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksLeader, OK, 0)
			s.final(0)
		}, []string{"violation unseen"}},
		{"acks=1 sent after the crash that could excuse it", Guarantees{Excuses: []Excuse{{Rule: LeaderFailed, Partition: -1, Until: 0}}}, func(s *script) {
			s.send("p", 1, AcksLeader, OK, 0)
			s.final(0)
		}, []string{"violation unseen"}},
		{"acks=1 acknowledged long before the crash", Guarantees{Excuses: []Excuse{{Rule: LeaderFailed, Partition: -1, From: 50, Until: 90}}}, func(s *script) {
			s.send("p", 1, AcksLeader, OK, 0)
			s.final(0)
		}, []string{"violation unseen"}},
		{"excuse for another partition", Guarantees{Excuses: []Excuse{{Rule: LeaderFailed, Topic: "t", Partition: 1, Until: 1000}}}, func(s *script) {
			s.send("p", 1, AcksLeader, OK, 0)
			s.final(0)
		}, []string{"violation unseen"}},
		{"fetched before the power loss and handed out after it", Guarantees{Excuses: []Excuse{{Rule: PowerLost, Partition: -1, Until: 2}}}, func(s *script) {
			s.send("p", 1, AcksNone, Unknown, wire.NoOffset)
			s.poll("c", Record{0, 1})
			s.final(0)
		}, []string{"allowed vanished"}},
		{"read after the power loss, and appended after it", Guarantees{Excuses: []Excuse{{Rule: PowerLost, Partition: -1, Until: 0}}}, func(s *script) {
			s.send("p", 1, AcksNone, Unknown, wire.NoOffset)
			s.poll("c", Record{0, 1})
			s.final(0)
		}, []string{"violation vanished"}},
		{"acks=0 lost", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksNone, OK, wire.NoOffset)
			s.final(0)
		}, []string{"allowed lost-write"}},
		{"unclean election", Guarantees{Unclean: true}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.final(0)
		}, []string{"allowed unseen"}},
		{"retention", Guarantees{Retention: true}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.final(1)
		}, nil},
		{"log start moved without retention", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.final(1)
		}, []string{"violation lost-write"}},
		{"unknown and absent", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, Unknown, 0)
			s.send("p", 2, AcksAll, "", 0)
			s.final(0)
		}, nil},
		{"unknown and present", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, Unknown, 0)
			s.send("p", 2, AcksAll, "", 0)
			s.final(0, 1, 2)
		}, nil},
		{"duplicate of an idempotent producer", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.final(0, 1, 1)
		}, []string{"violation duplicate"}},
		{"duplicate of another", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0, plain)
			s.final(0, 1, 1)
		}, []string{"allowed duplicate"}},
		{"refused and yet there", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, Failed, 0)
			s.final(0, 1)
		}, []string{"violation aborted-read"}},
		{"refused at last, but an earlier request is unknown", Guarantees{}, func(s *script) {
			op := s.send("p", 1, AcksAll, "", 0)
			req := s.Invoke(s.event(Event{Func: Request, Process: "p", Of: []int64{op}}))
			s.Return(req, s.event(Event{Outcome: Unknown}))
			req = s.Invoke(s.event(Event{Func: Request, Process: "p", Of: []int64{op}}))
			s.Return(req, s.event(Event{Outcome: Failed}))
			s.Return(op, s.event(Event{Outcome: Failed}))
			s.final(0, 1)
		}, nil},
		{"refused by every request", Guarantees{}, func(s *script) {
			op := s.send("p", 1, AcksAll, "", 0)
			req := s.Invoke(s.event(Event{Func: Request, Process: "p", Of: []int64{op}}))
			s.Return(req, s.event(Event{Outcome: Failed}))
			s.Return(op, s.event(Event{Outcome: Failed}))
			s.final(0, 1)
		}, []string{"violation aborted-read"}},
		{"nobody sent it", Guarantees{}, func(s *script) { s.final(0, 9) }, []string{"violation unwritten-read"}},
		{"read before it was sent", Guarantees{}, func(s *script) {
			s.poll("c", Record{0, 1})
			s.send("p", 1, AcksAll, OK, 0)
			s.final(0, 1)
		}, []string{"violation unwritten-read"}},
		{"read and then gone", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksLeader, Unknown, 0)
			s.poll("c", Record{0, 1})
			s.final(0)
		}, []string{"violation vanished"}},
		{"read and then gone with the power", power, func(s *script) {
			s.send("p", 1, AcksLeader, Unknown, 0)
			s.poll("c", Record{0, 1})
			s.final(0)
		}, []string{"allowed vanished"}},
		{"read and then replaced", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, Unknown, 0)
			s.send("p", 2, AcksAll, Unknown, 0)
			s.poll("c", Record{0, 1})
			s.final(0, 2)
		}, []string{"violation inconsistent-offsets"}},
		{"two readers differ beyond the final log", Guarantees{Unclean: true}, func(s *script) {
			s.send("p", 1, AcksAll, Unknown, 0)
			s.send("p", 2, AcksAll, Unknown, 0)
			s.poll("c", Record{0, 1})
			s.poll("d", Record{0, 2})
			s.final(0)
		}, []string{"allowed vanished", "allowed inconsistent-offsets"}},
		{"acknowledged at the wrong offset", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, Unknown, 0)
			s.send("q", 2, AcksAll, OK, 0)
			s.final(0, 1, 2)
		}, []string{"violation inconsistent-offsets"}},
		{"sent in order, stored in reverse", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, Unknown, 0)
			s.send("p", 2, AcksAll, OK, 0)
			s.final(0, 2, 1)
		}, []string{"violation nonmonotonic-send"}},
		{"the same with several requests in flight", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 1, plain)
			s.send("p", 2, AcksAll, OK, 0, plain)
			s.final(0, 2, 1)
		}, []string{"allowed nonmonotonic-send"}},
		{"the same with one", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 1, single)
			s.send("p", 2, AcksAll, OK, 0, single)
			s.final(0, 2, 1)
		}, []string{"violation nonmonotonic-send"}},
		{"the same with one that was given up", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, Unknown, 1, single)
			s.send("p", 2, AcksAll, OK, 0, single)
			s.final(0, 2, 1)
		}, []string{"allowed nonmonotonic-send"}},
		{"consumer skips", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.send("p", 2, AcksAll, OK, 1)
			s.send("p", 3, AcksAll, OK, 2)
			s.poll("c", Record{0, 1})
			s.poll("c", Record{2, 3})
			s.final(0, 1, 2, 3)
		}, []string{"violation poll-skip"}},
		{"consumer passes a control record", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.send("p", 3, AcksAll, OK, 2)
			s.poll("c", Record{0, 1})
			s.poll("c", Record{2, 3})
			s.final(0, 1, 0, 3)
		}, nil},
		{"consumer seeks", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.send("p", 2, AcksAll, OK, 1)
			s.send("p", 3, AcksAll, OK, 2)
			s.poll("c", Record{0, 1})
			s.seek("c", 2)
			s.poll("c", Record{2, 3})
			s.seek("c", 0)
			s.poll("c", Record{0, 1}, Record{1, 2})
			s.final(0, 1, 2, 3)
		}, nil},
		{"consumer skips right after a seek", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.send("p", 2, AcksAll, OK, 1)
			s.seek("c", 0)
			s.poll("c", Record{1, 2})
			s.final(0, 1, 2)
		}, []string{"violation poll-skip"}},
		{"consumer goes back", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.poll("c", Record{0, 1})
			s.poll("c", Record{0, 1})
			s.final(0, 1)
		}, []string{"violation nonmonotonic-poll"}},
		{"consumer crosses a truncation unaware", Guarantees{Unclean: true}, func(s *script) {
			s.send("p", 1, AcksAll, Unknown, 0)
			s.poll("c", Record{0, 1})
			s.send("p", 2, AcksAll, OK, 0)
			s.send("p", 3, AcksAll, OK, 1)
			s.poll("c", Record{1, 3})
			s.final(0, 2, 3)
		}, []string{"allowed inconsistent-offsets", "violation poll-skip"}},
		{"latest goes back", Guarantees{}, func(s *script) {
			s.latest("c", 5)
			s.latest("d", 3) // another client may still ask a deposed leader
			s.latest("c", 4)
			s.final(0)
		}, []string{"violation offset-regression"}},
		{"latest goes back with the power", power, func(s *script) {
			s.latest("c", 5)
			s.latest("c", 4)
			s.final(0)
		}, []string{"allowed offset-regression"}},
		{"no final read", Guarantees{}, func(s *script) { s.send("p", 1, AcksAll, OK, 0) }, []string{"violation broken-final-read"}},
		{"final read with a hole", Guarantees{}, func(s *script) { s.final(0, 0, 0); s.final(3, 0) }, []string{"violation broken-final-read"}},
		{"second final reader disagrees", Guarantees{}, func(s *script) {
			s.send("p", 1, AcksAll, Unknown, 0)
			s.send("p", 2, AcksAll, Unknown, 0)
			s.final(0, 1)
			s.Return(s.Invoke(s.event(Event{Func: Final, Process: "final 2"})), s.event(Event{End: 1, Records: []Record{{0, 2}}}))
		}, []string{"violation inconsistent-offsets"}},
		{"compaction", Guarantees{Compaction: true}, func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.send("p", 2, AcksAll, OK, 1)
			s.poll("c", Record{0, 1}, Record{1, 2})
			s.Return(s.Invoke(s.event(Event{Func: Final, Process: "final"})), s.event(Event{End: 2, Records: []Record{{1, 2}}}))
		}, []string{"allowed lost-write", "allowed vanished"}},
	})
}

// judged checks every planted history.
func judged(t *testing.T, tests []planted) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScript()
			test.write(s)
			report, err := Check(s.Events(), test.given)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range report.Anomalies {
				got = append(got, fmt.Sprintf("%s %s", a.Verdict, a.Name))
				if a.Sentence == "" || a.Because == "" || len(a.Seqs) == 0 {
					t.Errorf("incomplete: %+v", a)
				}
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Fatalf("%s\n%s", d, report)
			}
			if len(report.Violations())+len(report.Allowed()) != len(report.Anomalies) {
				t.Error("an anomaly is neither violation nor allowed")
			}
		})
	}
}

// genClean draws the history of a log that works: concurrent producers, each
// append taking effect in its interval or not at all, and consumers.
func genClean(t *rapid.T) *script {
	s := newScript()
	type pending struct {
		op    int64
		value uint64
		at    wire.Offset
	}
	var log []uint64
	var open []pending
	positions := map[string]int{}
	busy := map[string]bool{}
	value := uint64(0)
	for range rapid.IntRange(0, 60).Draw(t, "steps") {
		switch rapid.IntRange(0, 3).Draw(t, "step") {
		case 0:
			proc := rapid.SampledFrom([]string{"p", "q", "r"}).Draw(t, "producer")
			if busy[proc] {
				continue
			}
			busy[proc] = true
			value++
			op := s.send(proc, value, AcksAll, "", 0)
			p := pending{op, value, wire.NoOffset}
			if rapid.IntRange(0, 5).Draw(t, "dropped") > 0 {
				p.at = wire.Offset(len(log))
				log = append(log, value)
			}
			open = append(open, p)
		case 1:
			if len(open) == 0 {
				continue
			}
			i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
			p := open[i]
			open = append(open[:i:i], open[i+1:]...)
			busy[s.Events()[p.op-1].Process] = false
			switch {
			case rapid.IntRange(0, 3).Draw(t, "unknown") == 0:
				s.Return(p.op, s.event(Event{Outcome: Unknown}))
			case p.at == wire.NoOffset:
				s.Return(p.op, s.event(Event{Outcome: Failed}))
			default:
				s.Return(p.op, s.event(Event{Outcome: OK, Offset: p.at}))
			}
		case 2:
			c := rapid.SampledFrom([]string{"c", "d"}).Draw(t, "consumer")
			n := rapid.IntRange(0, 3).Draw(t, "records")
			var records []Record
			for ; n > 0 && positions[c] < len(log); n-- {
				records = append(records, Record{wire.Offset(positions[c]), log[positions[c]]})
				positions[c]++
			}
			s.poll(c, records...)
		case 3:
			s.latest("c", wire.Offset(len(log)))
		}
	}
	s.final(0, log...)
	return s
}

func TestCleanHistoriesHaveNoAnomalies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		report, err := Check(genClean(t).Events(), Guarantees{})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Anomalies) > 0 {
			t.Fatal(report)
		}
	})
}

func TestAnyLostAcknowledgementIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genClean(t)
		s.send("late", 1000, AcksAll, OK, wire.Offset(2000))
		report, err := Check(s.Events(), Guarantees{})
		if err != nil {
			t.Fatal(err)
		}
		if v := report.Violations(); len(v) != 1 || v[0].Name != Unseen {
			t.Fatal(report)
		}
	})
}

func TestHistorySurvivesBeingWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var file bytes.Buffer
		clean := genClean(t)
		r := NewRecorder(&file)
		for _, e := range clean.Events() {
			if e.Phase == Invoke {
				r.Invoke(e)
			} else {
				r.Return(e.Op, e)
			}
		}
		if r.Err() != nil {
			t.Fatal(r.Err())
		}
		got, err := Read(&file)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 && len(clean.Events()) == 0 {
			return
		}
		if d := cmp.Diff(clean.Events(), got); d != "" {
			t.Fatal(d)
		}
	})
}

func TestMalformedHistoriesAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"sequence repeats":          `{"seq":1,"op":1,"phase":"invoke","f":"admin"}` + "\n" + `{"seq":1,"op":1,"phase":"return","f":"admin"}`,
		"returns without beginning": `{"seq":1,"op":1,"phase":"return","f":"admin"}`,
		"returns twice":             `{"seq":1,"op":1,"phase":"invoke","f":"admin"}` + "\n" + `{"seq":2,"op":1,"phase":"return","f":"admin"}` + "\n" + `{"seq":3,"op":1,"phase":"return","f":"admin"}`,
		"value twice":               `{"seq":1,"op":1,"phase":"invoke","f":"append","value":7}` + "\n" + `{"seq":2,"op":2,"phase":"invoke","f":"append","value":7}`,
		"no value":                  `{"seq":1,"op":1,"phase":"invoke","f":"append"}`,
		"no transaction":            `{"seq":1,"op":1,"phase":"invoke","f":"end","txn":1}`,
		"no member":                 `{"seq":1,"op":1,"phase":"invoke","f":"commit","topic":"t"}`,
		"no phase":                  `{"seq":1,"op":1,"f":"admin"}`,
		"not JSON":                  `seq 1`,
	} {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestOffsetFromADeposedLeaderIsAllowed(t *testing.T) {
	history := func(first, second wire.LeaderEpoch) []Event {
		r := NewRecorder(nil)
		for _, a := range []struct {
			offset wire.Offset
			epoch  wire.LeaderEpoch
		}{{10, first}, {4, second}} {
			op := r.Invoke(Event{Func: ListOffsets, Process: "c", Topic: "t", Which: "latest"})
			r.Return(op, Event{Outcome: OK, Offset: a.offset, Epoch: a.epoch})
		}
		return r.Events()
	}
	for _, c := range []struct {
		first, second wire.LeaderEpoch
		want          Verdict
	}{{2, 1, Allowed}, {1, 2, Violation}, {2, 2, Violation}} {
		report, err := Check(history(c.first, c.second), Guarantees{})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Anomalies) != 1 || report.Anomalies[0].Name != OffsetRegression || report.Anomalies[0].Verdict != c.want {
			t.Errorf("epochs %d then %d: %v, want an offset regression that is a %s", c.first, c.second, report.Anomalies, c.want)
		}
	}
}

func TestEventsSayWhatTheyAreAbout(t *testing.T) {
	for _, c := range []struct {
		e    Event
		want string
	}{
		{Event{Func: Append, Topic: "t", Partition: 1}, "t-1"},
		{Event{Func: Append, Topic: "t", Key: "k", Txn: 7}, `t-0, transaction 7, key "k"`},
		{Event{Func: Commit, Topic: "t", Member: of("m", 3)}, "t-0, group g (member m, generation 3)"},
		{Event{Func: Assigned, Member: of("m", 3), Partitions: []wire.TopicPartition{{Topic: "t", Partition: 2}}}, "group g (member m, generation 3), [t-2]"},
		{Event{Func: FetchCommitted, Topic: "t", Member: &Member{Group: "g", Generation: -1}}, "t-0, group g"},
		{Event{Func: End, Txn: 7, Commit: true, Producer: &Producer{"x", 1, 2}}, "producer x (id 1, epoch 2), transaction 7, commit"},
		{Event{Func: AlterConfig, Key: "k"}, `key "k"`},
	} {
		if got := c.e.About(); got != c.want {
			t.Errorf("%s is about %q, want %q", c.e.Func, got, c.want)
		}
	}
}

func TestHistoriesOfGroupsAndTransactionsSurviveBeingWritten(t *testing.T) {
	var file bytes.Buffer
	s := &script{NewRecorder(&file)}
	s.initialised("p", 1, 0)
	a := s.begin("p", 0)
	s.send("p", 1, AcksAll, OK, 0, inTxn(a), from(9), tombstone("k"))
	s.sendsOffset("p", a, of("p", 1), 5, OK)
	s.ends("p", a, true, OK)
	s.member(Assigned, "p", static("p", "i", 2), 0, 1)
	s.commits("p", epochOf("p", 3), 7, OK, doubtful)
	s.fetches("p", -1, stable)
	s.read("p", []Record{{0, 1}}, readCommitted, member(of("p", 1)))
	s.finals(-1, []uint64{1}, 1, 0)
	s.settled(5)
	got, err := Read(&file)
	if err != nil || s.Err() != nil {
		t.Fatal(err, s.Err())
	}
	if d := cmp.Diff(s.Events(), got); d != "" {
		t.Fatal(d)
	}
}
