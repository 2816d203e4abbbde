package simulated

import (
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/bench"
	"odradek/broker/env"
	"odradek/sim"
	"odradek/sim/disk"
	"odradek/workloads/client"
)

// phases runs everything: the cluster, what it is asked to hold, and the time measured.
func (r *run) phases() error {
	r.cluster.Start()
	if len(r.profile.Network.Regions) > 0 {
		for i, node := range r.cluster.Nodes {
			for j, other := range r.cluster.Nodes[:i] {
				r.distance(node.Name(), other.Name(), r.profile.Network.factor(i, j), r.profile.Network.factor(j, i))
			}
		}
	}
	if err := r.until("start of the brokers", bootWithin, r.allUnfenced); err != nil {
		return err
	}
	if err := r.createTopics(); err != nil {
		return err
	}
	backlog := int(r.scenario.ConsumerBacklogSizeGB * 1e9 / float64(r.scenario.MessageSize))
	if backlog > 0 {
		if err := r.fill(backlog); err != nil {
			return err
		}
	}
	if backlog == 0 {
		r.startConsumers()
		if err := r.until("assignment of the partitions", joinWithin, r.assigned); err != nil {
			return err
		}
	}
	if err := r.startProducers(); err != nil {
		return err
	}
	producers := r.scenario.Topics * r.scenario.ProducersPerTopic
	if err := r.until("start of the producers", setupWithin, func() bool { return r.ready == producers }); err != nil {
		return err
	}
	warm := r.scenario.WarmupDuration
	if len(r.scenario.Faults) == 0 {
		warm = min(warm, longestWarm) // nothing is compiled or cached in a simulation
	}
	r.begin = r.k.Now().Add(lookEvery)
	t := r.tally
	t.from = r.begin.Add(warm)
	t.to = t.from.Add(r.scenario.TestDuration)
	t.width = tickWidth(r.scenario.TestDuration)
	r.k.RunUntil(t.from)
	before := r.meters()
	if backlog > 0 {
		r.startConsumers()
		r.tally.to = r.tally.from.Add(fillWithin)
	}
	for _, f := range r.scenario.Faults {
		r.strike(f)
	}
	if err := r.until("the time measured", fillWithin+time.Second, func() bool { return r.measuredEnough(backlog) }); err != nil {
		return err
	}
	r.sample.Seconds = seconds(t.to - t.from)
	r.charge(before, r.meters())
	r.k.RunUntil(t.cutoff())
	r.over = true
	drained := r.k.Now().Add(drainWithin)
	return r.until("", drainWithin+time.Second, func() bool {
		return r.k.Now() >= drained || r.open == 0 && t.missing() == 0
	})
}

// tickWidth gives a timeline of at least 50 ticks, of at most 100 ms.
func tickWidth(test time.Duration) sim.Time { return sim.Time(min(100*time.Millisecond, test/50)) }

// measuredEnough ends the time measured: when it is over, when memory is, or when a
// backlog has been read.
func (r *run) measuredEnough(backlog int) bool {
	now := r.k.Now()
	switch {
	case now >= r.tally.to:
	case backlog > 0 && r.tally.missing() == 0:
		r.tally.to = now
	case len(r.scenario.Faults) == 0 && backlog == 0 && r.sample.Sent*int64(r.scenario.MessageSize) >= r.opts.MaxBytes:
		r.tally.to = now
	default:
		return false
	}
	return true
}

// allUnfenced reports whether a controller has seen every broker.
func (r *run) allUnfenced() bool {
	for _, n := range r.cluster.Nodes {
		if n.Broker == nil {
			return false
		}
		image, _ := n.Broker.Image()
		for _, other := range r.cluster.Nodes {
			if !image.Broker(other.ID).Active() {
				return false
			}
		}
	}
	return true
}

func (r *run) createTopics() error {
	left := r.scenario.Topics
	r.start("admin", func(t *env.Task, _ *user, c *client.Client) error {
		a := c.NewAdmin()
		for i := range r.scenario.Topics {
			topic := client.NewTopic{
				Name: topicName(i), Partitions: int32(r.scenario.PartitionsPerTopic),
				ReplicationFactor: int16(r.scenario.ReplicationFactor), Configs: r.scenario.TopicConfig,
			}
			if _, err := a.CreateTopic(t, topic); err != nil {
				return fmt.Errorf("create topic: %w", err)
			}
			left--
		}
		c.Close()
		return nil
	})
	return r.until("creation of the topics", setupWithin, func() bool { return left == 0 })
}

// produce starts the producers of all topics; each runs fn.
func (r *run) produce(perTopic int, fn func(t *env.Task, p *producing, c *client.Client, index int) error) error {
	cfg, err := producerConfig(r.scenario)
	if err != nil {
		return err
	}
	for i := range r.scenario.Topics * perTopic {
		r.open++
		r.start("producer", func(t *env.Task, u *user, c *client.Client) error {
			p := &producing{user: u, topic: topicName(i % r.scenario.Topics), cfg: cfg, keys: newKeys(r.scenario, u.rng)}
			err := fn(t, p, c, i)
			r.open--
			return err
		})
	}
	return nil
}

func (r *run) startProducers() error {
	all := r.scenario.Topics * r.scenario.ProducersPerTopic
	return r.produce(r.scenario.ProducersPerTopic, func(t *env.Task, p *producing, c *client.Client, index int) error {
		return p.run(t, c, index, all)
	})
}

// fill writes the backlog.
func (r *run) fill(records int) error {
	all := r.scenario.Topics * max(r.scenario.ProducersPerTopic, 1)
	each := int(math.Ceil(float64(records) / float64(all)))
	err := r.produce(all/r.scenario.Topics, func(t *env.Task, p *producing, c *client.Client, _ int) error {
		return p.fill(t, c, each, all)
	})
	if err != nil {
		return err
	}
	return r.until("writing of the backlog", fillWithin, func() bool { return r.open == 0 })
}

func (r *run) startConsumers() {
	cfg, g, err := consumerConfigs(r.scenario)
	if err != nil {
		r.fail(err)
		return
	}
	for i := range r.scenario.Topics {
		for j := range r.scenario.Groups() {
			gc := g
			gc.ID = fmt.Sprintf("%s-group-%d", topicName(i), j)
			first := &member{topic: topicName(i), of: new(reading), cfg: cfg, group: gc}
			if i == 0 {
				r.tally.groups = append(r.tally.groups, first.of)
			} else {
				first.of = r.tally.groups[j] // numbers of records are of all topics
			}
			r.groups = append(r.groups, nil)
			for range r.scenario.ConsumerPerSubscription {
				r.join(len(r.groups)-1, first)
			}
		}
	}
	for range r.scenario.CatchUpReaders {
		r.start("catch-up", func(t *env.Task, u *user, c *client.Client) error {
			u.catchUp(t, c, cfg)
			return nil
		})
	}
}

// join starts another member of a group, like one that is there.
func (r *run) join(group int, like *member) {
	m := *like
	m.leaving, m.consumer = false, nil
	r.groups[group] = append(r.groups[group], &m)
	r.start("consumer", func(t *env.Task, u *user, c *client.Client) error {
		m.user = u
		return m.run(t, c)
	})
}

// assigned reports whether every partition is read by every group.
func (r *run) assigned() bool {
	for _, members := range r.groups {
		n := 0
		for _, m := range members {
			if m.consumer != nil {
				n += len(m.consumer.Assignment())
			}
		}
		if n != r.scenario.PartitionsPerTopic {
			return false
		}
	}
	return true
}

// meters are the counters at an instant.
type meters struct {
	counters       map[string]int64
	server, client time.Duration
	written        int64
}

func (r *run) meters() meters {
	m := meters{counters: make(map[string]int64), server: r.spent.server, client: r.spent.client}
	c := m.counters
	for api, n := range r.count.requests {
		c["requests."+kmsg.NameForKey(api)] = n
	}
	c["round_trips"], c["socket_reads"], c["socket_writes"] = r.count.answers, r.count.reads, r.count.writes
	c["bytes_copied"], c["bytes_checksummed"] = r.count.copied, r.count.checksummed
	c["bytes_on_wire"] = int64(r.cluster.Net.Stats().BytesSent)
	c["kernel_events"] = int64(r.k.Steps())
	for _, n := range r.cluster.Nodes {
		s := n.Disk.Stats()
		c["disk_writes"] += int64(s.Ops[disk.OpWrite])
		c["disk_syncs"] += int64(s.Ops[disk.OpSync])
		c["disk_bytes"] += int64(s.BytesWritten)
	}
	m.written = c["disk_bytes"]
	return m
}

// charge puts what was used between two readings into the sample.
func (r *run) charge(before, after meters) {
	r.sample.Counters = make(map[string]int64)
	for name, n := range after.counters {
		if d := n - before.counters[name]; d != 0 {
			r.sample.Counters[name] = d
		}
	}
	r.sample.Server = bench.Usage{CPUSeconds: (after.server - before.server).Seconds(), RSSBytes: -1, BytesWritten: after.written - before.written}
	r.sample.Client = bench.Usage{CPUSeconds: (after.client - before.client).Seconds(), RSSBytes: -1}
}
