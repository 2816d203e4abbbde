package realtest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestConsoleAltersATopic(t *testing.T) {
	t.Parallel()
	b := "--bootstrap=" + start(t).Addr
	succeed(t, "", "topic", "create", "t", "--config", "retention.ms=1000", b)
	succeed(t, "", "topic", "alter", "t", "--partitions", "4", "--config", "cleanup.policy=compact", "--delete-config", "retention.ms", b)
	out := succeed(t, "", "topic", "describe", "t", b)
	if !strings.Contains(out, "4 partitions") || !strings.Contains(out, "cleanup.policy=compact") || strings.Contains(out, "retention.ms") {
		t.Errorf("described:\n%s", out)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"t"}, "nothing to change"},
		{[]string{"t", "--partitions", "2"}, "adding partitions to topic t"},
		{[]string{"t", "--config", "retention.ms=soon"}, "changing configs of topic t"},
		{[]string{"nowhere", "--config", "retention.ms=1"}, "there is no such topic"},
		{[]string{"t", "--config", "a=b", "--delete-config", "a"}, "both name a"},
	} {
		if _, errs, code := console(t, "", append([]string{"topic", "alter", b}, c.args...)...); code != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("topic alter %v: exit code %d, %q", c.args, code, errs)
		}
	}
}

// replicasOf is who has which partition of a topic, as the console describes it.
func replicasOf(t *testing.T, topic, bootstrap string) map[int32][]int32 {
	t.Helper()
	var described struct {
		Partitions []struct {
			Partition int32
			ISR       []int32
		}
	}
	if err := json.Unmarshal([]byte(succeed(t, "", "topic", "describe", topic, "--json", bootstrap)), &described); err != nil {
		t.Fatal(err)
	}
	replicas := make(map[int32][]int32)
	for _, p := range described.Partitions {
		replicas[p.Partition] = slices.Sorted(slices.Values(p.ISR))
	}
	return replicas
}

// Two partitions leave a broker, with a throttle, and nothing of them is lost.
func TestConsoleMovesPartitions(t *testing.T) {
	t.Parallel()
	first := consecutiveAddr(t, 3)
	startOn(t, filepath.Join(t.TempDir(), "data"), first, "--brokers", "3")
	b := "--bootstrap=" + first
	succeed(t, "", "topic", "create", "t", "--partitions", "3", "--replication-factor", "2", b)
	want := numbers("v", 3000)
	succeed(t, strings.Join(want, "\n")+"\n", "produce", "t", b)

	plan := filepath.Join(t.TempDir(), "plan.json")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"plan", "--brokers", "1", "--out", plan}, "t has replication factor 2, more than the 1 broker of the plan: name at least 2 brokers"},
		{[]string{"plan", "--brokers", "7", "--out", plan}, "no such broker is alive"},
		{[]string{"t", "--to", "2,3"}, "odradek reassign plan --topic t --brokers ID,..."},
		{[]string{"plam"}, "did you mean odradek reassign plan?"},
		{[]string{"status", "--topic", "t"}, "see odradek reassign status --help"},
	} {
		if out, errs, code := console(t, "", append([]string{"reassign"}, append(c.args, b)...)...); code != 2 || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("reassign %v: exit code %d, %q %q, want %q", c.args, code, out, errs, c.want)
		}
	}
	if _, err := os.Stat(plan); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a plan that could not be made left a file: %v", err)
	}
	succeed(t, "", "reassign", "plan", "--topic", "t", "--brokers", "2,3", "--out", plan, b)
	out := succeed(t, "", "reassign", "execute", plan, "--throttle", "100000000", "--wait", b)
	if !strings.Contains(out, "moving 3 partitions") || !strings.Contains(out, "done") {
		t.Errorf("execute: %q", out)
	}
	for p, isr := range replicasOf(t, "t", b) {
		if !slices.Equal(isr, []int32{2, 3}) {
			t.Errorf("partition %d is on %v", p, isr)
		}
	}
	if out, errs, code := console(t, "", "reassign", "status", b); code != 0 || out != "" || errs != "nothing is being moved\n" {
		t.Errorf("status: exit code %d, %q %q", code, out, errs)
	}
	if out := succeed(t, "", "topic", "describe", "t", b); strings.Contains(out, "throttled") {
		t.Errorf("a throttle is left:\n%s", out)
	}
	got := strings.Fields(succeed(t, "", "consume", "t", "--exit-at-end", b))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d of %d records are there after the move", len(got), len(want))
	}
}

// A move that cannot end, as its throttle lets next to nothing through, is seen and
// cancelled.
func TestConsoleCancelsAMove(t *testing.T) {
	t.Parallel()
	first := consecutiveAddr(t, 3)
	startOn(t, filepath.Join(t.TempDir(), "data"), first, "--brokers", "3", "--set", "replica.fetch.max.bytes=1000")
	b := "--bootstrap=" + first
	succeed(t, "", "topic", "create", "t", "--partitions", "1", "--replication-factor", "1", b)
	for range 2 { // batches, of which the first is not paid for in time
		succeed(t, strings.Repeat(strings.Repeat("x", 900)+"\n", 100), "produce", "t", "--compression", "none", b)
	}
	before := replicasOf(t, "t", b)[0]
	other := 1 + before[0]%3
	plan := fmt.Sprintf(`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[%d]}]}`, other)
	succeed(t, plan, "reassign", "execute", "-", "--throttle", "100", b)
	out, _, code := console(t, "", "reassign", "status", b)
	if code != 1 || !strings.Contains(out, fmt.Sprintf("t      0          %d,%d", other, before[0])) {
		t.Errorf("status: exit code %d\n%s", code, out)
	}
	if out := succeed(t, "", "reassign", "cancel", "--topic", "t", b); !strings.Contains(out, "cancelled the move of 1 partition") {
		t.Errorf("cancel: %q", out)
	}
	if out := succeed(t, "", "reassign", "unthrottle", b); !strings.Contains(out, "1 topic had one") {
		t.Errorf("unthrottle: %q", out)
	}
	if after := replicasOf(t, "t", b)[0]; !slices.Equal(after, before) {
		t.Errorf("on %v, before the move it was on %v", after, before)
	}
}
