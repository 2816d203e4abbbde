package interop

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// binary is the broker under test.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		scratch, err := os.MkdirTemp("", "odradek-interop-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(scratch)
		if binary = os.Getenv("ODRADEK_BIN"); binary == "" {
			binary = filepath.Join(scratch, "odradek")
			build := exec.Command("go", "build", "-o", binary, "./cmd/odradek")
			build.Dir = ".."
			if out, err := build.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "building the broker: %v\n%s", err, out)
				return 1
			}
		}
		defer stopShared()
		return m.Run()
	}())
}

// cluster is a few broker processes on loopback.
type cluster struct {
	nodes []*node
}

// node is one broker process, and what it takes to start it again.
type node struct {
	id        int32
	addr, dir string
	args      []string
	log       *journal
	cmd       *exec.Cmd
	exited    chan struct{}
}

var (
	sharedMu sync.Mutex
	shared   = map[int]*cluster{}
)

// sharedCluster is a cluster of that size that tests have in common. They keep to
// topics of their own and leave its nodes alone.
func sharedCluster(t *testing.T, size int) *cluster {
	sharedMu.Lock()
	defer sharedMu.Unlock()
	if shared[size] == nil {
		dir, err := os.MkdirTemp("", "odradek-interop-data-")
		if err != nil {
			t.Fatal(err)
		}
		shared[size] = startCluster(t, size, dir)
	}
	return shared[size]
}

func stopShared() {
	for _, c := range shared {
		c.stop()
		_ = os.RemoveAll(filepath.Dir(c.nodes[0].dir))
	}
}

// ownCluster is a cluster for this test alone. It is gone when the test ends, and
// what its nodes said is in the test's log if it failed.
func ownCluster(t *testing.T, size int, sets ...string) *cluster {
	c := startCluster(t, size, t.TempDir(), sets...)
	t.Cleanup(func() {
		c.stop()
		if t.Failed() {
			for _, n := range c.nodes {
				t.Logf("node %d said last:\n%s", n.id, tail(n.log.String(), 40))
			}
		}
	})
	return c
}

func startCluster(t *testing.T, size int, dir string, sets ...string) *cluster {
	t.Helper()
	c, up := &cluster{}, false
	t.Cleanup(func() {
		if !up {
			c.stop()
		}
	})
	var voters []string
	for i, port := range freePorts(t, size) {
		n := &node{id: int32(i + 1), addr: fmt.Sprintf("127.0.0.1:%d", port), log: new(journal)}
		n.dir = filepath.Join(dir, fmt.Sprintf("n%d", n.id))
		voters = append(voters, fmt.Sprintf("%d@%s", n.id, n.addr))
		c.nodes = append(c.nodes, n)
	}
	// The fixture's timestamps are from 2023: retention would take it away.
	sets = append([]string{"log.retention.ms=-1"}, sets...)
	if size >= 3 {
		sets = append([]string{"default.replication.factor=3", "min.insync.replicas=2"}, sets...)
	}
	for _, n := range c.nodes {
		n.args = []string{"serve", "--data", n.dir, "--node-id", fmt.Sprint(n.id), "--listen", n.addr,
			"--voters", strings.Join(voters, ",")}
		for _, s := range sets {
			n.args = append(n.args, "--set", s)
		}
		n.start(t)
	}
	c.awaitBrokers(t)
	up = true
	return c
}

// nextPort is below the range from which the system takes the ports of outgoing
// connections: one of those must not sit on a killed node's port. Another run of
// these tests begins elsewhere.
var nextPort = 20000 + os.Getpid()%100*100

func freePorts(t *testing.T, count int) []int {
	var ports []int
	for ; len(ports) < count; nextPort++ {
		if nextPort > 32000 {
			t.Fatal("no free ports up to 32000")
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", nextPort))
		if err != nil {
			continue
		}
		_ = l.Close()
		ports = append(ports, nextPort)
	}
	return ports
}

// processAttributes are set where the system can help to leave no orphans.
var processAttributes *syscall.SysProcAttr

func (n *node) start(t *testing.T) {
	t.Helper()
	cmd, exited := exec.Command(binary, n.args...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = n.log, n.log
	cmd.SysProcAttr = processAttributes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.cmd, n.exited = cmd, exited
	go func() {
		_ = cmd.Wait() // how a node ended is in its log
		close(exited)
	}()
}

// kill is kill -9: the process is gone at once, what the system has cached stays.
func (n *node) kill() {
	_ = n.cmd.Process.Kill() // it has ended already
	<-n.exited
}

// shutdown stops the node in good order.
func (n *node) shutdown(t *testing.T) {
	t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-n.exited:
	case <-time.After(patience):
		t.Fatalf("node %d does not stop:\n%s", n.id, tail(n.log.String(), 40))
	}
}

func (c *cluster) stop() {
	for _, n := range c.nodes {
		if n.cmd != nil {
			n.kill()
		}
	}
}

func (c *cluster) bootstrap() string {
	var addrs []string
	for _, n := range c.nodes {
		addrs = append(addrs, n.addr)
	}
	return strings.Join(addrs, ",")
}

func (c *cluster) ids() []int32 {
	var ids []int32
	for _, n := range c.nodes {
		ids = append(ids, n.id)
	}
	return ids
}

// franz is franz-go's client, which tests ask when no client is under test.
func (c *cluster) franz(t *testing.T) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(c.bootstrap(), ",")...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// metadata asks one node, past the client's cache.
func (c *cluster) metadata(ctx context.Context, cl *kgo.Client, n *node, topics ...string) (*kmsg.MetadataResponse, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	for _, name := range topics {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, topic)
	}
	i := slices.Index(c.nodes, n)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	resp, err := req.RequestWith(ctx, cl.SeedBrokers()[i])
	if err != nil {
		return nil, fmt.Errorf("node %d: %w", n.id, err)
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return nil, fmt.Errorf("node %d: %w", n.id, err)
		}
	}
	return resp, nil
}

// awaitBrokers waits until every node knows every broker.
func (c *cluster) awaitBrokers(t *testing.T) {
	t.Helper()
	cl := c.franz(t)
	c.await(t, "all brokers to be registered", func(ctx context.Context) error {
		for _, n := range c.nodes {
			m, err := c.metadata(ctx, cl, n)
			if err != nil {
				return err
			}
			var ids []int32
			for _, b := range m.Brokers {
				ids = append(ids, b.NodeID)
			}
			slices.Sort(ids)
			if !slices.Equal(ids, c.ids()) {
				return fmt.Errorf("node %d knows brokers %v", n.id, ids)
			}
		}
		return nil
	})
}

// awaitInSync waits until every node knows the topic, with every replica in sync.
func (c *cluster) awaitInSync(t *testing.T, topic string) {
	t.Helper()
	cl := c.franz(t)
	c.await(t, "all replicas to be in sync", func(ctx context.Context) error {
		for _, n := range c.nodes {
			m, err := c.metadata(ctx, cl, n, topic)
			if err != nil {
				return err
			}
			for _, p := range m.Topics[0].Partitions {
				if p.ErrorCode != 0 || len(p.ISR) != len(p.Replicas) || p.Leader < 0 {
					return fmt.Errorf("node %d: partition %d: leader %d, in sync %v of %v, error %d",
						n.id, p.Partition, p.Leader, p.ISR, p.Replicas, p.ErrorCode)
				}
			}
		}
		return nil
	})
}

// leader is the node that leads the partition in the eyes of any that answers.
func (c *cluster) leader(t *testing.T, topic string, partition int32) *node {
	t.Helper()
	var leader *node
	cl := c.franz(t)
	c.await(t, "a leader", func(ctx context.Context) (err error) {
		for _, asked := range c.nodes {
			var m *kmsg.MetadataResponse
			if m, err = c.metadata(ctx, cl, asked, topic); err != nil {
				continue
			}
			for _, p := range m.Topics[0].Partitions {
				i := slices.Index(c.ids(), p.Leader)
				if p.Partition == partition && i >= 0 {
					leader = c.nodes[i]
					return nil
				}
			}
			err = fmt.Errorf("node %d knows no leader", asked.id)
		}
		return err
	})
	return leader
}

func (c *cluster) await(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			for _, n := range c.nodes {
				t.Logf("node %d said last:\n%s", n.id, tail(n.log.String(), 20))
			}
			t.Fatalf("waited in vain for %s: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// create makes a topic through the reference client and waits for its leaders.
func (c *cluster) create(t *testing.T, topic string, partitions int, configs map[string]*string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := kadm.NewClient(c.franz(t)).CreateTopic(ctx, int32(partitions), int16(len(c.nodes)), configs, topic)
	if err == nil {
		err = resp.Err
	}
	if err != nil {
		t.Fatalf("creating %s: %v %s", topic, err, resp.ErrMessage)
	}
	c.awaitInSync(t, topic)
}

// journal is what a process wrote so far.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
