package invariant

import (
	"slices"
	"testing"

	"odradek/broker/wire"
)

func cleaned(upTo, hw wire.Offset, batches ...Batch) Change {
	return Change{Kind: CleanedTo, Offset: upTo, HighWatermark: hw, Batches: batches}
}

// A replica that is compacted, and one that copies it afterwards, count as having what they
// have not any more; whatever else differs is found as ever.
func TestCompactionOfOneReplica(t *testing.T) {
	whole := []Change{appended(0, 1, 1, 7), appended(2, 3, 1, 8), appended(4, 5, 1, 9)}
	rewritten := Batch{2, 3, 1, 80}
	for _, test := range []struct {
		name   string
		states []Replica
		want   Name
	}{
		{"the others are not", []Replica{
			follower(1, 6, 6, whole...), follower(2, 6, 6, whole...), follower(1, 6, 6, cleaned(4, 6, rewritten)),
		}, ""},
		{"a follower copies what is left", []Replica{
			follower(1, 6, 6, whole...), follower(1, 6, 6, cleaned(4, 6, rewritten)),
			follower(2, 4, 4, appended(2, 3, 1, 80)), follower(2, 6, 6, appended(4, 5, 1, 9)),
		}, ""},
		{"and leads", []Replica{
			follower(1, 6, 6, whole...), follower(1, 6, 6, cleaned(4, 6, rewritten)),
			follower(2, 6, 6, appended(2, 3, 1, 80), appended(4, 5, 1, 9)), leading(follower(2, 6, 6), 2, 2),
		}, ""},
		{"and is compacted again", []Replica{
			follower(1, 6, 6, whole...), follower(1, 6, 6, cleaned(4, 6, rewritten)),
			follower(2, 6, 6, appended(2, 3, 1, 80), appended(4, 5, 1, 9), cleaned(6, 6, Batch{2, 3, 1, 81}, Batch{4, 5, 1, 90})),
			follower(3, 6, 6, appended(2, 3, 1, 81), appended(4, 5, 1, 90)),
		}, ""},
		{"beyond its high watermark", []Replica{
			follower(1, 6, 3, whole...), follower(1, 6, 3, cleaned(4, 3, rewritten)),
		}, CleanedStable},
		{"what is left was not there", []Replica{
			follower(1, 6, 6, whole...), follower(1, 6, 6, cleaned(4, 6, Batch{1, 2, 1, 80})),
		}, CleanedSubset},
		{"a follower leaves out what nobody has compacted", []Replica{
			follower(1, 6, 6, whole...), follower(2, 6, 6, appended(0, 1, 1, 7), appended(4, 5, 1, 9)),
		}, LogMatching},
		{"a follower copies behind other records", []Replica{
			follower(1, 6, 6, whole...), follower(1, 6, 6, cleaned(4, 6, rewritten)),
			follower(2, 4, 0, appended(0, 1, 0, 5), appended(2, 3, 1, 80)),
		}, LogMatching},
		{"a follower has other records behind the gap", []Replica{
			follower(1, 6, 6, whole...), follower(1, 6, 6, cleaned(4, 6, rewritten)),
			follower(2, 6, 6, appended(2, 3, 1, 80), appended(4, 5, 1, 10)),
		}, LogMatching},
		{"a leader lacks what is behind the compacted part", []Replica{
			follower(1, 6, 6, whole...), follower(1, 6, 6, cleaned(4, 6, rewritten)),
			leading(follower(2, 4, 4, appended(2, 3, 1, 80)), 2, 2),
		}, LeaderComplete},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := NewReplication()
			var got []Violation
			for _, s := range test.states {
				got = slices.Concat(got, c.Replica(testTP, s))
			}
			expect(t, got, test.want)
		})
	}
}

// After an excuse the committed history may be told anew by a log that begins in the middle:
// replicas that have still more, and know of less, do not contradict it.
func TestHistoryToldAnewHasNoFront(t *testing.T) {
	c := NewReplication()
	whole := []Change{appended(0, 1, 1, 7), appended(2, 3, 1, 8), appended(4, 5, 1, 9)}
	if list := c.Replica(testTP, follower(1, 6, 6, whole...)); len(list) > 0 {
		t.Fatal(list)
	}
	if list := c.Replica(testTP, follower(1, 6, 6, cleaned(4, 6))); len(list) > 0 {
		t.Fatal(list)
	}
	c.Excuse(testTP, 0)
	// The second replica was made behind the compacted part, and speaks first.
	if list := c.Replica(testTP, follower(2, 6, 6, Change{Kind: StartedAt, Offset: 4}, appended(4, 5, 1, 9))); len(list) > 0 {
		t.Fatal(list)
	}
	if list := c.Replica(testTP, follower(3, 4, 4, whole[:2]...)); len(list) > 0 {
		t.Errorf("a log that ends before what is known: %v", list)
	}
	if list := c.Replica(testTP, follower(3, 6, 6, appended(4, 5, 1, 10))); len(list) == 0 {
		t.Error("other records than the committed ones are not found")
	}
}
