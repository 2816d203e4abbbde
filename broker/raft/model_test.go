package raft_test

import (
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"odradek/broker/failpoint"
	"odradek/broker/raft"
	"odradek/broker/wire"
)

// schedule plays steps random events on a cluster drawn from the seed: messages in
// any order and lost, disks that lag, crashes with and without power loss,
// partitions, clocks that run apart, snapshots.
func schedule(c *cluster, steps int) {
	c.start()
	for range steps {
		if len(c.violations) > 0 {
			return
		}
		c.randomStep()
		// Power fails where a quorum state is on its way to the disk.
		if n := c.nodes[c.rand.IntN(len(c.nodes))]; n.up && len(n.quorumOps) > 0 && c.rand.IntN(50) == 0 {
			n.crash(0, 0)
			n.start()
		}
	}
}

func (c *cluster) randomStep() {
	n := c.nodes[c.rand.IntN(len(c.nodes))]
	switch p := c.rand.IntN(1000); {
	case p < 480:
		if len(c.net) > 0 {
			c.deliver(c.net[c.rand.IntN(len(c.net))])
		} else {
			c.completeSome(n)
		}
	case p < 680:
		c.completeSome(n)
	case p < 760:
		n.reportWritten()
	case p < 840:
		n.propose(1 + c.rand.IntN(3))
	case p < 900:
		c.randomTime()
	case p < 915:
		if n.up && n.hw > n.mem.start {
			n.takeSnapshot(n.mem.start + 1 + wire.Offset(c.rand.IntN(int(n.hw-n.mem.start))))
		}
	case p < 925:
		if len(c.net) > 0 {
			c.drop(c.net[c.rand.IntN(len(c.net))])
		}
	case p < 930:
		// Lost without a word: only the time-out tells.
		if len(c.net) > 0 {
			i := c.rand.IntN(len(c.net))
			c.net = slices.Delete(c.net, i, i+1)
		}
	case p < 937:
		if n.up {
			n.crash(c.rand.IntN(len(n.logOps)+1), c.rand.IntN(1+len(n.quorumOps)*c.rand.IntN(2)))
		}
	case p < 942:
		if n.up {
			n.crash(len(n.logOps), len(n.quorumOps))
		}
	case p < 980:
		if !n.up {
			n.start()
		}
	case p < 984:
		for i := range c.nodes {
			for j := range c.nodes {
				c.cut[[2]wire.NodeID{wire.NodeID(i + 1), wire.NodeID(j + 1)}] = c.rand.IntN(3) == 0
			}
		}
	case p < 998:
		clear(c.cut)
	default:
		if n.up {
			epoch := n.raft.Status().Quorum.LeaderEpoch
			n.input(func(now int64, r *raft.Raft) { r.Resign(now, epoch) })
		}
	}
}

func (c *cluster) completeSome(n *node) {
	if n.up && len(n.logOps) > 0 && c.rand.IntN(2) == 0 {
		n.completeLog()
	} else if n.up && len(n.quorumOps) > 0 {
		n.completeQuorum()
	}
}

// randomTime lets the next deadline, or the one of any node, pass.
func (c *cluster) randomTime() {
	n, in := c.nextDeadline()
	if n == nil {
		return // nobody is up, or waits for anything but its disk
	}
	if c.rand.IntN(4) == 0 {
		n = c.nodes[c.rand.IntN(len(c.nodes))] // its clock runs ahead
		if n.up && n.raft.Deadline() < math.MaxInt64 {
			n.now = max(n.now, n.raft.Deadline())
			n.tick()
		}
		return
	}
	c.passTime(max(in, 0))
	for _, m := range c.nodes {
		if m.up && m.raft.Deadline() <= m.now {
			m.tick()
		}
	}
}

// settle mends everything and waits for a leader that commits on all nodes.
func (c *cluster) settle() error {
	clear(c.cut)
	for _, n := range c.nodes {
		if !n.up {
			n.start()
		}
	}
	proposed := false
	for waited := time.Duration(0); waited < time.Minute; {
		c.stabilize()
		if len(c.violations) > 0 {
			return nil
		}
		if lead := c.readyLeader(); lead != nil && !proposed {
			proposed = lead.propose(1)
			c.stabilize()
		}
		if proposed && c.caughtUp() {
			return nil
		}
		_, in := c.nextDeadline()
		in = max(in, time.Millisecond)
		waited += in
		c.passTime(in)
		for _, n := range c.nodes {
			n.tick()
		}
	}
	return fmt.Errorf("no progress after everything was mended:\n%s", c.state())
}

func (c *cluster) readyLeader() *node {
	for _, n := range c.nodes {
		if n.up && n.raft.Status().Ready {
			return n
		}
	}
	return nil
}

func (c *cluster) caughtUp() bool {
	for _, n := range c.nodes {
		if n.hw != n.mem.end() || n.hw != wire.Offset(len(c.committed)) {
			return false
		}
	}
	return true
}

// stabilize delivers and completes until nothing is under way.
func (c *cluster) stabilize() {
	for busy := true; busy; {
		busy = false
		for _, n := range c.nodes {
			if !n.up {
				continue
			}
			n.reportWritten()
			for n.up && !n.hold && len(n.quorumOps) > 0 {
				n.completeQuorum()
				busy = true
			}
			for n.up && !n.hold && len(n.logOps) > 0 {
				n.completeLog()
				busy = true
			}
		}
		if len(c.net) > 0 {
			c.deliver(c.net[0])
			busy = true
		}
	}
}

// state shows every node in a line.
func (c *cluster) state() string {
	s := ""
	for _, n := range c.nodes {
		if !n.up {
			s += fmt.Sprintf("%d: down, log [%d, %d), %+v\n", n.id, n.disk.start, n.disk.end(), n.disk.quorum)
			continue
		}
		st := n.raft.Status()
		s += fmt.Sprintf("%d: %v epoch %d leader %d voted %d, log [%d, %d) flushed %d last epoch %d, high watermark %d\n",
			n.id, st.State, st.Quorum.LeaderEpoch, st.Quorum.LeaderID, st.Quorum.VotedID,
			st.LogStartOffset, st.LogEndOffset, st.FlushedOffset, st.LastEpoch, st.HighWatermark)
	}
	return s
}

// shape draws the cluster of a seed.
func shape(seed uint64) *cluster {
	sizes := [][2]int{{3, 0}, {3, 1}, {5, 0}, {1, 1}, {2, 0}, {4, 1}}
	s := sizes[seed%uint64(len(sizes))]
	return newCluster(seed, s[0], s[1])
}

var (
	schedules = flag.Uint64("schedules", 3000, "random schedules to play")
	first     = flag.Uint64("first", 0, "seed of the first of them")
	verbose   = flag.Bool("story", false, "tell what happens in them")
)

const steps = 1000

func TestRandomSchedulesKeepTheInvariants(t *testing.T) {
	var epochs, committed, snapshots int
	for seed := *first; seed < *first+*schedules; seed++ {
		c := shape(seed)
		if *verbose {
			c.trace = t.Logf
		}
		schedule(c, steps)
		err := error(nil)
		if len(c.violations) == 0 {
			err = c.settle()
		}
		if len(c.violations) > 0 || err != nil {
			t.Fatalf("seed %d: %v %v\n%s", seed, c.violations, err, c.state())
		}
		epochs += len(c.leaders)
		committed += len(c.committed)
		for _, n := range c.nodes {
			if n.mem.start > 0 {
				snapshots++
			}
		}
	}
	t.Logf("%d leaders, %d committed records, %d logs behind a snapshot", epochs, committed, snapshots)
	// Schedules that hardly elect or commit would prove nothing.
	if n := int(*schedules); n >= 100 && (epochs < 3*n || committed < 10*n || snapshots < n/4) {
		t.Errorf("the schedules do too little")
	}
}

func TestRandomSchedulesFindVoteBeforeDurable(t *testing.T) {
	for seed := range uint64(30000) {
		c := newCluster(seed, 3, 0)
		for _, n := range c.nodes {
			if err := n.fail.Arm(failpoint.ZooVoteBeforeDurable, "return(true)"); err != nil {
				t.Fatal(err)
			}
		}
		schedule(c, steps)
		if len(c.violations) > 0 {
			t.Logf("seed %d: %s", seed, c.violations[0])
			if !strings.HasPrefix(c.violations[0], "election safety") {
				t.Fatalf("seed %d: want two leaders in an epoch first, got %s", seed, c.violations[0])
			}
			return
		}
	}
	t.Fatal("the planted bug was not found")
}
