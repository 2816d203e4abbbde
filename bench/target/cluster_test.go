package target

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"odradek/bench"
)

// shell is a cluster of one node that runs a script instead of a broker: it never answers.
func shell(t *testing.T, script string) *cluster {
	t.Helper()
	addrs, err := freeAddrs(1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlace(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	n := &processNode{address: addrs[0], logFile: p.of(1, ".log"), command: func() *exec.Cmd { return exec.Command("sh", "-c", script) }}
	c := &cluster{info: bench.Target{Name: "shell"}, place: p, nodes: []node{n}}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(string(p)), "*")); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
	return c
}

func TestStartOfWhatEndsSaysWhy(t *testing.T) {
	c := shell(t, "echo the disk is made of cheese; exit 3")
	_, err := bringUp(c)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "cheese") {
		t.Errorf("%v does not have the exit status and the log", err)
	}
}

// Whoever measures learns that a broker has died, from the next look at its usage.
func TestUsageOfABrokerThatDiedIsAnError(t *testing.T) {
	c := shell(t, "echo the disk is made of cheese; exit 3")
	if err := c.nodes[0].start(); err != nil {
		t.Fatal(err)
	}
	<-c.nodes[0].(*processNode).process.exited
	if u, err := c.Usage(); err == nil || u != bench.Unknown || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(Logs(c), "cheese") {
		t.Errorf("usage %+v, %v, logs %q", u, err, Logs(c))
	}
	if err := c.Kill(1); err != nil {
		t.Errorf("what has died cannot be killed: %v", err)
	}
	if u, err := c.Usage(); err != nil || u.RSSBytes != 0 || u.CPUSeconds < 0 {
		t.Errorf("usage of a broker that was killed %+v, %v", u, err)
	}
}

// While a broker starts, it can be looked at and killed.
func TestRestartEndsWhenTheBrokerIsKilled(t *testing.T) {
	c := shell(t, "sleep 1000")
	restarted := make(chan error)
	go func() { restarted <- c.Restart(1) }()
	for begin := time.Now(); c.Kill(1) != nil; {
		if time.Since(begin) > startTimeout {
			t.Fatal("it never started")
		}
	}
	if err := <-restarted; err == nil || !strings.Contains(err.Error(), "killed while it was starting") {
		t.Errorf("restart: %v", err)
	}
	if _, err := c.Usage(); err != nil {
		t.Error(err)
	}
}

func TestConfigsOfInternalTopicsFitTheCluster(t *testing.T) {
	const replication = "offsets.topic.replication.factor"
	for _, c := range []struct {
		brokers int
		given   map[string]string
		want    string
	}{{1, nil, "1"}, {3, nil, ""}, {1, map[string]string{replication: "7"}, "7"}} {
		if got := (Options{Brokers: c.brokers, BrokerConfig: c.given}).brokerConfig()[replication]; got != c.want {
			t.Errorf("%d brokers, given %v: %q, want %q", c.brokers, c.given, got, c.want)
		}
	}
}
