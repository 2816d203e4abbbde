package assignor

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"odradek/broker/wire"
)

func topicID(i int) wire.UUID { return wire.UUID{15: byte(i + 1)} }

func member(id string, topics ...int) Member {
	m := Member{ID: id}
	for _, t := range topics {
		m.Topics = append(m.Topics, topicID(t))
	}
	return m
}

// words is an assignment as text: "a: 0-0 0-1", topic by number, then partition.
func words(s Spec, by [][]wire.TopicIDPartition) []string {
	var out []string
	for i, list := range by {
		line := s.Members[i].ID + ":"
		for _, tp := range list {
			line += fmt.Sprintf(" %d-%d", tp.TopicID[15]-1, tp.Partition)
		}
		out = append(out, line)
	}
	return out
}

func TestRangeGivesEveryTopicInContiguousRanges(t *testing.T) {
	s := Spec{
		Topics:  []Topic{{topicID(1), 2}, {topicID(0), 5}},
		Members: []Member{member("b", 0), member("c", 0, 1), member("a", 1, 0, 0)},
	}
	want := []string{"b: 0-2 0-3", "c: 0-4 1-1", "a: 0-0 0-1 1-0"}
	if diff := cmp.Diff(want, words(s, Range{}.Assign(s))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStaticMembersKeepTheirPlaceInTheRange(t *testing.T) {
	assign := func(id string) []string {
		static := member(id, 0)
		static.InstanceID = "i"
		s := Spec{Topics: []Topic{{topicID(0), 3}}, Members: []Member{member("m", 0), static}}
		return words(s, Range{}.Assign(s))
	}
	if diff := cmp.Diff([]string{"m: 0-2", "a: 0-0 0-1"}, assign("a")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"m: 0-2", "z: 0-0 0-1"}, assign("z")); diff != "" {
		t.Errorf("after it came back with another id (-want +got):\n%s", diff)
	}
}

func TestUniformMovesAsLittleAsTheBalanceTakes(t *testing.T) {
	s := Spec{Topics: []Topic{{topicID(0), 6}}, Members: []Member{member("a", 0), member("b", 0)}}
	first := Uniform{}.Assign(s)
	if diff := cmp.Diff([]string{"a: 0-0 0-2 0-4", "b: 0-1 0-3 0-5"}, words(s, first)); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	s.Members[0].Assigned, s.Members[1].Assigned = first[0], first[1]
	s.Members = append(s.Members, member("c", 0))
	want := []string{"a: 0-0 0-2", "b: 0-1 0-3", "c: 0-4 0-5"}
	if diff := cmp.Diff(want, words(s, Uniform{}.Assign(s))); diff != "" {
		t.Errorf("a third member (-want +got):\n%s", diff)
	}
}

// A may take from B and B from C, but A not from C.
func TestUniformBalancesAlongChains(t *testing.T) {
	a, b, c := member("a", 0), member("b", 0, 1), member("c", 1)
	b.Assigned = []wire.TopicIDPartition{{TopicID: topicID(0), Partition: 0}, {TopicID: topicID(0), Partition: 1}}
	for i := range int32(4) {
		c.Assigned = append(c.Assigned, wire.TopicIDPartition{TopicID: topicID(1), Partition: i})
	}
	s := Spec{Topics: []Topic{{topicID(0), 2}, {topicID(1), 4}}, Members: []Member{a, b, c}}
	for i, list := range (Uniform{}).Assign(s) {
		if len(list) != 2 {
			t.Errorf("%s has %d partitions, want 2", s.Members[i].ID, len(list))
		}
	}
}

func TestNamedKnowsTheAssignorsOfKIP848(t *testing.T) {
	if Named("uniform") == nil || Named("range") == nil || Named("sticky") != nil {
		t.Error("want uniform and range, and nothing else")
	}
}

func drawSpec(t *rapid.T) Spec {
	var s Spec
	for i := range rapid.IntRange(0, 6).Draw(t, "topics") {
		s.Topics = append(s.Topics, Topic{topicID(i), int32(rapid.IntRange(0, 12).Draw(t, "partitions"))})
	}
	same := rapid.Bool().Draw(t, "same subscriptions")
	for i := range rapid.IntRange(0, 8).Draw(t, "members") {
		m := Member{ID: fmt.Sprintf("m%d", i)}
		if rapid.IntRange(0, 3).Draw(t, "static") == 0 {
			m.InstanceID = fmt.Sprintf("i%d", rapid.IntRange(0, 99).Draw(t, "instance")*100+i)
		}
		for j := range 8 { // two of them may not exist
			if same || rapid.Bool().Draw(t, "subscribes") {
				m.Topics = append(m.Topics, topicID(j))
			}
		}
		for range rapid.IntRange(0, 15).Draw(t, "had") {
			m.Assigned = append(m.Assigned, wire.TopicIDPartition{
				TopicID: topicID(rapid.IntRange(0, 7).Draw(t, "of")), Partition: int32(rapid.IntRange(-1, 13).Draw(t, "index")),
			})
		}
		s.Members = append(s.Members, m)
	}
	return s
}

// TestEverythingIsAssignedOnce holds for both assignors, whatever they begin with.
func TestEverythingIsAssignedOnce(t *testing.T) {
	for _, a := range []Assignor{Uniform{}, Range{}} {
		t.Run(a.Name(), func(t *testing.T) { rapid.Check(t, func(t *rapid.T) { assignsOnce(t, a, drawSpec(t)) }) })
	}
}

func assignsOnce(t *rapid.T, a Assignor, s Spec) {
	by := a.Assign(s)
	owner := make(map[wire.TopicIDPartition]int)
	for m, list := range by {
		for _, tp := range list {
			if _, twice := owner[tp]; twice {
				t.Fatalf("%v has two owners", tp)
			}
			if !slices.Contains(s.Members[m].Topics, tp.TopicID) {
				t.Fatalf("%s gets %v without a subscription", s.Members[m].ID, tp)
			}
			owner[tp] = m
		}
	}
	for _, topic := range s.Topics {
		wanted := slices.ContainsFunc(s.Members, func(m Member) bool { return slices.Contains(m.Topics, topic.ID) })
		for i := range topic.Partitions {
			if _, has := owner[wire.TopicIDPartition{TopicID: topic.ID, Partition: i}]; has != wanted {
				t.Fatalf("partition %d of %v: has an owner: %t, has a subscriber: %t", i, topic.ID, has, wanted)
			}
			delete(owner, wire.TopicIDPartition{TopicID: topic.ID, Partition: i})
		}
	}
	if len(owner) > 0 {
		t.Fatalf("assigned what does not exist: %v", owner)
	}
	// The order of the spec does not matter.
	shuffled := Spec{Topics: slices.Clone(s.Topics), Members: slices.Clone(s.Members)}
	slices.Reverse(shuffled.Topics)
	slices.Reverse(shuffled.Members)
	again := a.Assign(shuffled)
	slices.Reverse(again)
	if diff := cmp.Diff(by, again); diff != "" {
		t.Fatalf("in another order (-was +is):\n%s", diff)
	}
}

// TestUniformIsAsEvenAsSubscriptionsAllow also wants nothing to move the second time.
func TestUniformIsAsEvenAsSubscriptionsAllow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t)
		by := Uniform{}.Assign(s)
		// Who can give to whom, over any number of members in between.
		gives := make([][]bool, len(s.Members))
		for i := range gives {
			gives[i] = make([]bool, len(s.Members))
			for j := range gives[i] {
				gives[i][j] = slices.ContainsFunc(by[i], func(tp wire.TopicIDPartition) bool { return slices.Contains(s.Members[j].Topics, tp.TopicID) })
			}
		}
		for k := range gives {
			for i := range gives {
				for j := range gives {
					gives[i][j] = gives[i][j] || gives[i][k] && gives[k][j]
				}
			}
		}
		for i := range gives {
			for j := range gives {
				if gives[i][j] && len(by[i]) > len(by[j])+1 {
					t.Fatalf("%s has %d, %s %d, although it could get one", s.Members[i].ID, len(by[i]), s.Members[j].ID, len(by[j]))
				}
			}
		}
		for i := range s.Members {
			s.Members[i].Assigned = by[i]
		}
		if diff := cmp.Diff(by, Uniform{}.Assign(s)); diff != "" {
			t.Fatalf("moved although nothing changed (-was +is):\n%s", diff)
		}
	})
}

func BenchmarkUniform100MembersOf1000Partitions(b *testing.B) {
	s := Spec{Topics: []Topic{{topicID(0), 1000}}}
	for i := range 100 {
		s.Members = append(s.Members, member(fmt.Sprintf("m%03d", i), 0))
	}
	by := Uniform{}.Assign(s)
	for i := range s.Members[:99] { // one has just joined
		s.Members[i].Assigned = by[i]
	}
	for b.Loop() {
		Uniform{}.Assign(s)
	}
}
