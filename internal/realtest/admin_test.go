package realtest_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestConsoleShowsAndChangesConfigs(t *testing.T) {
	t.Parallel()
	b := "--bootstrap=" + start(t, "--set", "num.partitions=2").Addr
	succeed(t, "", "topic", "create", "t", "--config", "retention.ms=1000", b)
	describe := func(args ...string) string {
		t.Helper()
		return succeed(t, "", append([]string{"config", "describe", b}, args...)...)
	}
	has := func(out, line, source string) bool {
		for l := range strings.Lines(out) {
			if name, from, _ := strings.Cut(strings.TrimSpace(l), " "); name == line && strings.TrimSpace(from) == source {
				return true
			}
		}
		return false
	}
	if out := describe("--topic", "t"); !has(out, "retention.ms=1000", "topic") || strings.Contains(out, "cleanup.policy") {
		t.Errorf("topic:\n%s", out)
	}
	if out := describe("--topic", "t", "--all"); !has(out, "cleanup.policy=delete", "default") {
		t.Errorf("topic, all:\n%s", out)
	}
	if out := describe("--broker", "1"); !has(out, "num.partitions=2", "file") {
		t.Errorf("broker:\n%s", out)
	}
	if out := describe("--all-brokers"); out != "" {
		t.Errorf("all brokers: %q", out)
	}
	alter := func(args ...string) { t.Helper(); succeed(t, "", append([]string{"config", "alter", b}, args...)...) }
	const rate = "leader.replication.throttled.rate"
	alter("--all-brokers", "--config", rate+"=1000", "--config", "log.retention.ms=5000")
	alter("--broker", "1", "--config", rate+"=2000")
	alter("--topic", "t", "--delete-config", "retention.ms")
	until(t, "the broker has the configs", func() bool {
		out := describe("--broker", "1")
		return has(out, rate+"=2000", "broker") && has(out, "log.retention.ms=5000", "all brokers")
	})
	if out := describe("--all-brokers"); !has(out, rate+"=1000", "all brokers") {
		t.Errorf("all brokers:\n%s", out)
	}
	until(t, "the topic has the brokers' retention", func() bool {
		return has(describe("--topic", "t"), "retention.ms=5000", "all brokers")
	})
	var line struct{ Name, Value, Source string }
	if err := json.Unmarshal([]byte(describe("--topic", "t", "--json")), &line); err != nil || line.Name != "retention.ms" || line.Value != "5000" {
		t.Errorf("as JSON: %+v, %v", line, err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"describe"}, "at least one of the flags"},
		{[]string{"describe", "--topic", "nope"}, "there is no such topic"},
		{[]string{"describe", "--broker", "7"}, "odradek broker list"},
		{[]string{"alter", "--topic", "t"}, "nothing to change"},
		{[]string{"alter", "--topic", "t", "--broker", "1", "--config", "a=b"}, "none of the others can be"},
		{[]string{"alter", "--topic", "t", "--config", "retention.ms=soon"}, "changing configs of topic t"},
		{[]string{"alter", "--broker", "1", "--config", "node.id=2"}, "changing configs of broker 1"},
		{[]string{"alter", "--all-brokers", "--config", "telepathy=on"}, "changing configs of all brokers"},
	} {
		if out, errs, code := console(t, "", append(append([]string{"config"}, c.args...), b)...); code != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("config %v: exit code %d, %q %q, want %q", c.args, code, out, errs, c.want)
		}
	}
}

// What a group sets is shown for it alone, and can be taken back.
func TestConsoleShowsAndChangesConfigsOfGroups(t *testing.T) {
	t.Parallel()
	b := "--bootstrap=" + start(t).Addr
	const timeout = "consumer.session.timeout.ms"
	describe := func(group string, args ...string) string {
		t.Helper()
		return succeed(t, "", append([]string{"config", "describe", "--group", group, b}, args...)...)
	}
	if out := describe("g", "--all"); !strings.Contains(out, timeout+"=45000") || !strings.Contains(out, "consumer.heartbeat.interval.ms=5000") {
		t.Errorf("at its defaults:\n%s", out)
	}
	if out := succeed(t, "", "config", "alter", "--group", "g", "--config", timeout+"=50000", b); out != "changed 1 config of group g\n" {
		t.Errorf("alter: %q", out)
	}
	until(t, "the group has its own", func() bool { return describe("g") == timeout+"=50000  group\n" })
	if out := describe("h"); out != "" {
		t.Errorf("another group: %q", out)
	}
	for _, change := range []string{timeout + "=1", "telepathy=on"} {
		if _, errs, code := console(t, "", "config", "alter", "--group", "g", "--config", change, b); code != 2 || !strings.Contains(errs, "changing configs of group g: ") {
			t.Errorf("%s: exit code %d, %q", change, code, errs)
		}
	}
	succeed(t, "", "config", "alter", "--group", "g", "--delete-config", timeout, b)
	until(t, "the group has the brokers' again", func() bool { return describe("g") == "" })
}

// until waits until every node has heard of a change.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	err := eventually(t, func() error {
		if done() {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
		return errors.New("not yet")
	})
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// A broker joins a cluster of one, gets a partition, loses it again, is stopped and
// forgotten.
func TestConsoleForgetsABroker(t *testing.T) {
	t.Parallel()
	dir, addrs := t.TempDir(), freeAddrs(t, 2)
	one := startOn(t, filepath.Join(dir, "1"), addrs[0])
	b := "--bootstrap=" + one.Addr
	two := startOn(t, filepath.Join(dir, "2"), addrs[1], "--node-id", "2", "--roles", "broker", "--voters", "1@"+one.Addr)
	list := func() (rows [][]string) {
		t.Helper()
		for l := range strings.Lines(succeed(t, "", "broker", "list", b)) {
			rows = append(rows, strings.Fields(l))
		}
		return rows[1:]
	}
	until(t, "both brokers are up", func() bool { r := list(); return len(r) == 2 && r[1][3] == "up" })
	plan := func(replicas string) string {
		return `{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[` + replicas + `]}]}`
	}
	succeed(t, "", "topic", "create", "t", "--partitions", "1", "--replication-factor", "2", b)
	succeed(t, plan("2,1"), "reassign", "execute", "-", "--wait", b)
	succeed(t, "", "topic", "elect-leaders", "t", b)
	if out := succeed(t, "", "topic", "elect-leaders", "--all", b); out != "no election was needed\n" {
		t.Errorf("elected again: %q", out)
	}
	until(t, "broker 2 leads", func() bool { r := list(); return r[1][4] == "1" && r[0][5] == "1" })
	refused := func(want string, args ...string) {
		t.Helper()
		if out, errs, code := console(t, "", append(args, b)...); code != 2 || !strings.Contains(errs, want) || out != "" {
			t.Errorf("%v: exit code %d, %q %q, want %q", args, code, out, errs, want)
		}
	}
	refused("broker 2 is up", "broker", "unregister", "2")
	refused("no broker 7", "broker", "unregister", "7")
	refused("no broker 7", "broker", "unregister", "7", "--force")
	refused("want the id", "broker", "unregister", "two")
	refused("name the topics", "topic", "elect-leaders")
	refused("no partition 4", "topic", "elect-leaders", "t", "-p", "4")
	refused("no such topic", "topic", "elect-leaders", "nope")
	stop(t, two)
	until(t, "broker 2 is fenced", func() bool { r := list(); return r[1][3] == "fenced" })
	refused("has replicas of 1 partition", "broker", "unregister", "2")
	succeed(t, plan("1"), "reassign", "execute", "-", "--wait", b)
	if out := succeed(t, "", "broker", "unregister", "2", b); out != "broker 2 is forgotten\n" {
		t.Errorf("unregister: %q", out)
	}
	until(t, "one broker is left", func() bool { return len(list()) == 1 })
}
