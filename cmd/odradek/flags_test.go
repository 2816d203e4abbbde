package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"odradek/broker/config"
)

func TestStartOfConsuming(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]start{
		"beginning": {fromBeginning, 0}, "end": {fromEnd, 0}, "0": {fromOffset, 0}, "17": {fromOffset, 17}, "-5": {fromEnd, 5},
		"15m":                       {fromTime, now.Add(-15 * time.Minute).UnixMilli()},
		"2026-03-01T11:00:00Z":      {fromTime, time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC).UnixMilli()},
		"2026-03-01T11:00:00.25Z":   {fromTime, time.Date(2026, 3, 1, 11, 0, 0, 250e6, time.UTC).UnixMilli()},
		"2026-02-28":                {fromTime, time.Date(2026, 2, 28, 0, 0, 0, 0, time.Local).UnixMilli()},
		"2026-02-28 13:00:00":       {fromTime, time.Date(2026, 2, 28, 13, 0, 0, 0, time.Local).UnixMilli()},
		"2026-02-28T13:00:00":       {fromTime, time.Date(2026, 2, 28, 13, 0, 0, 0, time.Local).UnixMilli()},
		"2026-03-01T11:00:00+01:00": {fromTime, time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC).UnixMilli()},
	} {
		got, err := parseStart(text, now)
		if err != nil || got != want {
			t.Errorf("--from %s: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "-15m", "1.5", "2026-13-01"} {
		if got, err := parseStart(text, now); err == nil {
			t.Errorf("--from %q was taken for %+v", text, got)
		}
	}
}

func TestLinesBecomeRecords(t *testing.T) {
	type record struct{ Key, Value string }
	for _, c := range []struct {
		in, separator string
		want          []record
	}{
		{"a\nb\n", "", []record{{"", "a"}, {"", "b"}}},
		{"a\n\nno newline at the end", "", []record{{"", "a"}, {"", ""}, {"", "no newline at the end"}}},
		{"k:v\nk::v\nplain\n:v\n", ":", []record{{"k", "v"}, {"k", ":v"}, {"", "plain"}, {"", "v"}}},
		{"", "", nil},
	} {
		var got []record
		l := &lineReader{in: bufio.NewReader(strings.NewReader(c.in)), separator: []byte(c.separator)}
		err := l.each(func(r *kgo.Record) bool {
			got = append(got, record{string(r.Key), string(r.Value)})
			return true
		})
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%q: %v %s", c.in, err, diff)
		}
	}
}

func TestEscapesInFlags(t *testing.T) {
	for in, want := range map[string]string{`\t`: "\t", ":": ":", `"`: `"`, `\\`: `\`, "": "", "→": "→"} {
		if got, err := unescape("--x", in); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	if _, err := unescape("--x", `\q`); err == nil {
		t.Error("a bad escape was accepted")
	}
}

// The file comes after what is on the command line and before what is not.
func TestFlagsThatAreGivenWinOverTheFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "server.properties")
	text := "node.id=7\nlisteners=PLAINTEXT://10.0.0.7:9999\nlog.retention.ms=1000\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := serveFlags{data: dir, listen: "127.0.0.1:9092", nodeID: 1, brokers: 1, roles: allRoles, properties: file}
	static := func(f serveFlags, given ...string) config.Values {
		t.Helper()
		nodes, err := nodeConfigs(f, func(flag string) bool { return len(given) > 0 && given[0] == flag })
		if err != nil {
			t.Fatal(err)
		}
		return nodes[0].static
	}
	want := config.Values{
		"node.id": "7", "listeners": "PLAINTEXT://10.0.0.7:9999", "log.retention.ms": "1000",
		"controller.quorum.voters": "7@10.0.0.7:9999", "process.roles": allRoles, "log.dirs": dir,
		"offsets.topic.replication.factor": "1", "transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1",
	}
	if diff := cmp.Diff(want, static(f), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("nothing given: %s", diff)
	}
	want["listeners"], want["controller.quorum.voters"] = "PLAINTEXT://127.0.0.1:9092", "7@127.0.0.1:9092"
	if diff := cmp.Diff(want, static(f, "listen")); diff != "" {
		t.Errorf("--listen given: %s", diff)
	}
	f.set = []string{"log.retention.ms=5"}
	if got := static(f, "listen")["log.retention.ms"]; got != "5" {
		t.Errorf("--set yields to the file: %s", got)
	}
}

// A single node's cluster is its data, not the address that it listens on.
func TestDataDirectoryKeepsItsCluster(t *testing.T) {
	dir := t.TempDir()
	if got := clusterID("", dir); got != "" {
		t.Errorf("an empty directory has cluster %q", got)
	}
	meta := "version=1\ncluster.id=abc\nnode.id=1\n"
	if err := os.WriteFile(filepath.Join(dir, "meta.properties"), []byte(meta), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := clusterID("", dir); got != "abc" {
		t.Errorf("cluster %q, want abc", got)
	}
	if got := clusterID("given", dir); got != "given" {
		t.Errorf("cluster %q, want the given one", got)
	}
}

func TestNodesOfAClusterShareTheirVoters(t *testing.T) {
	f := serveFlags{data: "d", listen: ":9092", nodeID: 1, brokers: 3, roles: allRoles}
	nodes, err := nodeConfigs(f, func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range nodes {
		if got := n.static["controller.quorum.voters"]; got != "1@localhost:9092,2@localhost:9093,3@localhost:9094" {
			t.Errorf("voters of node %d: %s", i+1, got)
		}
		if n.config.TopicDefaults.MinInSyncReplicas != 2 || n.config.ReplicationFactor != 3 {
			t.Errorf("node %d: min.insync.replicas %d, replication factor %d", i+1, n.config.TopicDefaults.MinInSyncReplicas, n.config.ReplicationFactor)
		}
	}
	if nodes[1].static["advertised.listeners"] != "PLAINTEXT://localhost:9093" || nodes[1].dir != filepath.Join("d", "n2") {
		t.Errorf("node 2: %s in %s", nodes[1].static["advertised.listeners"], nodes[1].dir)
	}
}

// The internal topics get as many replicas as there can be, unless somebody says otherwise.
func TestInternalTopicsOfSmallClusters(t *testing.T) {
	for _, c := range []struct {
		name    string
		f       serveFlags
		factors int
		minISR  int
	}{
		{"one", serveFlags{brokers: 1}, 1, 1},
		{"two", serveFlags{brokers: 2}, 2, 1},
		{"three", serveFlags{brokers: 3}, 3, 2},
		{"one of a larger cluster", serveFlags{brokers: 1, voters: "1@localhost:9092,2@b:9092,3@c:9092"}, 3, 2},
		{"as it is told", serveFlags{brokers: 1, set: []string{"offsets.topic.replication.factor=5", "transaction.state.log.replication.factor=5", "transaction.state.log.min.isr=4"}}, 5, 4},
	} {
		c.f.data, c.f.listen, c.f.nodeID, c.f.roles = "d", ":9092", 1, allRoles
		nodes, err := nodeConfigs(c.f, func(string) bool { return false })
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		b := nodes[0].config
		if b.OffsetsTopicReplication != c.factors || b.TxnTopicReplication != c.factors || b.TxnTopicMinISR != c.minISR {
			t.Errorf("%s: replication factors %d and %d, min.insync.replicas %d", c.name, b.OffsetsTopicReplication, b.TxnTopicReplication, b.TxnTopicMinISR)
		}
	}
}

func TestByteCountsForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1500: "1.5 kB", 2_000_000: "2.0 MB", 3_100_000_000: "3.1 GB"} {
		if got := byteCount(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
