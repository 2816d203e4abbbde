package realtest_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// atOnce has the first member of a group wait for no others.
var atOnce = []string{"--set", "group.initial.rebalance.delay.ms=0"}

func TestConsoleConsumesAsAMember(t *testing.T) {
	t.Parallel()
	b := "--bootstrap=" + start(t, atOnce...).Addr
	succeed(t, "", "topic", "create", "t", "--partitions", "2", b)
	want := numbers("v", 100)
	succeed(t, strings.Join(want, "\n")+"\n", "produce", "t", b)
	first := strings.Fields(succeed(t, "", "consume", "t", "--group", "g", "--count", "40", b))
	rest := strings.Fields(succeed(t, "", "consume", "t", "--group", "g", "--count", "60", b))
	if len(first) != 40 || len(rest) != 60 {
		t.Fatalf("%d and %d records, want 40 and 60", len(first), len(rest))
	}
	got := slices.Concat(first, rest)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Error("the second member did not go on where the first had stopped")
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--group", "g", "--from", "7"}, "a group begins at the beginning, the end or a time"},
		{[]string{"--group", "g", "--exit-at-end"}, "[group exit-at-end]"},
		{[]string{"--isolation", "serializable"}, "want read_uncommitted or read_committed"},
	} {
		if _, errs, code := console(t, "", append([]string{"consume", "t", b}, c.args...)...); code != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("consume %v: exit code %d, %q", c.args, code, errs)
		}
	}
}

func TestConsoleShowsResetsAndDeletesGroups(t *testing.T) {
	t.Parallel()
	addr := start(t, atOnce...).Addr
	b := "--bootstrap=" + addr
	succeed(t, "", "topic", "create", "t", "--partitions", "2", b)
	var lines strings.Builder
	for _, v := range numbers("v", 100) { // keys spread them over the partitions
		lines.WriteString(v + ":" + v + "\n")
	}
	succeed(t, lines.String(), "produce", "t", "--key-separator", ":", b)
	if out := succeed(t, "", "group", "list", b); out != "" {
		t.Errorf("groups of a new cluster:\n%s", out)
	}

	member := client(t, addr, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.ClientID("worker-1"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for n := 0; n < 100; {
		fetches := member.PollFetches(patience(t))
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		n += fetches.NumRecords()
	}
	if err := member.CommitUncommittedOffsets(patience(t)); err != nil {
		t.Fatal(err)
	}
	out := succeed(t, "", "group", "describe", "g", b)
	for _, want := range []string{"g: Stable, classic protocol, assignor cooperative-sticky, 1 member, coordinator 1, lag 0", "worker-1", "PARTITION"} {
		if !strings.Contains(out, want) {
			t.Errorf("described without %q:\n%s", want, out)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"group", "delete", "g"}, "it has members"},
		{[]string{"group", "reset-offsets", "g", "--to", "beginning", "--execute"}, "group g has members"},
		{[]string{"group", "describe", "h"}, "there is no such group"},
		{[]string{"group", "reset-offsets", "g"}, "want --to or --by"},
		{[]string{"group", "reset-offsets", "h", "--by", "-1"}, "no committed offsets"},
		{[]string{"group", "reset-offsets", "g", "--to", "soon"}, "--to soon: want beginning"},
	} {
		if _, errs, code := console(t, "", append(c.args, b)...); code != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit code %d, %q", c.args, code, errs)
		}
	}
	member.Close()

	type partition struct{ Partition, Committed, End, Lag int64 }
	lags := func() (state string, total int64, partitions []partition) {
		var d struct {
			State      string
			Partitions []partition
		}
		if err := json.Unmarshal([]byte(succeed(t, "", "group", "describe", "g", "--json", b)), &d); err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Partitions {
			total += p.Lag
		}
		return d.State, total, d.Partitions
	}
	if state, lag, _ := lags(); state != "Empty" || lag != 0 {
		t.Errorf("after the member left: %s, lag %d", state, lag)
	}
	succeed(t, "", "group", "reset-offsets", "g", "--by", "-3", b) // only shown
	if _, lag, _ := lags(); lag != 0 {
		t.Errorf("a reset that was only shown has changed the lag to %d", lag)
	}
	succeed(t, "", "group", "reset-offsets", "g", "--by", "-3", "--execute", b)
	if _, lag, _ := lags(); lag != 6 {
		t.Errorf("lag %d, want 6", lag)
	}
	succeed(t, "", "group", "reset-offsets", "g", "--to", "beginning", "--topic", "t", "--partition", "1", "--execute", b)
	if _, _, ps := lags(); ps[0].Lag != 3 || ps[1].Committed != 0 || ps[1].Lag != ps[1].End {
		t.Errorf("partitions %+v", ps)
	}
	succeed(t, "", "topic", "create", "u", "--partitions", "2", b)
	succeed(t, "old\n", "produce", "u", "--partition", "0", b)
	succeed(t, strings.Repeat("new\n", 5), "produce", "u", "--partition", "1", b)
	succeed(t, "", "group", "reset-offsets", "h", "--to", "end", "--topic", "u", "--partition", "0", "--execute", b)
	out = succeed(t, "", "group", "describe", "h", b)
	if !strings.Contains(out, "lag 5 (5 of it where nothing is committed)") || !strings.Contains(out, "  u      1          -          5    5    -") {
		t.Errorf("where nothing is committed, the lag is the whole log:\n%s", out)
	}
	succeed(t, "", "group", "delete", "h", b)
	if out := succeed(t, "", "group", "list", b); !strings.Contains(out, "g      Empty  classic   1") {
		t.Errorf("list:\n%s", out)
	}
	succeed(t, "", "group", "delete", "g", b)
	if out := succeed(t, "", "group", "list", b); out != "" {
		t.Errorf("groups after deleting:\n%s", out)
	}
}
