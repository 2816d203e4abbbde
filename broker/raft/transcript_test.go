package raft_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"odradek/broker/failpoint"
	"odradek/broker/raft"
	"odradek/broker/wire"
)

// TestTranscripts plays testdata. The commands:
//
//	cluster voters=3 observers=1 seed=1   a new cluster, all nodes up
//	campaign 1          node 1's clock runs ahead until it gives up waiting
//	deliver [1 2]       every message in flight, or those between the nodes, once
//	drop                loses every message in flight; their senders learn of it
//	stabilize           delivers and completes disk operations until all is quiet
//	advance 2s          time passes for all; deadlines are met, and all stabilizes
//	disk 2 hold|release|sync  operations of node 2's disk wait, or complete
//	propose 1 n=3       the leader appends a batch of records
//	snapshot 1 at=5     node 1 writes a snapshot
//	resign 1            the leader gives up
//	isolate 1 2         nodes 1 and 2 are cut off from the others
//	heal                no node is cut off any more
//	crash 2 [lose-unsynced|keep=1]  the process dies, or the power fails; then what
//	                    was not synced is lost, but for the first operations on the log
//	restart 2
//	arm 2 name          arms a failpoint
//	state               a line for each node
//
// The argument quiet leaves out what happens meanwhile.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var c *cluster
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			tell := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
			quiet := d.HasArg("quiet")
			if d.Cmd == "cluster" {
				voters, observers, seed := 3, 0, 1
				d.MaybeScanArgs(t, "voters", &voters)
				d.MaybeScanArgs(t, "observers", &observers)
				d.MaybeScanArgs(t, "seed", &seed)
				c = newCluster(uint64(seed), voters, observers)
				c.start()
				return "ok"
			}
			c.trace = tell
			if quiet {
				c.trace = func(format string, args ...any) {
					if strings.HasPrefix(format, "VIOLATION") {
						tell(format, args...)
					}
				}
			}
			c.command(t, d, tell)
			if out.Len() == 0 {
				return "ok"
			}
			return out.String()
		})
	})
}

// nodes are the arguments that are node ids.
func (c *cluster) args(d *datadriven.TestData) []*node {
	var ns []*node
	for _, a := range d.CmdArgs {
		if id, err := strconv.Atoi(a.Key); err == nil {
			ns = append(ns, c.node(wire.NodeID(id)))
		}
	}
	return ns
}

func (c *cluster) command(t *testing.T, d *datadriven.TestData, tell func(string, ...any)) {
	ns := c.args(d)
	switch d.Cmd {
	case "campaign":
		n := ns[0]
		for before := n.raft.Status().State; n.raft.Status().State == before; {
			n.now = max(n.now, n.raft.Deadline())
			n.tick()
		}
	case "deliver":
		for _, m := range slices.Clone(c.net) {
			if len(ns) == 2 && !(m.from == ns[0].id && m.to == ns[1].id || m.from == ns[1].id && m.to == ns[0].id) {
				continue
			}
			if slices.Contains(c.net, m) {
				c.deliver(m)
			}
		}
	case "drop":
		for _, m := range slices.Clone(c.net) {
			c.drop(m)
		}
	case "stabilize":
		c.stabilize()
	case "advance":
		span, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		c.advance(span)
	case "disk":
		n := ns[0]
		n.hold = d.HasArg("hold")
		if d.HasArg("sync") {
			for len(n.quorumOps) > 0 {
				n.completeQuorum()
			}
			for len(n.logOps) > 0 {
				n.completeLog()
			}
		}
	case "propose":
		var count int
		d.ScanArgs(t, "n", &count)
		if !ns[0].propose(count) {
			tell("not the leader")
		}
	case "snapshot":
		var at int
		d.ScanArgs(t, "at", &at)
		ns[0].takeSnapshot(wire.Offset(at))
	case "resign":
		epoch := ns[0].raft.Status().Quorum.LeaderEpoch
		ns[0].input(func(now int64, r *raft.Raft) { r.Resign(now, epoch) })
	case "isolate":
		for _, a := range c.nodes {
			for _, b := range c.nodes {
				if slices.Contains(ns, a) != slices.Contains(ns, b) {
					c.cut[[2]wire.NodeID{a.id, b.id}] = true
				}
			}
		}
	case "heal":
		clear(c.cut)
	case "crash":
		n := ns[0]
		keep := -1
		d.MaybeScanArgs(t, "keep", &keep)
		if d.HasArg("lose-unsynced") {
			n.crash(0, 0)
		} else if keep >= 0 {
			n.crash(keep, 0)
		} else {
			n.crash(len(n.logOps), len(n.quorumOps))
		}
	case "restart":
		ns[0].start()
	case "arm":
		if err := ns[0].fail.Arm(failpoint.Name(d.CmdArgs[1].Key), "return(true)"); err != nil {
			t.Fatal(err)
		}
	case "state":
		tell("%s", strings.TrimSuffix(c.state(), "\n"))
	default:
		t.Fatalf("no command %s", d.Cmd)
	}
}

// advance lets time pass for all nodes alike.
func (c *cluster) advance(span time.Duration) {
	c.stabilize()
	for {
		n, in := c.nextDeadline()
		if n == nil || in > span {
			c.passTime(span)
			return
		}
		in = max(in, 0)
		span -= in
		c.passTime(in)
		for _, m := range c.nodes {
			if m.up && m.raft.Deadline() <= m.now {
				m.tick()
			}
		}
		c.stabilize()
	}
}
