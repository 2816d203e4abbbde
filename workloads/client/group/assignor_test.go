package group

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"odradek/broker/wire"
	"odradek/workloads/client/transcript"
)

func subscriber(id string, topics ...string) Subscriber {
	return Subscriber{ID: id, Topics: topics, Generation: -1}
}

// divide gives "m1=a-0,a-1 m2=..." in the order of the members.
func divide(a Assignor, d Division) string {
	d.sort()
	parts := a.Assign(d)
	var out string
	for _, m := range d.Members {
		out += fmt.Sprintf("%s=%s ", m.ID, words(parts[m.ID]))
	}
	return out[:len(out)-1]
}

func TestEagerAssignorsDivideAsKafkas(t *testing.T) {
	for _, c := range []struct {
		assignor   Assignor
		members    []Subscriber
		partitions map[string]int32
		want       string
	}{
		{Range, []Subscriber{subscriber("m2", "a", "b"), subscriber("m1", "a", "b")}, map[string]int32{"a": 3, "b": 3},
			"m1=a-0,a-1,b-0,b-1 m2=a-2,b-2"},
		{Range, []Subscriber{subscriber("m1", "a"), subscriber("m2", "a"), subscriber("m3", "a")}, map[string]int32{"a": 2},
			"m1=a-0 m2=a-1 m3=none"},
		{Range, []Subscriber{subscriber("m1", "a"), subscriber("m2", "b")}, map[string]int32{"a": 2},
			"m1=a-0,a-1 m2=none"},
		{RoundRobin, []Subscriber{subscriber("m1", "a", "b"), subscriber("m2", "a", "b")}, map[string]int32{"a": 3, "b": 3},
			"m1=a-0,a-2,b-1 m2=a-1,b-0,b-2"},
		{RoundRobin, []Subscriber{subscriber("m1", "a"), subscriber("m2", "a", "b"), subscriber("m3", "a", "b", "c")},
			map[string]int32{"a": 1, "b": 2, "c": 3}, "m1=a-0 m2=b-0 m3=b-1,c-0,c-1,c-2"},
		// Static members come first, in the order of their instances: a new id changes nothing.
		{Range, []Subscriber{subscriber("m1", "a"), {ID: "z9", Instance: "i1", Topics: []string{"a"}}, {ID: "x", Instance: "i2", Topics: []string{"a"}}},
			map[string]int32{"a": 3}, "z9=a-0 x=a-1 m1=a-2"},
	} {
		if got := divide(c.assignor, Division{Members: c.members, Partitions: c.partitions}); got != c.want {
			t.Errorf("%s: %s, want %s", c.assignor.Name(), got, c.want)
		}
	}
}

func owner(id string, generation int32, owned string, topics ...string) Subscriber {
	return Subscriber{ID: id, Topics: topics, Owned: transcript.Partitions(owned), Generation: generation}
}

func TestStickyMovesAsLittleAsItTakes(t *testing.T) {
	a := map[string]int32{"a": 4}
	for _, c := range []struct {
		assignor Assignor
		members  []Subscriber
		want     string
	}{
		{Sticky, []Subscriber{owner("m1", 3, "a-1,a-3", "a"), owner("m2", 3, "a-0,a-2", "a")}, "m1=a-1,a-3 m2=a-0,a-2"},
		{Sticky, []Subscriber{owner("m1", 3, "a-0,a-1,a-2,a-3", "a"), owner("m2", -1, "", "a")}, "m1=a-0,a-1 m2=a-2,a-3"},
		// The first rebalance only takes away, the second gives.
		{CooperativeSticky, []Subscriber{owner("m1", 3, "a-0,a-1,a-2,a-3", "a"), owner("m2", -1, "", "a")}, "m1=a-0,a-1 m2=none"},
		{CooperativeSticky, []Subscriber{owner("m1", 4, "a-0,a-1", "a"), owner("m2", 4, "", "a")}, "m1=a-0,a-1 m2=a-2,a-3"},
		// What nobody owns is given at once.
		{CooperativeSticky, []Subscriber{owner("m1", 3, "a-0", "a"), owner("m2", 3, "a-1", "a")}, "m1=a-0,a-2 m2=a-1,a-3"},
		// Two claim a-0: the later generation counts, and the other has to give it up.
		{CooperativeSticky, []Subscriber{owner("m1", 3, "a-0,a-1", "a"), owner("m2", 4, "a-0,a-2", "a")}, "m1=a-1,a-3 m2=a-0,a-2"},
		// With the same generation it is nobody's, but may stay with one of them.
		{Sticky, []Subscriber{owner("m1", 3, "a-0", "a"), owner("m2", 3, "a-0", "a")}, "m1=a-0,a-2 m2=a-1,a-3"},
		// Not subscribed to any more, and not there any more.
		{Sticky, []Subscriber{owner("m1", 3, "a-0,a-1,b-0", "a"), owner("m2", 3, "a-2,a-3,a-9", "a")}, "m1=a-0,a-1 m2=a-2,a-3"},
		{Sticky, []Subscriber{owner("m1", 3, "a-0,a-1", "b"), owner("m2", 3, "a-2,a-3", "a")}, "m1=none m2=a-0,a-1,a-2,a-3"},
	} {
		if got := divide(c.assignor, Division{Members: c.members, Partitions: a}); got != c.want {
			t.Errorf("%s: %s, want %s", c.assignor.Name(), got, c.want)
		}
	}
}

func drawDivision(t *rapid.T) Division {
	topics := []string{"a", "b", "c"}
	d := Division{Partitions: make(map[string]int32)}
	for _, topic := range topics {
		d.Partitions[topic] = rapid.Int32Range(0, 6).Draw(t, topic)
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "members") {
		s := Subscriber{ID: fmt.Sprint("m", i), Generation: rapid.Int32Range(-1, 2).Draw(t, "generation")}
		if rapid.Bool().Draw(t, "static") {
			s.Instance = fmt.Sprint("i", 9-i)
		}
		s.Topics = rapid.SliceOfNDistinct(rapid.SampledFrom(topics), 1, 3, rapid.ID).Draw(t, "topics")
		slices.Sort(s.Topics)
		for range rapid.IntRange(0, 5).Draw(t, "owned") {
			s.Owned = append(s.Owned, wire.TopicPartition{
				Topic: rapid.SampledFrom(topics).Draw(t, "topic"), Partition: rapid.Int32Range(0, 7).Draw(t, "partition"),
			})
		}
		slices.SortFunc(s.Owned, wire.TopicPartition.Compare)
		s.Owned = slices.Compact(s.Owned)
		d.Members = append(d.Members, s)
	}
	d.sort()
	return d
}

// holders checks what must hold of any assignment, and gives who has each partition.
func holders(t *rapid.T, d Division, parts map[string][]wire.TopicPartition) map[wire.TopicPartition]string {
	of := make(map[wire.TopicPartition]string)
	for _, m := range d.Members {
		tps, ok := parts[m.ID]
		if !ok || !slices.IsSortedFunc(tps, wire.TopicPartition.Compare) {
			t.Fatalf("%s: %v", m.ID, tps)
		}
		for _, tp := range tps {
			if of[tp] != "" {
				t.Fatalf("%s is given to %s and to %s", tp, of[tp], m.ID)
			}
			if !d.exists(tp) || !m.subscribes(tp.Topic) {
				t.Fatalf("%s is given to %s, which reads %v", tp, m.ID, m.Topics)
			}
			of[tp] = m.ID
		}
	}
	return of
}

func TestEveryPartitionGoesToOneSubscriber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDivision(t)
		for _, a := range []Assignor{Range, RoundRobin, Sticky} {
			parts := a.Assign(d)
			if n := len(holders(t, d, parts)); n != len(d.all()) {
				t.Fatalf("%s gives %d of %d partitions", a.Name(), n, len(d.all()))
			}
			if diff := cmp.Diff(parts, a.Assign(d)); diff != "" {
				t.Fatalf("%s: the same division gives another assignment\n%s", a.Name(), diff)
			}
		}
		parts := Sticky.Assign(d)
		for _, m := range d.Members {
			for _, tp := range parts[m.ID] {
				for _, o := range d.Members {
					if o.subscribes(tp.Topic) && len(parts[m.ID])-len(parts[o.ID]) >= 2 {
						t.Fatalf("%s has %d and %s only %d, who could have %s", m.ID, len(parts[m.ID]), o.ID, len(parts[o.ID]), tp)
					}
				}
			}
		}
	})
}

// Cooperative members carry out what they are assigned and join again while somebody had to
// give something up. That never gives anybody what another still owns, and it ends, with
// everything assigned.
func TestCooperativeRebalancesEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDivision(t)
		for round := int32(10); ; round++ {
			if round == 14 {
				t.Fatalf("no end: %+v", d.Members)
			}
			parts := CooperativeSticky.Assign(d)
			of := holders(t, d, parts)
			again := false
			before := slices.Clone(d.Members)
			for i := range d.Members {
				m := &d.Members[i]
				for _, tp := range without(parts[m.ID], m.Owned) {
					for _, o := range before {
						if slices.Contains(o.Owned, tp) {
							t.Fatalf("%s is given to %s while %s owns it", tp, m.ID, o.ID)
						}
					}
				}
				again = again || len(without(m.Owned, parts[m.ID])) > 0
			}
			for i := range d.Members {
				d.Members[i].Owned, d.Members[i].Generation = parts[d.Members[i].ID], round
			}
			if !again {
				if len(of) != len(d.all()) {
					t.Fatalf("%d of %d partitions are assigned in the end", len(of), len(d.all()))
				}
				return
			}
		}
	})
}

func TestSubscriptionsSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, s := range drawDivision(t).Members {
			s.Rack = rapid.SampledFrom([]string{"", "r"}).Draw(t, "rack")
			for _, a := range []Assignor{Range, Sticky, CooperativeSticky} {
				instance := optional(s.Instance)
				got, err := readSubscription(s.ID, instance, s.appendSubscription(a), a)
				want := s
				if a == Range {
					want.Owned = nil
				}
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Fatalf("%s: %v\n%s", a.Name(), err, diff)
				}
			}
			tps, err := readAssignment(appendAssignment(s.Owned))
			if err != nil || !slices.Equal(tps, s.Owned) {
				t.Fatalf("%v is read as %v: %v", s.Owned, tps, err)
			}
		}
	})
}

func TestBrokenSubscriptionsAreErrors(t *testing.T) {
	if _, err := readSubscription("m", nil, []byte{0, 1, 0, 0}, Range); err == nil {
		t.Error("a subscription that is cut off is read")
	}
	if _, err := readAssignment([]byte{0, 1, 0, 0, 0, 9}); err == nil {
		t.Error("an assignment that is cut off is read")
	}
	if tps, err := readAssignment(nil); err != nil || tps != nil {
		t.Errorf("no assignment is %v, %v", tps, err)
	}
}
