package invariant

import (
	"slices"

	"pgregory.net/rapid"

	"odradek/broker/wire"
)

// cluster is one partition of three replicas, replicated correctly unless one of
// the mutations is on.
type cluster struct {
	checks   *Replication
	found    []Violation
	logs     [3][]Batch
	hw       [3]wire.Offset
	epochs   [3]wire.LeaderEpoch // that the node follows
	leader   wire.NodeID
	epoch    wire.LeaderEpoch
	started  wire.Offset // where the leader's epoch starts in its log
	isr      []wire.NodeID
	pepoch   wire.PartitionEpoch
	crc      uint32
	crossed  int // truncations, to know that the test is not vacuous
	elected  int
	mutation string
}

var testTP = wire.TopicPartition{Topic: "t"}

func newCluster(mutation string) *cluster {
	c := &cluster{checks: NewReplication(), isr: []wire.NodeID{0, 1, 2}, mutation: mutation}
	c.controller()
	for n := range c.logs {
		c.report(wire.NodeID(n))
	}
	return c
}

func (c *cluster) controller() {
	c.found = append(c.found, c.checks.Controller(Partition{ID: testTP, Leader: c.leader, LeaderEpoch: c.epoch, PartitionEpoch: c.pepoch, ISR: c.isr, MinISR: 2})...)
}

func (c *cluster) end(n wire.NodeID) wire.Offset {
	if l := c.logs[n]; len(l) > 0 {
		return l[len(l)-1].Last + 1
	}
	return 0
}

func (c *cluster) report(n wire.NodeID, changes ...Change) {
	r := Replica{Node: n, Running: true, LeaderEpoch: c.epochs[n], LogEnd: c.end(n), HighWatermark: c.hw[n], Changes: changes}
	if n == c.leader {
		r.Leader, r.MaximalISR, r.PartitionEpoch = true, c.isr, c.pepoch
	}
	c.found = append(c.found, c.checks.Replica(testTP, r)...)
}

func (c *cluster) append(t *rapid.T) {
	base := c.end(c.leader)
	c.crc++
	b := Batch{base, base + wire.Offset(rapid.IntRange(0, 2).Draw(t, "records")), c.epoch, c.crc}
	c.logs[c.leader] = append(c.logs[c.leader], b)
	c.report(c.leader, Change{Kind: Appended, Batch: b})
}

// fetch brings a follower one batch further, after truncating what its leader
// does not have.
func (c *cluster) fetch(n wire.NodeID) {
	if n == c.leader {
		return
	}
	lead, log := c.logs[c.leader], c.logs[n]
	var changes []Change
	common := 0
	for common < len(log) && common < len(lead) && log[common] == lead[common] {
		common++
	}
	if c.mutation == "truncate to own watermark" && c.epochs[n] != c.epoch {
		for common > 0 && log[common-1].Last >= c.hw[n] {
			common--
		}
	}
	if common < len(log) {
		c.crossed++
		changes = append(changes, Change{Kind: TruncatedTo, Offset: log[common].Base})
		log = log[:common]
	} else if len(log) < len(lead) {
		b := lead[len(log)]
		log = append(log, b)
		changes = append(changes, Change{Kind: Appended, Batch: b})
	}
	c.logs[n] = slices.Clip(log)
	c.epochs[n] = c.epoch
	c.hw[n] = min(c.hw[c.leader], c.end(n))
	c.report(n, changes...)
}

// advance moves the leader's high watermark, and acknowledges what it passes.
func (c *cluster) advance() {
	if len(c.isr) < 2 && c.mutation == "" {
		return
	}
	to := c.end(c.leader)
	if c.mutation != "ignore the ISR" {
		for _, n := range c.isr {
			if c.epochs[n] != c.epoch {
				return // it has not fetched yet in this epoch
			}
			to = min(to, c.end(n))
		}
	}
	if to <= c.hw[c.leader] {
		return
	}
	c.hw[c.leader] = to
	c.report(c.leader)
	if len(c.isr) >= 2 {
		c.found = append(c.found, c.checks.Acknowledged(testTP, c.leader, to-1)...)
	}
}

func (c *cluster) changeISR(t *rapid.T) {
	n := wire.NodeID(rapid.IntRange(0, 2).Draw(t, "member"))
	i := slices.Index(c.isr, n)
	switch {
	case n == c.leader:
		return
	case i >= 0:
		// The leader waits for a member until the controller has dropped it.
		c.isr = slices.Delete(slices.Clone(c.isr), i, i+1)
		c.pepoch++
		c.controller()
		c.report(c.leader)
	default:
		common := c.epochs[n] == c.epoch && c.end(n) >= max(c.hw[c.leader], c.started) && slices.Equal(c.logs[n], c.logs[c.leader][:min(len(c.logs[n]), len(c.logs[c.leader]))])
		if !common && c.mutation != "let laggards in" {
			return
		}
		// It waits for a new one before the controller has added it.
		c.isr = append(slices.Clone(c.isr), n)
		c.pepoch++
		c.report(c.leader)
		c.controller()
	}
}

func (c *cluster) elect(t *rapid.T) {
	n := rapid.SampledFrom(c.isr).Draw(t, "leader")
	if c.mutation == "elect anybody" {
		n = wire.NodeID(rapid.IntRange(0, 2).Draw(t, "leader"))
		c.isr = []wire.NodeID{n}
	}
	if n == c.leader {
		return
	}
	c.elected++
	c.leader = n
	c.pepoch++
	if c.mutation != "keep the epoch" {
		c.epoch++
	}
	c.epochs[n] = c.epoch
	c.started = c.end(n)
	c.controller()
	c.report(n)
}

func (c *cluster) run(t *rapid.T, steps int) {
	for range rapid.IntRange(steps/2, steps).Draw(t, "steps") {
		switch rapid.IntRange(0, 9).Draw(t, "step") {
		case 0, 1, 2:
			c.append(t)
		case 3, 4, 5:
			c.fetch(wire.NodeID(rapid.IntRange(0, 2).Draw(t, "follower")))
		case 6, 7:
			c.advance()
		case 8:
			c.changeISR(t)
		case 9:
			c.elect(t)
		}
	}
}
