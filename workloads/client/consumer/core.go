package consumer

import (
	"math/rand/v2"
	"slices"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
)

// Core decides everything a consumer does. Its caller
//
//   - calls Poll whenever anything was put in or taken out, and at Deadline, and
//     sends the requests it returns;
//   - tells the end of each request with OnResponse or OnFailure, once;
//   - takes records and events with Take;
//   - keeps the cluster's metadata, which the core reads and asks to refresh.
type Core struct {
	cfg   Config
	meta  *cluster.Metadata
	rng   *rand.Rand
	codec *wire.Codec
	// keep are topics whose metadata somebody else needs.
	keep []string
	// parts is the assignment, sorted.
	parts    []*partition
	requests map[attempt.ID]*request
	// fetchingFrom are the nodes with a fetch under way; there is one at a time.
	fetchingFrom map[wire.NodeID]bool
	// arrived are the partitions with data, in the order in which they get turns.
	arrived  []*partition
	ready    []readyPartition // scratch of Poll
	events   []Event
	answers  uint64 // with data, so far
	id       attempt.ID
	deadline int64
}

// request is one under way: what was asked for each partition.
type request struct {
	id    attempt.ID
	node  wire.NodeID
	fetch bool
	asked []asked
}

// asked remembers the life of the partition in which it was asked for.
type asked struct {
	part *partition
	life uint64
	pos  Position
	id   wire.UUID // of the topic
}

// New returns a core without assignment. rng gives jitter.
func New(cfg Config, meta *cluster.Metadata, rng *rand.Rand) *Core {
	return &Core{
		cfg:          cfg,
		meta:         meta,
		rng:          rng,
		codec:        wire.NewCodec(wire.DefaultMaxDecompressed),
		requests:     make(map[attempt.ID]*request),
		fetchingFrom: make(map[wire.NodeID]bool),
		deadline:     cluster.Never,
	}
}

// Keep names the topics whose metadata stay wanted without an assigned partition.
func (c *Core) Keep(topics []string) {
	c.keep = topics
	for _, topic := range topics {
		c.meta.Want(topic)
	}
	c.forgetOthers()
}

// forgetOthers stops asking for topics that nobody needs.
func (c *Core) forgetOthers() {
	for _, topic := range c.meta.Wanted() {
		if !slices.Contains(c.keep, topic) &&
			!slices.ContainsFunc(c.parts, func(p *partition) bool { return p.Topic == topic }) {
			c.meta.Forget(topic)
		}
	}
}

// Assign replaces the assignment. Partitions that stay keep their position and data;
// new ones start by the reset policy.
func (c *Core) Assign(tps []wire.TopicPartition) {
	c.assign(tps, func(p *partition) { p.reset(c.cfg.Reset, c.cfg.ResetTimestamp) })
}

// AssignAwaiting replaces the assignment, where new partitions wait for Start.
func (c *Core) AssignAwaiting(tps []wire.TopicPartition) {
	c.assign(tps, func(p *partition) {
		p.pos = nowhere
		p.enter(awaiting)
	})
}

// Awaiting lists the assigned partitions that wait for Start, sorted.
func (c *Core) Awaiting() []wire.TopicPartition {
	var tps []wire.TopicPartition
	for _, p := range c.parts {
		if p.state == awaiting {
			tps = append(tps, p.TopicPartition)
		}
	}
	return tps
}

// Start gives a partition that still awaits it (the user may have sought) its position, or
// with ok false, none: then the reset policy decides.
func (c *Core) Start(tp wire.TopicPartition, pos Position, ok bool) {
	i, assigned := find(c.parts, tp)
	if !assigned || c.parts[i].state != awaiting {
		return
	}
	p := c.parts[i]
	switch {
	case ok:
		p.seek(pos, false)
	case c.cfg.Reset == ResetNone:
		c.stop(p, NoPosition, nowhere, nil)
	default:
		p.reset(c.cfg.Reset, c.cfg.ResetTimestamp)
	}
}

// Refuse stops a partition that still awaits its position, for a reason.
func (c *Core) Refuse(tp wire.TopicPartition, err error) {
	if i, ok := find(c.parts, tp); ok && c.parts[i].state == awaiting {
		c.stop(c.parts[i], Refused, nowhere, err)
	}
}

func (c *Core) assign(tps []wire.TopicPartition, begin func(*partition)) {
	tps = slices.Clone(tps)
	slices.SortFunc(tps, wire.TopicPartition.Compare)
	tps = slices.Compact(tps)
	old := c.parts
	c.parts = make([]*partition, 0, len(tps))
	for _, tp := range tps {
		if i, ok := find(old, tp); ok {
			c.parts = append(c.parts, old[i])
			continue
		}
		p := &partition{
			TopicPartition: tp, leaderEpoch: wire.NoLeaderEpoch, soughtEpoch: wire.NoLeaderEpoch,
			progress: Progress{HighWatermark: wire.NoOffset, LastStable: wire.NoOffset, LogStart: wire.NoOffset},
		}
		begin(p)
		c.parts = append(c.parts, p)
		c.meta.Want(tp.Topic)
	}
	for _, p := range old {
		if _, ok := find(c.parts, p.TopicPartition); !ok {
			p.enter(stopped)
		}
	}
	c.arrived = slices.DeleteFunc(c.arrived, func(p *partition) bool { return p.data.empty() })
	c.forgetOthers()
}

func find(parts []*partition, tp wire.TopicPartition) (int, bool) {
	return slices.BinarySearchFunc(parts, tp, func(p *partition, tp wire.TopicPartition) int {
		return p.TopicPartition.Compare(tp)
	})
}

// part finds an assigned partition. Asking for another is a bug of the script.
func (c *Core) part(tp wire.TopicPartition) *partition {
	i, ok := find(c.parts, tp)
	if !ok {
		panic("consumer: not assigned: " + tp.String())
	}
	return c.parts[i]
}

// Assignment lists the assigned partitions, sorted.
func (c *Core) Assignment() []wire.TopicPartition {
	tps := make([]wire.TopicPartition, len(c.parts))
	for i, p := range c.parts {
		tps[i] = p.TopicPartition
	}
	return tps
}

// Seek moves an assigned partition. If the position has an epoch it is validated
// before it is used.
func (c *Core) Seek(tp wire.TopicPartition, pos Position) {
	c.part(tp).seek(pos, pos.Epoch != wire.NoLeaderEpoch)
}

// SeekTo moves an assigned partition to its beginning, its end, or a timestamp (ms).
func (c *Core) SeekTo(tp wire.TopicPartition, to Reset, timestamp int64) {
	c.part(tp).reset(to, timestamp)
}

// Position is the offset after the last record taken, with that record's epoch.
func (c *Core) Position(tp wire.TopicPartition) (Position, bool) {
	p := c.part(tp)
	return p.pos, p.hasPos
}

// Stopped tells whether an assigned partition waits for a seek.
func (c *Core) Stopped(tp wire.TopicPartition) bool { return c.part(tp).state == stopped }

// Progress is what the latest answer said about the log of an assigned partition.
func (c *Core) Progress(tp wire.TopicPartition) Progress { return c.part(tp).progress }

// Deadline is when Poll must be called next if nothing is put in before, in ns. It is
// valid after a Poll.
func (c *Core) Deadline() int64 { return c.deadline }

// retryLater sets the back-off of a partition after a failed request.
func (c *Core) retryLater(now int64, p *partition) {
	p.failures++
	p.notBefore = now + int64(c.cfg.Backoff.After(p.failures, c.rng))
}

// stop halts a partition until the user seeks, and says why.
func (c *Core) stop(p *partition, kind EventKind, to Position, err error) {
	c.events = append(c.events, Event{
		TopicPartition: p.TopicPartition, Kind: kind, From: p.pos, To: to, Stopped: true, Err: err,
	})
	p.enter(stopped)
}

// truncated decides what follows when the log no longer holds what was read before
// the position. to is the point of divergence, or has NoOffset.
func (c *Core) truncated(p *partition, to Position) {
	if c.cfg.Reset == ResetNone {
		c.stop(p, Truncated, to, nil)
		return
	}
	c.events = append(c.events, Event{TopicPartition: p.TopicPartition, Kind: Truncated, From: p.pos, To: to})
	if to.Offset == wire.NoOffset {
		p.reset(c.cfg.Reset, c.cfg.ResetTimestamp)
		return
	}
	epoch := p.leaderEpoch
	p.seek(to, false)
	p.leaderEpoch = epoch // just validated by this leader
}
