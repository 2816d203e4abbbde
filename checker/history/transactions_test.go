package history

import "testing"

var powerOfT = Guarantees{Excuses: []Excuse{{Rule: PowerLost, Topic: "t", Partition: -1, Until: 1000, Reason: "all replicas of t lost power"}}}
var powerOfTransactions = Guarantees{Excuses: []Excuse{{Rule: PowerLost, Topic: TransactionsTopic, Partition: -1, Until: 1000, Reason: "all coordinators lost power"}}}

func TestPlantedAnomaliesOfTransactions(t *testing.T) {
	judged(t, []planted{
		{"all is well", Guarantees{}, func(s *script) {
			s.initialised("p", 1, 0)
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.send("p", 2, AcksAll, OK, 1, inTxn(a))
			s.ends("p", a, true, OK)
			b := s.begin("p", 0)
			s.send("p", 3, AcksAll, OK, 3, inTxn(b))
			s.ends("p", b, false, OK)
			s.read("c", []Record{{0, 1}, {1, 2}}, readCommitted)
			s.finals(-1, []uint64{1, 2}, 1, 2, 0, 3, 0)
		}, nil},
		{"aborted value read", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, false, OK)
			s.read("c", []Record{{0, 1}}, readCommitted)
			s.finals(-1, nil, 1, 0)
		}, []string{"violation aborted-read"}},
		{"aborted value read by somebody who wants everything", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, false, OK)
			s.read("c", []Record{{0, 1}})
			s.finals(-1, nil, 1, 0)
		}, []string{"allowed aborted-read"}},
		{"a transaction that was given up is read", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.finals(-1, []uint64{1}, 1, 0)
		}, []string{"violation aborted-read"}},
		{"a refused commit is read", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, true, Failed)
			s.finals(-1, []uint64{1}, 1, 0)
		}, []string{"violation aborted-read"}},
		{"a commit of unknown outcome took place", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, true, Unknown)
			s.read("c", []Record{{0, 1}}, readCommitted)
			s.finals(-1, []uint64{1}, 1, 0)
		}, nil},
		{"a commit that never returned did not take place", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, true, "")
			s.finals(-1, nil, 1, 0)
		}, nil},
		{"read as committed, and aborted in the end", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, true, Unknown)
			s.read("c", []Record{{0, 1}}, readCommitted)
			s.finals(-1, nil, 1, 0)
		}, []string{"violation aborted-read"}},
		{"the same after the coordinators lost power", powerOfTransactions, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, true, Unknown)
			s.read("c", []Record{{0, 1}}, readCommitted)
			s.finals(-1, nil, 1, 0)
		}, []string{"allowed aborted-read"}},
		{"skipped as aborted, and committed in the end", Guarantees{}, skipped, []string{"violation poll-skip", "violation aborted-read"}},
		{"the same after the replicas lost the marker", powerOfT, skipped, []string{"allowed poll-skip", "allowed aborted-read"}},
		{"a new transaction is taken for an old one", Guarantees{}, taken,
			[]string{"violation lost-write", "violation inconsistent-offsets", "violation nonmonotonic-send", "violation lost-transaction", "violation aborted-read"}},
		{"the same after the coordinators forgot the old one", forgot(5), taken,
			[]string{"allowed lost-write", "allowed inconsistent-offsets", "allowed nonmonotonic-send", "allowed lost-transaction", "allowed aborted-read"}},
		{"the same before they forgot it", forgot(1000), taken,
			[]string{"violation lost-write", "violation inconsistent-offsets", "violation nonmonotonic-send", "allowed lost-transaction", "allowed aborted-read"}},
		{"read before the commit was asked for", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.read("c", []Record{{0, 1}}, readCommitted)
			s.read("d", []Record{{0, 1}})
			s.ends("p", a, true, OK)
			s.finals(-1, []uint64{1}, 1, 0)
		}, []string{"violation precommitted-read", "allowed precommitted-read"}},
		{"a transaction reads its own write", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.read("p", []Record{{0, 1}}, readCommitted, inTxn(a))
			s.ends("p", a, true, OK)
			s.finals(-1, []uint64{1}, 1, 0)
		}, []string{"violation precommitted-read"}},
		{"half a transaction", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.send("p", 2, AcksAll, OK, 1, inTxn(a))
			s.ends("p", a, true, OK)
			s.read("c", []Record{{0, 1}}, readCommitted)
			s.read("d", []Record{{0, 1}, {1, 2}})
			s.finals(-1, []uint64{1}, 1, 2, 0)
		}, []string{"violation torn-transaction", "violation intermediate-read", "violation intermediate-read"}},
		{"half a transaction of unknown outcome", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.send("p", 2, AcksAll, OK, 1, inTxn(a))
			s.ends("p", a, true, "")
			s.finals(-1, []uint64{2}, 1, 2, 0)
		}, []string{"violation torn-transaction", "violation intermediate-read"}},
		{"half a transaction, because power was lost", powerOfT, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.send("p", 2, AcksAll, OK, 1, inTxn(a))
			s.ends("p", a, true, OK)
			s.finals(-1, []uint64{1}, 1, 0)
		}, []string{"allowed lost-write", "allowed inconsistent-offsets", "allowed torn-transaction", "allowed intermediate-read"}},
		{"a commit that was acknowledged and did not happen", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, true, OK)
			s.finals(-1, nil, 1, 0)
		}, []string{"violation lost-transaction"}},
		{"the records of a committed transaction are gone", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, true, OK)
			s.finals(-1, nil, 0, 0)
		}, []string{"violation lost-write", "violation inconsistent-offsets", "violation lost-transaction"}},
		{"an append of unknown outcome in a committed transaction", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.send("p", 2, AcksAll, Unknown, 0, inTxn(a))
			s.ends("p", a, true, OK)
			s.finals(-1, []uint64{1}, 1, 0)
		}, nil},
		{"a commit that had to be tried twice", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, true, Unknown)
			s.ends("p", a, true, OK)
			s.finals(-1, []uint64{1}, 1, 0)
		}, nil},
		{"the last stable offset hangs", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.send("q", 2, AcksAll, OK, 1)
			s.finals(0, nil, 1, 2)
		}, []string{"violation hanging-transaction"}},
		{"it hangs because the coordinators lost power", powerOfTransactions, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.finals(0, nil, 1)
		}, []string{"allowed hanging-transaction"}},
		{"a plain record is withheld", Guarantees{}, func(s *script) {
			s.send("q", 1, AcksAll, OK, 0)
			s.send("q", 2, AcksAll, OK, 1)
			s.finals(-1, []uint64{2}, 1, 2)
		}, []string{"violation hidden-record"}},
		{"a consumer passes an aborted record", Guarantees{}, func(s *script) {
			s.send("q", 1, AcksAll, OK, 0)
			a := s.begin("p", 0)
			s.send("p", 2, AcksAll, OK, 1, inTxn(a))
			s.ends("p", a, false, OK)
			s.send("q", 3, AcksAll, OK, 3)
			s.read("c", []Record{{0, 1}, {3, 3}}, readCommitted)
			s.finals(-1, []uint64{1, 3}, 1, 2, 0, 3)
		}, nil},
		{"a consumer that wants everything passes it", Guarantees{}, func(s *script) {
			s.send("q", 1, AcksAll, OK, 0)
			a := s.begin("p", 0)
			s.send("p", 2, AcksAll, OK, 1, inTxn(a))
			s.ends("p", a, false, OK)
			s.send("q", 3, AcksAll, OK, 3)
			s.read("c", []Record{{0, 1}, {3, 3}})
			s.finals(-1, []uint64{1, 3}, 1, 2, 0, 3)
		}, []string{"violation poll-skip"}},
		{"a consumer passes a committed record", Guarantees{}, func(s *script) {
			s.send("q", 1, AcksAll, OK, 0)
			a := s.begin("p", 0)
			s.send("p", 2, AcksAll, OK, 1, inTxn(a))
			s.ends("p", a, true, OK)
			s.send("q", 3, AcksAll, OK, 3)
			s.read("c", []Record{{0, 1}, {3, 3}}, readCommitted)
			s.finals(-1, []uint64{1, 2, 3}, 1, 2, 0, 3)
		}, []string{"violation poll-skip"}},
		{"an idempotent producer's duplicate in a transaction", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, true, OK)
			s.finals(-1, []uint64{1}, 1, 1, 0)
		}, []string{"violation duplicate"}},
	})
}

func TestPlantedCycles(t *testing.T) {
	circle := func(change ...func(*Event)) func(s *script) {
		return func(s *script) {
			a, b := s.begin("p", 0), s.begin("q", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.send("q", 2, AcksAll, OK, 1, inTxn(b))
			s.read("p", []Record{{1, 2}}, append(change, inTxn(a))...)
			s.read("q", []Record{{0, 1}}, append(change, inTxn(b))...)
			s.ends("p", a, true, OK)
			s.ends("q", b, true, OK)
			s.finals(-1, []uint64{1, 2}, 1, 2, 0, 0)
		}
	}
	judged(t, []planted{
		{"each has read from the other", Guarantees{}, circle(readCommitted), []string{"violation precommitted-read", "violation precommitted-read", "violation g1c"}},
		{"they read uncommitted records", Guarantees{}, circle(), []string{"allowed precommitted-read", "allowed precommitted-read", "allowed g1c"}},
		{"three in a circle of inputs and outputs, and one that only looks on", Guarantees{}, func(s *script) {
			var ts [4]int64
			for i := range ts {
				ts[i] = s.begin("p", 0)
			}
			for i, input := range []uint64{3, 1, 2, 1} {
				s.send("p", uint64(i+1), AcksAll, OK, offset(i), inTxn(ts[i]), from(input))
			}
			for i := range ts {
				s.ends("p", ts[i], true, OK)
			}
			s.finals(-1, []uint64{1, 2, 3, 4}, 1, 2, 3, 4, 0)
		}, []string{"violation g1c"}},
		{"a chain", Guarantees{}, func(s *script) {
			var ts [3]int64
			for i := range ts {
				ts[i] = s.begin("p", 0)
				s.send("p", uint64(i+1), AcksAll, OK, offset(2*i), inTxn(ts[i]), from(uint64(i)))
				s.ends("p", ts[i], true, OK)
			}
			s.finals(-1, []uint64{1, 2, 3}, 1, 0, 2, 0, 3, 0)
		}, nil},
	})
}

func TestPlantedAnomaliesOfProducerIDs(t *testing.T) {
	judged(t, []planted{
		{"epochs grow", Guarantees{}, func(s *script) {
			s.initialised("p", 1, 0)
			s.initialised("q", 1, 1)
			s.initialised("q", 1, 3)
			s.initialised("p", 7, 0) // exhausted
			s.initialisedAs("r", "y", 2, 0)
			s.initialisedAs("r", "y", 2, 0) // asked again
			s.initialisedAs("i", "", 3, 0)
			s.initialisedAs("j", "", 4, 0)
		}, nil},
		{"two producers with one epoch", Guarantees{}, func(s *script) {
			s.initialised("p", 1, 0)
			s.initialised("q", 1, 0)
		}, []string{"violation shared-producer-id"}},
		{"two transactional ids with one producer id", Guarantees{}, func(s *script) {
			s.initialised("p", 1, 0)
			s.initialisedAs("q", "y", 1, 1)
		}, []string{"violation shared-producer-id"}},
		{"two idempotent producers with one id", Guarantees{}, func(s *script) {
			s.initialisedAs("p", "", 1, 0)
			s.initialisedAs("q", "", 1, 1)
		}, []string{"violation shared-producer-id"}},
		{"an epoch goes back", Guarantees{}, func(s *script) {
			s.initialised("p", 1, 5)
			s.initialised("q", 1, 4)
		}, []string{"violation epoch-regression"}},
		{"an epoch goes back when the coordinators lost power", powerOfTransactions, func(s *script) {
			s.initialised("p", 1, 5)
			s.initialised("q", 1, 4)
		}, []string{"allowed epoch-regression"}},
		{"two epochs that were asked for at the same time", Guarantees{}, func(s *script) {
			op := s.Invoke(s.with(Event{Func: InitProducer, Process: "q", Producer: &Producer{"x", -1, -1}}))
			s.initialised("p", 1, 5)
			s.Return(op, s.event(Event{Outcome: OK, Producer: &Producer{"x", 1, 4}}))
		}, nil},
		{"an epoch overflows", Guarantees{}, func(s *script) {
			s.initialised("p", 1, 32766)
			s.initialised("p", 1, -32768)
		}, []string{"violation epoch-regression"}},
		{"a zombie writes and commits", Guarantees{}, func(s *script) {
			s.initialised("p", 1, 0)
			a := s.begin("p", 0)
			s.initialised("q", 1, 1)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, true, OK)
			s.finals(-1, []uint64{1}, 1, 0)
		}, []string{"violation zombie-write", "violation zombie-write"}},
		{"a zombie is refused", Guarantees{}, func(s *script) {
			s.initialised("p", 1, 0)
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.initialised("q", 1, 1)
			s.send("p", 2, AcksAll, Failed, 0, inTxn(a))
			s.ends("p", a, true, Failed)
			s.finals(-1, nil, 1, 0)
		}, nil},
		{"a zombie's requests were under way", Guarantees{}, func(s *script) {
			s.initialised("p", 1, 0)
			a := s.begin("p", 0)
			op := s.send("p", 1, AcksAll, "", 0, inTxn(a))
			s.initialised("q", 1, 1)
			s.Return(op, s.event(Event{Outcome: OK, Offset: 0}))
			s.ends("p", a, true, Failed)
			s.finals(-1, nil, 1, 0)
		}, nil},
		{"its own epoch goes on", Guarantees{}, func(s *script) {
			s.initialised("p", 1, 0)
			a := s.begin("p", 0)
			s.initialised("p", 1, 1)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, true, OK)
			s.finals(-1, []uint64{1}, 1, 0)
		}, nil},
	})
}

// forgot: the coordinators lost power at a time, in events.
func forgot(at int64) Guarantees {
	return Guarantees{Excuses: []Excuse{{Rule: PowerLost, Topic: TransactionsTopic, Partition: -1, Until: at, Reason: "all coordinators lost power"}}}
}

// skipped: a reader goes past an aborted transaction that readers get in the end.
func skipped(s *script) {
	a := s.begin("p", 0)
	s.send("p", 1, AcksAll, OK, 0, inTxn(a))
	s.ends("p", a, false, OK)
	s.send("q", 2, AcksAll, OK, 2)
	s.seek("c", 0)
	s.read("c", []Record{{2, 2}}, readCommitted)
	s.finals(-1, []uint64{1, 2}, 1, 0, 2)
}

// taken: what a new transaction sends is acknowledged with the place of what an old one
// sent, and its commit counts for both.
func taken(s *script) {
	a := s.begin("p", 0)
	s.send("p", 1, AcksAll, OK, 0, inTxn(a))
	s.ends("p", a, false, OK)
	b := s.begin("p", 0)
	s.send("p", 2, AcksAll, OK, 0, inTxn(b))
	s.ends("p", b, true, OK)
	s.finals(-1, []uint64{1}, 1, 0)
}
