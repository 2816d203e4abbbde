package invariant

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"odradek/broker/wire"
)

func TestCorrectReplicationBreaksNothing(t *testing.T) {
	crossed, elected := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster("")
		c.run(t, 80)
		if len(c.found) > 0 {
			t.Fatal(c.found[0])
		}
		crossed += c.crossed
		elected += c.elected
	})
	if crossed == 0 || elected == 0 {
		t.Errorf("%d truncations, %d elections: nothing was tried", crossed, elected)
	}
}

func TestMutationsOfReplicationAreCaught(t *testing.T) {
	for _, m := range []struct {
		mutation string
		want     []Name // one of them has to fire in some run; others may come before it
	}{
		{"truncate to own watermark", []Name{LeaderComplete, ISRHasCommitted}},
		{"ignore the ISR", []Name{ISRHasCommitted, AckedCommitted}},
		{"let laggards in", []Name{ISRHasCommitted}},
		{"elect anybody", []Name{LeaderComplete}},
		{"keep the epoch", []Name{OneLeader}},
	} {
		t.Run(m.mutation, func(t *testing.T) {
			caught := make(map[Name]int)
			rapid.Check(t, func(t *rapid.T) {
				c := newCluster(m.mutation)
				c.run(t, 80)
				for _, v := range c.found {
					caught[v.Invariant]++
				}
			})
			if !slices.ContainsFunc(m.want, func(n Name) bool { return caught[n] > 0 }) {
				t.Errorf("caught %v, want one of %v", caught, m.want)
			}
		})
	}
}

func appended(base, last wire.Offset, epoch wire.LeaderEpoch, crc uint32) Change {
	return Change{Kind: Appended, Batch: Batch{base, last, epoch, crc}}
}

func follower(n wire.NodeID, end, hw wire.Offset, changes ...Change) Replica {
	return Replica{Node: n, Running: true, LogEnd: end, HighWatermark: hw, Changes: changes}
}

func leading(r Replica, epoch wire.LeaderEpoch, isr ...wire.NodeID) Replica {
	r.Leader, r.LeaderEpoch, r.MaximalISR = true, epoch, isr
	return r
}

func TestPlantedViolationsOfReplication(t *testing.T) {
	two := Partition{ID: testTP, Leader: 1, LeaderEpoch: 1, ISR: []wire.NodeID{1, 2}, MinISR: 2}
	for _, test := range []struct {
		name string
		run  func(c *Replication) []Violation
		want Name // "" for none
	}{
		{"all is well", func(c *Replication) []Violation {
			return slices.Concat(c.Controller(two),
				c.Replica(testTP, leading(follower(1, 2, 0, appended(0, 1, 1, 7)), 1, 1, 2)),
				c.Replica(testTP, follower(2, 2, 0, appended(0, 1, 1, 7))),
				c.Replica(testTP, leading(follower(1, 2, 2), 1, 1, 2)),
				c.Acknowledged(testTP, 1, 1))
		}, ""},
		{"two leaders in an epoch", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, leading(follower(1, 0, 0), 1)), c.Replica(testTP, leading(follower(2, 0, 0), 1)))
		}, OneLeader},
		{"a leader other than the controller's", func(c *Replication) []Violation {
			return slices.Concat(c.Controller(two), c.Replica(testTP, leading(follower(2, 0, 0), 1)))
		}, OneLeader},
		{"the leader does not wait for a member", func(c *Replication) []Violation {
			return slices.Concat(c.Controller(two), c.Replica(testTP, leading(follower(1, 0, 0), 1, 1)))
		}, MaximalISR},
		{"the leader of a deleted partition may know of a later ISR", func(c *Replication) []Violation {
			a := c.Controller(two)
			c.Deleted(testTP)
			return slices.Concat(a, c.Replica(testTP, leading(follower(1, 0, 0), 1, 1)))
		}, ""},
		{"the leader waits for a stranger", func(c *Replication) []Violation {
			return slices.Concat(c.Controller(two), c.Replica(testTP, leading(follower(1, 0, 0), 1, 1, 2, 3)))
		}, MaximalISR},
		{"the leader waits for one that it is adding", func(c *Replication) []Violation {
			r := leading(follower(1, 0, 0), 1, 1, 2, 3)
			r.Pending = true
			return slices.Concat(c.Controller(two), c.Replica(testTP, r))
		}, ""},
		{"a fenced member", func(c *Replication) []Violation {
			s := two
			s.Fenced = []wire.NodeID{2}
			return c.Controller(s)
		}, FencedInISR},
		{"the last member, fenced, without leader", func(c *Replication) []Violation {
			return c.Controller(Partition{ID: testTP, Leader: wire.NoNode, ISR: []wire.NodeID{2}, Fenced: []wire.NodeID{2}})
		}, ""},
		{"watermark beyond the log", func(c *Replication) []Violation { return c.Replica(testTP, follower(1, 0, 1)) }, WatermarkInLog},
		{"watermark before the log", func(c *Replication) []Violation {
			r := follower(1, 2, 0, appended(0, 1, 1, 7))
			r.LogStart = 1
			return c.Replica(testTP, r)
		}, WatermarkInLog},
		{"watermark goes back", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, leading(follower(1, 2, 2, appended(0, 1, 1, 7)), 1)), c.Replica(testTP, leading(follower(1, 2, 1), 1)))
		}, WatermarkMonotonic},
		{"watermark is lower in the next epoch", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, leading(follower(1, 2, 2, appended(0, 1, 1, 7)), 1)), c.Replica(testTP, leading(follower(1, 2, 1), 2)))
		}, ""},
		{"replicas differ below their watermarks", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, follower(1, 2, 2, appended(0, 1, 1, 7))), c.Replica(testTP, follower(2, 2, 2, appended(0, 1, 2, 8))))
		}, CommittedPrefix},
		{"replicas differ above them", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, follower(1, 2, 0, appended(0, 1, 1, 7))), c.Replica(testTP, follower(2, 2, 0, appended(0, 1, 2, 8))))
		}, ""},
		{"replicas differ in one epoch", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, follower(1, 2, 0, appended(0, 1, 1, 7))), c.Replica(testTP, follower(2, 2, 0, appended(0, 1, 1, 8))))
		}, LogMatching},
		{"a batch with another past", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, follower(1, 4, 0, appended(0, 1, 1, 7), appended(2, 3, 3, 9))),
				c.Replica(testTP, follower(2, 4, 0, appended(0, 1, 2, 8), appended(2, 3, 3, 9))))
		}, LogMatching},
		{"an append that failed is replaced", func(c *Replication) []Violation {
			return c.Replica(testTP, follower(1, 2, 0, appended(0, 1, 1, 7), Change{Kind: TruncatedTo}, appended(0, 1, 1, 8)))
		}, ""},
		{"committed, truncated and replaced", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, follower(1, 2, 2, appended(0, 1, 1, 7))),
				c.Replica(testTP, follower(1, 2, 2, Change{Kind: TruncatedTo}, appended(0, 1, 2, 8))))
		}, CommittedPrefix},
		{"the same with an excuse", func(c *Replication) []Violation {
			a := c.Replica(testTP, follower(1, 2, 2, appended(0, 1, 1, 7)))
			c.Excuse(testTP, 0)
			return slices.Concat(a, c.Replica(testTP, follower(1, 2, 2, Change{Kind: TruncatedTo}, appended(0, 1, 2, 8))))
		}, ""},
		{"a leader without what was committed", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, leading(follower(1, 2, 2, appended(0, 1, 1, 7)), 1)), c.Replica(testTP, leading(follower(2, 0, 0), 2)))
		}, LeaderComplete},
		{"a leader with something else instead", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, leading(follower(1, 2, 2, appended(0, 1, 1, 7)), 1)), c.Replica(testTP, leading(follower(2, 2, 0, appended(0, 1, 0, 6)), 2)))
		}, LeaderComplete},
		{"a deposed leader may lack it", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, leading(follower(1, 0, 0), 1)), c.Replica(testTP, leading(follower(2, 2, 2, appended(0, 1, 2, 7)), 2)), c.Replica(testTP, leading(follower(1, 0, 0), 1)))
		}, ""},
		{"a member without what was committed", func(c *Replication) []Violation {
			return slices.Concat(c.Controller(two), c.Replica(testTP, follower(2, 0, 0)), c.Replica(testTP, leading(follower(1, 2, 2, appended(0, 1, 1, 7)), 1, 1, 2)))
		}, ISRHasCommitted},
		{"a former member that has not said so yet", func(c *Replication) []Violation {
			r := follower(2, 0, 0)
			r.Unregistered = true
			return slices.Concat(c.Controller(two), c.Replica(testTP, r), c.Replica(testTP, leading(follower(1, 2, 2, appended(0, 1, 1, 7)), 1, 1, 2)))
		}, ""},
		{"an ELR member without it", func(c *Replication) []Violation {
			s := two
			s.ISR, s.ELR = []wire.NodeID{1}, []wire.NodeID{2}
			return slices.Concat(c.Controller(s), c.Replica(testTP, follower(2, 0, 0)), c.Replica(testTP, leading(follower(1, 2, 2, appended(0, 1, 1, 7)), 1, 1)))
		}, ISRHasCommitted},
		{"acknowledged above the watermark", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, leading(follower(1, 2, 0, appended(0, 1, 1, 7)), 1)), c.Acknowledged(testTP, 1, 1))
		}, AckedCommitted},
		{"acknowledged by one", func(c *Replication) []Violation {
			s := two
			s.ISR = []wire.NodeID{1}
			return slices.Concat(c.Controller(s), c.Replica(testTP, leading(follower(1, 2, 2, appended(0, 1, 1, 7)), 1, 1)), c.Acknowledged(testTP, 1, 1))
		}, AckedCommitted},
		{"acknowledged without having it", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, follower(2, 2, 2, appended(0, 1, 1, 7))), c.Acknowledged(testTP, 1, 1))
		}, AckedCommitted},
		{"the harness missed a change", func(c *Replication) []Violation { return c.Replica(testTP, follower(1, 2, 0)) }, Bookkeeping},
		{"a batch out of order", func(c *Replication) []Violation {
			return c.Replica(testTP, follower(1, 2, 0, appended(0, 1, 1, 7), appended(1, 1, 1, 7)))
		}, Bookkeeping},
		{"a new replica begins at the leader's log start", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, follower(1, 4, 4, appended(0, 1, 1, 7), appended(2, 3, 1, 8))),
				c.Replica(testTP, Replica{Node: 2, Running: true, LogStart: 2, LogEnd: 4, HighWatermark: 4, Changes: []Change{{Kind: StartedAt, Offset: 2}, appended(2, 3, 1, 8)}}))
		}, ""},
		{"and gets something else", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, follower(1, 4, 4, appended(0, 1, 1, 7), appended(2, 3, 1, 8))),
				c.Replica(testTP, Replica{Node: 2, Running: true, LogStart: 2, LogEnd: 4, HighWatermark: 4, Changes: []Change{{Kind: StartedAt, Offset: 2}, appended(2, 3, 1, 9)}}))
		}, LogMatching},
		{"logs that all begin in the middle", func(c *Replication) []Violation {
			return slices.Concat(c.Replica(testTP, Replica{Node: 1, Running: true, LogStart: 5, LogEnd: 6, HighWatermark: 6, Changes: []Change{{Kind: StartedAt, Offset: 5}, appended(5, 5, 1, 8)}}),
				c.Replica(testTP, leading(Replica{Node: 2, Running: true, LogStart: 5, LogEnd: 6, HighWatermark: 6, Changes: []Change{{Kind: StartedAt, Offset: 5}, appended(5, 5, 1, 8)}}, 2)))
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) { expect(t, test.run(NewReplication()), test.want) })
	}
}

// expect wants the named invariant first, or nothing.
func expect(t *testing.T, got []Violation, want Name) {
	t.Helper()
	switch {
	case want == "" && len(got) > 0:
		t.Fatalf("found %v", got)
	case want != "" && len(got) == 0:
		t.Fatalf("found nothing, want %s", want)
	case want != "" && !slices.ContainsFunc(got, func(v Violation) bool { return v.Invariant == want }):
		t.Fatalf("found %v, want %s", got, want)
	}
	for _, v := range got {
		if v.Sentence == "" || v.Subject == "" {
			t.Errorf("incomplete: %+v", v)
		}
	}
}

// One more batch on each of three replicas costs the same however long the logs.
func BenchmarkReplica(b *testing.B) {
	c := NewReplication()
	c.Controller(Partition{ID: testTP, Leader: 0, ISR: []wire.NodeID{0, 1, 2}, MinISR: 2})
	changes := make([]Change, 1)
	for i := 0; b.Loop(); i++ {
		o := wire.Offset(i)
		changes[0] = appended(o, o, 0, uint32(i))
		for n := range wire.NodeID(3) {
			r := follower(n, o+1, o, changes...)
			if n == 0 {
				r = leading(r, 0, 0, 1, 2)
			}
			if v := c.Replica(testTP, r); len(v) > 0 {
				b.Fatal(v)
			}
		}
	}
}
