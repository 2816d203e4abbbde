package raft_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"odradek/broker/raft"
	"odradek/broker/wire"
)

// A cluster is a whole quorum in memory: deciders, and for each a shell with a log
// and files of which only what was synced survives a power loss. Nothing happens
// by itself: the transcript or the random schedule delivers messages, completes
// disk operations and moves the clocks. The invariants are checked all the time.
type cluster struct {
	nodes []*node // by id, from 1
	net   []*message
	cut   map[[2]wire.NodeID]bool
	rand  *rand.Rand
	trace func(format string, args ...any)

	// What is known about the whole history.
	leaders    map[wire.LeaderEpoch]wire.NodeID
	chain      map[raft.OffsetAndEpoch]uint64 // record (offset, epoch) -> hash of the log up to it
	committed  []uint64                       // hash of the log up to each committed record
	violations []string
	payload    uint64
}

func newCluster(seed uint64, voters, observers int) *cluster {
	c := &cluster{
		cut:     map[[2]wire.NodeID]bool{},
		rand:    rand.New(rand.NewPCG(seed, 1)),
		trace:   func(string, ...any) {},
		leaders: map[wire.LeaderEpoch]wire.NodeID{},
		chain:   map[raft.OffsetAndEpoch]uint64{},
	}
	ids := make([]wire.NodeID, voters)
	for i := range ids {
		ids[i] = wire.NodeID(i + 1)
	}
	for i := range voters + observers {
		n := &node{c: c, id: wire.NodeID(i + 1), voters: ids, disk: disk{quorum: raft.EmptyQuorumState()}}
		n.cfg = raft.DefaultConfig()
		n.cfg.NodeID, n.cfg.Voters = n.id, ids
		n.cfg.FetchMaxBytes = 4
		n.cfg.SnapshotMaxBytes = 8
		n.cfg.Rand = rand.New(rand.NewPCG(seed, uint64(100+i)))
		n.cfg.Fail = &n.fail
		c.nodes = append(c.nodes, n)
	}
	return c
}

func (c *cluster) start() {
	for _, n := range c.nodes {
		n.start()
	}
}

func (c *cluster) node(id wire.NodeID) *node { return c.nodes[id-1] }

func (c *cluster) violation(format string, args ...any) {
	c.violations = append(c.violations, fmt.Sprintf(format, args...))
	c.trace("VIOLATION: "+format, args...)
}

// deliver takes one message from the network to its receiver.
func (c *cluster) deliver(m *message) {
	i := slices.Index(c.net, m)
	c.net = slices.Delete(c.net, i, i+1)
	to := c.node(m.to)
	if m.resp != nil && m.life != to.life {
		return
	}
	if !to.up || c.cut[[2]wire.NodeID{m.from, m.to}] {
		c.net = append(c.net, m)
		c.drop(m)
		return
	}
	c.trace("%s", m)
	if m.resp == nil {
		to.token++
		token := to.token
		to.tokens[token] = m
		to.input(func(now int64, r *raft.Raft) { r.Request(now, token, m.req) })
		return
	}
	if f, ok := m.resp.(raft.FetchResponse); ok {
		f.Batches = describe(f.Records)
		m.resp = f
	}
	to.input(func(now int64, r *raft.Raft) { r.Response(now, m.id, m.resp) })
}

// drop loses a message; the node that waits for an answer learns that the
// connection broke.
func (c *cluster) drop(m *message) {
	if i := slices.Index(c.net, m); i >= 0 {
		c.net = slices.Delete(c.net, i, i+1)
	}
	asker := m.from
	if m.resp != nil {
		asker = m.to
	}
	n := c.node(asker)
	if n.life != m.life {
		return
	}
	n.input(func(now int64, r *raft.Raft) { r.RequestFailed(now, m.id) })
}

// elected checks election safety and leader completeness.
func (c *cluster) elected(n *node, epoch wire.LeaderEpoch) {
	if other, ok := c.leaders[epoch]; ok {
		c.violation("election safety: nodes %d and %d both lead epoch %d", other, n.id, epoch)
	}
	c.leaders[epoch] = n.id
	if k := wire.Offset(len(c.committed)); k > 0 {
		chain, ok := n.mem.chainAt(k)
		if k <= n.mem.start { // a snapshot of committed records covers it
			return
		}
		if !ok || chain != c.committed[k-1] {
			c.violation("leader completeness: node %d leads epoch %d without record %d", n.id, epoch, k-1)
		}
	}
}

// advanced checks that what a node takes for committed is, and stays so.
func (c *cluster) advanced(n *node, hw wire.Offset) {
	if hw <= n.hw {
		c.violation("monotonic high watermark: node %d goes from %d to %d", n.id, n.hw, hw)
	}
	n.hw = hw
	c.trace("%d: high watermark %d", n.id, hw)
	if hw > n.written {
		c.violation("node %d: high watermark %d, readable up to %d", n.id, hw, n.written)
	}
	chain, ok := n.mem.chainAt(hw)
	if !ok {
		c.violation("node %d: high watermark %d outside its log [%d, %d]", n.id, hw, n.mem.start, n.mem.end())
		return
	}
	if hw <= wire.Offset(len(c.committed)) {
		if c.committed[hw-1] != chain {
			c.violation("state machine safety: node %d commits another log up to %d", n.id, hw)
		}
		return
	}
	if n.raft.Status().State != raft.Leader {
		c.violation("node %d commits %d before a leader has", n.id, hw)
	}
	durable := 0
	for _, id := range n.voters {
		v := c.node(id)
		if h, ok := v.disk.chainAt(hw); v.disk.start >= hw || ok && h == chain {
			durable++
		}
	}
	if durable <= len(n.voters)/2 {
		c.violation("durable majority: node %d commits %d, %d voters have it on disk", n.id, hw, durable)
	}
	for k := wire.Offset(len(c.committed)); k < hw; k++ {
		h, ok := n.mem.chainAt(k + 1)
		if !ok {
			panic("gap in the committed log")
		}
		c.committed = append(c.committed, h)
	}
}

// nextDeadline is the earliest deadline of a running node.
func (c *cluster) nextDeadline() (n *node, in time.Duration) {
	in = math.MaxInt64
	for _, m := range c.nodes {
		if m.up && m.raft.Deadline() < math.MaxInt64 {
			if d := time.Duration(m.raft.Deadline() - m.now); d < in {
				n, in = m, d
			}
		}
	}
	return n, in
}

func (c *cluster) passTime(d time.Duration) {
	for _, n := range c.nodes {
		n.now += int64(d)
	}
}
