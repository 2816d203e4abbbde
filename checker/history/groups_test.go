package history

import "testing"

var powerOfOffsets = Guarantees{Excuses: []Excuse{{Rule: PowerLost, Topic: OffsetsTopic, Partition: -1, Until: 1000, Reason: "all coordinators lost power"}}}

func epochOf(id string, epoch int32) *Member {
	return &Member{Group: "g", ID: id, Generation: epoch, Consumer: true}
}

func static(id, instance string, generation int32) *Member {
	return &Member{Group: "g", ID: id, Instance: instance, Generation: generation}
}

func TestPlantedDoubleOwnership(t *testing.T) {
	judged(t, []planted{
		{"partitions move, and some members are idle", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", of("a", 1), 0, 1)
			s.beats("a", of("a", 1), OK)
			s.member(Assigned, "idle", of("idle", 1))
			s.beats("idle", of("idle", 1), OK)
			s.member(Revoked, "a", of("a", 1), 0, 1)
			s.member(Assigned, "b", of("b", 2), 1)
			s.member(Assigned, "a", of("a", 2), 0)
			s.beats("a", of("a", 2), OK)
			s.beats("b", of("b", 2), OK)
		}, nil},
		{"two members of one generation", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", of("a", 1), 0)
			s.member(Assigned, "b", of("b", 1), 0)
		}, []string{"violation double-ownership"}},
		{"the same after the coordinators lost power", powerOfOffsets, func(s *script) {
			s.member(Assigned, "a", of("a", 1), 0)
			s.member(Assigned, "b", of("b", 1), 0)
		}, []string{"allowed double-ownership"}},
		{"the same in a group that may have begun anew", Guarantees{Forgetful: true}, func(s *script) {
			s.member(Assigned, "a", of("a", 1), 0)
			s.member(Assigned, "b", of("b", 1), 0)
		}, []string{"allowed double-ownership"}},
		{"several partitions are one finding", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", of("a", 1), 0, 1, 2)
			s.member(Assigned, "b", of("b", 1), 1, 2, 3)
		}, []string{"violation double-ownership"}},
		{"different groups", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", of("a", 1), 0)
			s.member(Assigned, "b", &Member{Group: "h", ID: "b", Generation: 1}, 0)
		}, nil},
		{"kept over a generation in which another has it", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", of("a", 1), 0)
			s.member(Assigned, "a", of("a", 2))
			s.member(Assigned, "b", of("b", 2), 0)
		}, []string{"violation double-ownership"}},
		{"a zombie that nobody has told", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", of("a", 1), 0)
			s.member(Assigned, "b", of("b", 2), 0)
			s.beats("b", of("b", 2), OK)
			s.commits("a", of("a", 1), 5, Failed)
			s.beats("a", of("a", 1), Unknown)
			s.member(Lost, "a", of("a", 1))
		}, []string{"allowed double-ownership"}},
		{"a zombie whose commit is accepted", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", of("a", 1), 0)
			s.member(Assigned, "b", of("b", 2), 0)
			s.beats("b", of("b", 2), OK)
			s.commits("a", of("a", 1), 5, OK)
		}, []string{"violation double-ownership", "violation stale-member"}},
		{"a zombie whose request was under way", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", of("a", 1), 0)
			op := s.commits("a", of("a", 1), 5, "")
			s.member(Assigned, "b", of("b", 2), 0)
			s.Return(op, s.event(Event{Outcome: OK}))
			s.beats("b", of("b", 2), OK)
		}, []string{"allowed double-ownership"}},
		{"an assignment that arrives late", Guarantees{}, func(s *script) {
			s.member(Assigned, "b", of("b", 2), 0)
			s.beats("b", of("b", 2), OK)
			s.member(Assigned, "a", of("a", 1), 0)
			s.beats("b", of("b", 2), OK)
			s.beats("a", of("a", 1), Failed)
		}, []string{"allowed double-ownership"}},
		{"it comes back as another member", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", of("a", 1), 0)
			s.member(Assigned, "a", of("a2", 3), 1)
			s.member(Assigned, "b", of("b", 3), 0)
			s.beats("a", of("a2", 3), OK)
			s.beats("b", of("b", 3), OK)
		}, nil},
		{"it crashes", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", of("a", 1), 0)
			s.member(Lost, "a", of("a", 1))
			s.member(Assigned, "b", of("b", 2), 0)
		}, nil},
		{"a static member is replaced in its generation", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", static("a", "i", 1), 0)
			s.member(Assigned, "b", static("b", "i", 1), 0)
			s.beats("b", static("b", "i", 1), OK)
			s.beats("a", static("a", "i", 1), Failed)
		}, []string{"allowed double-ownership"}},
		{"a static member is replaced and goes on", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", static("a", "i", 1), 0)
			s.member(Assigned, "b", static("b", "i", 1), 0)
			s.beats("b", static("b", "i", 1), OK)
			s.beats("a", static("a", "i", 1), OK)
		}, []string{"violation double-ownership"}},
		{"a heartbeat in a generation that is over", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", of("a", 1), 0)
			s.member(Assigned, "b", of("b", 2), 1)
			s.beats("a", of("a", 1), OK)
		}, []string{"violation stale-member"}},
		{"epochs of members differ for a while (KIP-848)", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", epochOf("a", 1), 0, 1)
			s.member(Assigned, "b", epochOf("b", 2))
			s.beats("a", epochOf("a", 1), OK)
			s.commits("a", epochOf("a", 1), 5, OK)
			s.member(Revoked, "a", epochOf("a", 1), 1)
			s.member(Assigned, "b", epochOf("b", 2), 1)
			s.beats("b", epochOf("b", 2), OK)
			s.beats("a", epochOf("a", 1), OK)
		}, nil},
		{"a partition is given before it was revoked (KIP-848)", Guarantees{}, func(s *script) {
			s.member(Assigned, "a", epochOf("a", 1), 0, 1)
			s.member(Assigned, "b", epochOf("b", 2), 1)
			s.beats("a", epochOf("a", 1), OK)
			s.beats("b", epochOf("b", 2), OK)
			s.member(Revoked, "a", epochOf("a", 1), 1)
		}, []string{"violation double-ownership"}},
	})
}

func TestPlantedCommits(t *testing.T) {
	admin := &Member{Group: "g", Generation: -1}
	judged(t, []planted{
		{"commits and reads", Guarantees{}, func(s *script) {
			s.fetches("b", -1)
			s.commits("a", of("a", 1), 5, OK)
			s.fetches("b", 5)
			op := s.commits("a", of("a", 1), 7, "")
			s.fetches("b", 5)
			s.fetches("b", 7)
			s.Return(op, s.event(Event{Outcome: OK}))
			s.commits("a", of("a", 1), 3, OK) // back, by a legal commit
			s.fetches("b", 3)
			s.commits("a", of("a", 1), 4, Failed)
			s.commits("a", of("a", 1), 6, Unknown)
			s.fetches("b", 3)
			s.fetches("b", 6)
			s.settled(6)
		}, nil},
		{"goes back", Guarantees{}, func(s *script) {
			s.commits("a", of("a", 1), 5, OK)
			s.commits("a", of("a", 1), 7, OK)
			s.fetches("b", 5)
		}, []string{"violation commit-regression"}},
		{"does not go back where it should", Guarantees{}, func(s *script) {
			s.commits("a", of("a", 1), 7, OK)
			s.commits("b", admin, 5, OK)
			s.settled(7)
		}, []string{"violation commit-regression"}},
		{"goes back in the end", Guarantees{}, func(s *script) {
			s.commits("a", of("a", 1), 5, OK)
			s.commits("a", of("a", 1), 7, OK)
			s.settled(5)
		}, []string{"violation commit-regression"}},
		{"goes back when the coordinators lost power", powerOfOffsets, func(s *script) {
			s.commits("a", of("a", 1), 5, OK)
			s.commits("a", of("a", 1), 7, OK)
			s.settled(5)
		}, []string{"allowed commit-regression"}},
		{"an old coordinator answers", Guarantees{Excuses: []Excuse{{Rule: Deposed, Topic: OffsetsTopic, Partition: -1, Until: 1000}}}, func(s *script) {
			s.commits("a", of("a", 1), 5, OK)
			s.commits("a", of("a", 1), 7, OK)
			s.fetches("b", 5)
			s.settled(5)
		}, []string{"allowed commit-regression", "violation commit-regression"}},
		{"is forgotten", Guarantees{}, func(s *script) {
			s.commits("a", of("a", 1), 5, OK)
			s.fetches("b", -1)
		}, []string{"violation commit-regression"}},
		{"is forgotten, which is legal", Guarantees{Forgetful: true}, func(s *script) {
			s.commits("a", of("a", 1), 5, OK)
			s.fetches("b", -1)
		}, []string{"allowed commit-regression"}},
		{"nobody committed it", Guarantees{}, func(s *script) {
			s.fetches("b", 4)
			s.commits("a", of("a", 1), 5, OK)
			s.fetches("b", 6)
			s.commits("a", of("a", 1), 7, Failed)
			s.settled(7)
		}, []string{"violation phantom-commit", "violation phantom-commit", "violation phantom-commit"}},
		{"a request of the commit before may still arrive", Guarantees{}, func(s *script) {
			s.commits("a", of("a", 1), 5, OK, doubtful)
			s.commits("a", of("a", 1), 7, OK)
			s.fetches("b", 5)
			s.settled(5)
		}, nil},
		{"several commits of one offset", Guarantees{}, func(s *script) {
			s.commits("a", of("a", 1), 5, OK)
			s.commits("a", of("a", 1), 5, OK)
			s.commits("a", of("a", 1), 7, OK)
			s.commits("a", of("a", 1), 5, Unknown)
			s.fetches("b", 5)
		}, nil},
	})
}

func TestPlantedOffsetsOfTransactions(t *testing.T) {
	judged(t, []planted{
		{"with their transactions", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.sendsOffset("p", a, of("p", 1), 5, OK)
			s.fetches("b", -1)
			s.ends("p", a, true, OK)
			s.fetches("b", -1) // the end is acknowledged before its offsets show
			s.fetches("b", 5, stable)
			b := s.begin("p", 0)
			s.sendsOffset("p", b, of("p", 1), 9, OK)
			s.ends("p", b, false, OK)
			s.settled(5)
		}, nil},
		{"not, although they are committed", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.sendsOffset("p", a, of("p", 1), 5, OK)
			s.ends("p", a, true, OK)
			s.fetches("b", -1, stable)
			s.settled(-1)
		}, []string{"violation torn-transaction", "violation torn-transaction"}},
		{"although they are aborted", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.sendsOffset("p", a, of("p", 1), 5, OK)
			s.ends("p", a, false, OK)
			s.fetches("b", 5)
		}, []string{"violation aborted-offset"}},
		{"before the commit is asked for", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.sendsOffset("p", a, of("p", 1), 5, OK)
			s.fetches("b", 5)
			s.ends("p", a, true, OK)
		}, []string{"violation phantom-commit"}},
		{"those of the transaction before", Guarantees{}, func(s *script) {
			for _, o := range []int{5, 9} {
				a := s.begin("p", 0)
				s.sendsOffset("p", a, of("p", 1), offset(o), OK)
				s.ends("p", a, true, OK)
			}
			s.fetches("b", 5, stable)
			s.settled(5)
		}, []string{"violation torn-transaction", "violation torn-transaction"}},
		{"in doubt, and it happened", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.sendsOffset("p", a, of("p", 1), 5, OK)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, true, "")
			s.fetches("b", 5)
			s.finals(-1, []uint64{1}, 1, 0)
			s.settled(-1, func(e *Event) { e.Which = "" })
		}, []string{"violation torn-transaction"}},
		{"in doubt, and it did not", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.sendsOffset("p", a, of("p", 1), 5, OK)
			s.ends("p", a, true, "")
			s.settled(-1)
		}, nil},
	})
}

func TestPlantedCoverage(t *testing.T) {
	three := func(s *script) {
		for i := range 3 {
			s.send("p", uint64(i+1), AcksAll, OK, offset(i))
		}
	}
	judged(t, []planted{
		{"everything is given, some of it twice, by two members", Guarantees{}, func(s *script) {
			three(s)
			s.member(Assigned, "a", of("a", 1), 0)
			s.read("a", []Record{{0, 1}, {1, 2}}, member(of("a", 1)))
			s.commits("a", of("a", 1), 1, OK)
			s.member(Lost, "a", of("a", 1))
			s.member(Assigned, "b", of("b", 2), 0)
			s.read("b", []Record{{1, 2}, {2, 3}}, member(of("b", 2)))
			s.commits("b", of("b", 2), 3, OK)
			s.final(0, 1, 2, 3)
			s.settled(3)
		}, nil},
		{"a record is passed over", Guarantees{}, func(s *script) {
			three(s)
			s.read("a", []Record{{0, 1}}, member(of("a", 1)))
			s.read("b", []Record{{2, 3}}, member(of("b", 2)))
			s.read("c", []Record{{1, 2}}) // not of the group
			s.commits("b", of("b", 2), 3, OK)
			s.final(0, 1, 2, 3)
			s.settled(3)
		}, []string{"violation unconsumed"}},
		{"by an administrator", Guarantees{}, func(s *script) {
			three(s)
			s.commits("cli", &Member{Group: "g", Generation: -1}, 2, OK)
			s.read("b", []Record{{2, 3}}, member(of("b", 2)))
			s.commits("b", of("b", 2), 3, OK)
			s.final(0, 1, 2, 3)
			s.settled(3)
		}, []string{"allowed unconsumed"}},
		{"a group that begins with what is new", Guarantees{}, func(s *script) {
			three(s)
			s.read("b", []Record{{2, 3}}, member(of("b", 2)))
			s.commits("b", of("b", 2), 3, OK)
			s.final(0, 1, 2, 3)
			s.settled(3, func(e *Event) { e.Start = 2 })
		}, nil},
		{"it does not catch up", Guarantees{}, func(s *script) {
			three(s)
			s.read("b", []Record{{0, 1}, {1, 2}, {2, 3}}, member(of("b", 2)))
			s.commits("b", of("b", 2), 2, OK)
			s.final(0, 1, 2, 3)
			s.settled(2)
		}, []string{"violation lag"}},
		{"it never began", Guarantees{}, func(s *script) {
			three(s)
			s.final(0, 1, 2, 3)
			s.settled(-1)
		}, []string{"violation lag"}},
		{"it had no members in the end", Guarantees{}, func(s *script) {
			three(s)
			s.final(0, 1, 2, 3)
			s.settled(-1, func(e *Event) { e.Which = "" })
		}, nil},
		{"only records of the broker are left", Guarantees{}, func(s *script) {
			three(s)
			s.read("b", []Record{{0, 1}, {1, 2}, {2, 3}}, member(of("b", 2)))
			s.commits("b", of("b", 2), 3, OK)
			s.final(0, 1, 2, 3, 0, 0)
			s.settled(3)
		}, nil},
		{"aborted records are not due", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, false, OK)
			s.send("q", 2, AcksAll, OK, 2)
			s.read("b", []Record{{2, 2}}, member(of("b", 2)), readCommitted)
			s.commits("b", of("b", 2), 3, OK)
			s.finals(-1, []uint64{2}, 1, 0, 2)
			s.settled(3, readCommitted)
		}, nil},
		{"the group reads them", Guarantees{}, func(s *script) {
			a := s.begin("p", 0)
			s.send("p", 1, AcksAll, OK, 0, inTxn(a))
			s.ends("p", a, false, OK)
			s.send("q", 2, AcksAll, OK, 2)
			s.read("b", []Record{{2, 2}}, member(of("b", 2)))
			s.commits("b", of("b", 2), 3, OK)
			s.finals(-1, []uint64{2}, 1, 0, 2)
			s.settled(3)
		}, []string{"violation unconsumed"}},
	})
}

func TestPlantedPipelines(t *testing.T) {
	job := Guarantees{Pipelines: []Pipeline{{Group: "g", Inputs: []string{"t"}, Output: "out"}}}
	twice := Guarantees{Pipelines: []Pipeline{{Group: "g", Inputs: []string{"t"}, Output: "out", AtLeastOnce: true}}}
	// Two inputs; for each transaction an output of the first.
	run := func(committed, settled int, fates ...bool) func(s *script) {
		return func(s *script) {
			s.send("p", 1, AcksAll, OK, 0)
			s.send("p", 2, AcksAll, OK, 1)
			var log, visible []uint64
			for i, commit := range fates {
				v := uint64(11 + i)
				a := s.begin("w", 0)
				s.send("w", v, AcksAll, OK, offset(len(log)), inTopic("out"), inTxn(a), from(1))
				s.sendsOffset("w", a, of("w", 1), 1, OK)
				s.ends("w", a, commit, OK)
				log = append(log, v, 0)
				if commit {
					visible = append(visible, v)
				}
			}
			s.read("w", []Record{{0, 1}, {1, 2}}, member(of("w", 1)))
			if committed > 0 {
				s.commits("w", of("w", 1), offset(committed), OK)
			}
			s.finals(-1, []uint64{1, 2}, 1, 2)
			s.finalsOf("out", -1, visible, log...)
			s.settled(offset(settled), readCommitted, func(e *Event) { e.Which = "" })
		}
	}
	judged(t, []planted{
		{"once", job, run(0, 1, true), nil},
		{"once, at the second attempt", job, run(0, 1, false, true), nil},
		{"twice", job, run(0, 1, true, true), []string{"violation not-exactly-once"}},
		{"twice, where that is legal", twice, run(0, 1, true, true), []string{"allowed not-exactly-once"}},
		{"never", job, run(2, 2, true), []string{"violation not-exactly-once"}},
		{"the output without the offset", job, run(0, -1, true), []string{"violation torn-transaction", "violation torn-transaction"}},
	})
}
