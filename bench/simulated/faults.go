package simulated

import (
	"fmt"
	"slices"

	"odradek/bench"
	"odradek/broker/wire"
	"odradek/sim"
	"odradek/sim/cluster"
)

// strike plans a fault, and its end.
func (r *run) strike(f bench.Fault) {
	at := r.tally.from.Add(f.At)
	switch f.Kind {
	case "kill-leader":
		r.plan(at, func() {
			n := r.leader()
			if n == nil {
				r.mark("no leader to kill")
				return
			}
			r.mark(fmt.Sprintf("broker %d killed", n.ID))
			n.Crash()
			r.plan(at.Add(f.For), func() {
				r.mark(fmt.Sprintf("broker %d started", n.ID))
				n.Up()
			})
		})
	case "add-consumer":
		r.plan(at, func() { r.join1("consumer added") })
		r.plan(at.Add(f.For), func() { r.leave1("consumer gone") })
	case "remove-consumer":
		r.plan(at, func() { r.leave1("consumer removed") })
		r.plan(at.Add(f.For), func() { r.join1("consumer back") })
	}
}

func (r *run) plan(at sim.Time, fn func()) {
	r.k.Schedule(sim.Event{At: at, Node: sim.World, Kind: r.k.Kind("bench-fault"), Do: sim.Func(fn)})
}

func (r *run) mark(what string) {
	r.sample.Marks = append(r.sample.Marks, bench.Mark{At: seconds(r.k.Now() - r.tally.from), What: what})
}

// join1 adds a member to each group.
func (r *run) join1(what string) {
	r.mark(what)
	for i, members := range r.groups {
		r.join(i, members[0])
	}
}

// leave1 has the last member of each group leave.
func (r *run) leave1(what string) {
	r.mark(what)
	for i, members := range r.groups {
		last := members[len(members)-1]
		last.leaving = true
		r.groups[i] = slices.Clip(members[:len(members)-1])
	}
}

// leader is the broker that leads the first partition, by the latest epoch.
func (r *run) leader() *cluster.Node {
	tp := wire.TopicPartition{Topic: topicName(0), Partition: 0}
	var leader *cluster.Node
	epoch := wire.NoLeaderEpoch
	for _, n := range r.cluster.Nodes {
		if n.Broker == nil {
			continue
		}
		for _, s := range n.Broker.Replicas() {
			if s.TopicPartition == tp && s.Leads && s.LeaderEpoch > epoch {
				leader, epoch = n, s.LeaderEpoch
			}
		}
	}
	return leader
}
