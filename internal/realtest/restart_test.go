package realtest_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odradek/internal/realtest"
)

func TestRestartInGoodOrderKeepsEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startOn(t, dir, "127.0.0.1:0")
	cl := client(t, p.Addr, kgo.AllowAutoTopicCreation())
	want := numbers("first", 500)
	produce(t, cl, "kept", want...)
	stop(t, p)

	// On another port, too: a single node's cluster is its data, not its address.
	p = startOn(t, dir, "127.0.0.1:0")
	if strings.Contains(p.Log(), "recover") {
		t.Errorf("a log was recovered after a clean stop:\n%s", p.Log())
	}
	if diff := cmp.Diff(want, values(t, p.Addr, "kept")); diff != "" {
		t.Error(diff)
	}
	more := numbers("second", 500)
	produce(t, client(t, p.Addr), "kept", more...)
	stop(t, p)

	p = startOn(t, dir, "127.0.0.1:0")
	if diff := cmp.Diff(append(want, more...), values(t, p.Addr, "kept")); diff != "" {
		t.Error(diff)
	}
}

// A broker that was killed comes back at once, though its old session lives on in its
// controller's eyes.
func TestKilledNodeServesAgainAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startOn(t, dir, "127.0.0.1:0")
	produce(t, client(t, p.Addr, kgo.AllowAutoTopicCreation()), "kept", "x")
	p.Kill()
	p = startOn(t, dir, p.Addr)
	if took := time.Since(p.Started()); took > 5*time.Second { // the session would be 9 s
		t.Errorf("ready only after %v", took)
	}
	if got := values(t, p.Addr, "kept"); len(got) != 1 {
		t.Errorf("records after the restart: %q", got)
	}
}

// Three processes: one is killed, the others go on; it comes back and joins the ISR.
func TestClusterSurvivesAKilledNode(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	addrs := freeAddrs(t, 3)
	var voters []string
	for i, a := range addrs {
		voters = append(voters, fmt.Sprintf("%d@%s", i+1, a))
	}
	launch := func(i int) *realtest.Process {
		p, err := realtest.Launch(binary, fmt.Sprintf("%s/%d", root, i+1), addrs[i], "--node-id", fmt.Sprint(i+1),
			"--voters", strings.Join(voters, ","), "--set", "broker.session.timeout.ms=3000", "--set", "broker.heartbeat.interval.ms=300")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			p.Kill()
			if t.Failed() {
				t.Logf("log of node %d:\n%s", i+1, p.Log())
			}
		})
		return p
	}
	nodes := make([]*realtest.Process, 3)
	for i := range nodes {
		nodes[i] = launch(i)
	}
	for _, p := range nodes {
		if err := p.AwaitReady(); err != nil {
			t.Fatal(err)
		}
	}
	cl := client(t, strings.Join(addrs[:1], ","), kgo.SeedBrokers(addrs...))
	adm := kadm.NewClient(cl)
	if _, err := adm.CreateTopic(patience(t), 3, 3, map[string]*string{"min.insync.replicas": kadm.StringPtr("2")}, "safe"); err != nil {
		t.Fatal(err)
	}
	want := numbers("before", 300)
	produce(t, cl, "safe", want...)
	nodes[0].Kill()
	during := numbers("during", 300)
	produce(t, cl, "safe", during...)
	nodes[0] = launch(0)
	if err := nodes[0].AwaitReady(); err != nil {
		t.Fatal(err)
	}
	if err := eventually(t, func() error {
		topics, err := adm.ListTopics(patience(t), "safe")
		if err != nil {
			return err
		}
		for _, p := range topics["safe"].Partitions.Sorted() {
			if len(p.ISR) != 3 {
				return fmt.Errorf("ISR of partition %d: %v", p.Partition, p.ISR)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	after := numbers("after", 300)
	produce(t, cl, "safe", after...)
	count := make(map[string]int)
	for _, v := range values(t, addrs[0], "safe") {
		count[v]++
	}
	for _, v := range append(append(want, during...), after...) {
		if count[v] == 0 {
			t.Errorf("%s is lost", v)
		}
	}
	for i := len(nodes) - 1; i > 0; i-- {
		stop(t, nodes[i])
	}
}

// freeAddrs are addresses that were free a moment ago.
func freeAddrs(t *testing.T, n int) []string {
	t.Helper()
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// consecutiveAddr is the first of n addresses in a row that were free a moment ago.
func consecutiveAddr(t *testing.T, n int) string {
	t.Helper()
search:
	for port := 20000 + 10*(os.Getpid()%2000); port < 60000; port += n {
		for i := range n {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+i))
			if err != nil {
				continue search
			}
			defer l.Close()
		}
		return fmt.Sprintf("127.0.0.1:%d", port)
	}
	t.Fatal("no free ports in a row")
	return ""
}

func TestNothingAcknowledgedIsLostByKill9(t *testing.T) {
	for _, flush := range []bool{false, true} {
		t.Run(fmt.Sprintf("flush %t", flush), func(t *testing.T) {
			t.Parallel()
			r, err := realtest.Torture(realtest.TortureOptions{
				Binary: binary, DataDir: t.TempDir(), Kills: 3, Flush: flush, Rate: 2000,
				MinLife: 100 * time.Millisecond, MaxLife: 400 * time.Millisecond, Seed: 1,
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.Err() != nil || r.Acknowledged == 0 || r.Kills != 3 {
				t.Errorf("%d kills, %d records acknowledged: %v", r.Kills, r.Acknowledged, r.Err())
			}
		})
	}
}
