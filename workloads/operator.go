package workloads

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client"
)

// operator is the user of scale-out who changes the cluster, step by step; each waits until
// the cluster has got there.
type operator struct {
	*scaleOut
	site  *Site
	admin *client.Admin
	close func()
	rng   *rand.Rand
	// healed is when the operator was told to stop, 0 before.
	healed env.Time
}

func newOperator(w *scaleOut, s *Site) *operator {
	c := s.client("operator", w.requestTimeout(), nil)
	return &operator{
		scaleOut: w, site: s, admin: c.NewAdmin().WithTimeout(2 * w.requestTimeout()), close: c.Close,
		rng: s.Env.Rand.Stream("workload/operator"),
	}
}

// operateWithin bounds each run of the operator after everything has healed.
const operateWithin = 60 * time.Second

// run scales the cluster out and in again until it is told to stop.
func (o *operator) run(t *env.Task) {
	defer o.close()
	for o.stuck == "" && !o.site.stopping() {
		for _, step := range []func(*env.Task) bool{o.extend, o.roll, o.scaleIn} {
			if !step(t) || o.site.stopping() {
				return
			}
			o.rest(t)
		}
	}
}

func (o *operator) rest(t *env.Task) {
	o.site.sleep(t, o.duration("rest-ms", time.Millisecond)+time.Millisecond)
}

// await tries something until it has happened. After everything has healed it takes no longer
// than operateWithin, else the operator is stuck.
func (o *operator) await(t *env.Task, what string, try func() string) bool {
	for {
		why := try()
		if why == "" {
			return true
		}
		if o.site.stopping() {
			if o.healed == 0 {
				o.healed = o.site.Env.Clock.Now()
			}
			if o.site.Env.Clock.Now().Sub(o.healed) > operateWithin {
				o.stuck = what + ": " + why
				return false
			}
		}
		o.site.sleep(t, 100*time.Millisecond)
	}
}

// extend has all brokers that are away join, and gives them their part.
func (o *operator) extend(t *env.Task) bool {
	_, away := o.site.Machines.Brokers()
	for _, id := range away {
		o.site.Machines.Join(id)
		if !o.await(t, fmt.Sprintf("broker %d joins", id), func() string { return o.notUp(t, id) }) {
			return false
		}
	}
	there, _ := o.site.Machines.Brokers()
	return o.move(t, there)
}

// notUp says why a broker is not a working member of the cluster, or "".
func (o *operator) notUp(t *env.Task, id wire.NodeID) string {
	info, err := o.admin.DescribeCluster(t)
	if err != nil {
		return err.Error()
	}
	i := slices.IndexFunc(info.Brokers, func(b client.BrokerInfo) bool { return b.Node == id })
	switch {
	case i < 0:
		return "it is not registered"
	case info.Brokers[i].Fenced:
		return "it is fenced"
	}
	return ""
}

// move spreads all partitions over the brokers, and waits until that is done.
func (o *operator) move(t *env.Task, to []wire.NodeID) bool {
	rf := o.params["replication"]
	if len(to) < rf {
		return true // nothing to choose from
	}
	var moves []client.Reassignment
	want := make(map[wire.TopicPartition][]wire.NodeID)
	for _, tp := range o.partitions() {
		var replicas []int32
		for _, i := range o.rng.Perm(len(to))[:rf] {
			replicas = append(replicas, int32(to[i]))
			want[tp] = append(want[tp], to[i])
		}
		moves = append(moves, client.Reassignment{TopicPartition: tp, Replicas: replicas})
	}
	what := fmt.Sprintf("replicas move to %v", to)
	if !o.await(t, what+", throttled", func() string { return o.throttle(t, o.params["throttle-bytes"]) }) ||
		!o.await(t, what, func() string { return reason(o.admin.AlterReassignments(t, moves)) }) ||
		!o.await(t, what, func() string { return o.notMoved(t, want) }) {
		return false
	}
	return o.await(t, what+", no longer throttled", func() string { return o.throttle(t, 0) })
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// throttle bounds the replication of what is being moved, or ends that with 0.
func (o *operator) throttle(t *env.Task, rate int) string {
	for _, side := range []string{"leader", "follower"} {
		bytes := client.ConfigChange{Name: side + ".replication.throttled.rate", Value: strconv.Itoa(rate), Delete: rate == 0}
		if err := o.admin.AlterBrokerConfigs(t, "", []client.ConfigChange{bytes}); err != nil {
			return err.Error()
		}
		which := client.ConfigChange{Name: side + ".replication.throttled.replicas", Value: "*", Delete: rate == 0}
		for _, topic := range o.topics() {
			if err := o.admin.AlterTopicConfigs(t, topic, []client.ConfigChange{which}); err != nil {
				return err.Error()
			}
		}
	}
	return ""
}

// notMoved says which partitions are not where they should be.
func (o *operator) notMoved(t *env.Task, want map[wire.TopicPartition][]wire.NodeID) string {
	ongoing, err := o.admin.ListReassignments(t)
	if err != nil {
		return err.Error()
	}
	if len(ongoing) > 0 {
		return fmt.Sprintf("%v adds %v and removes %v, like %d more", ongoing[0].TopicPartition, ongoing[0].Adding, ongoing[0].Removing, len(ongoing)-1)
	}
	return o.check(t, func(tp wire.TopicPartition, p *client.PartitionInfo) string {
		if len(want[tp]) > 0 && !slices.Equal(p.Replicas, want[tp]) {
			return fmt.Sprintf("has replicas %v instead of %v", p.Replicas, want[tp])
		}
		return ""
	})
}

// check asks about all partitions, and says what is wrong with the first that is not right.
func (o *operator) check(t *env.Task, wrong func(wire.TopicPartition, *client.PartitionInfo) string) string {
	for _, topic := range o.topics() {
		info, err := o.admin.DescribeTopic(t, topic)
		if err != nil {
			return err.Error()
		}
		for i := range info.Partitions {
			tp := wire.TopicPartition{Topic: topic, Partition: info.Partitions[i].Partition}
			if why := wrong(tp, &info.Partitions[i]); why != "" {
				return tp.String() + " " + why
			}
		}
	}
	return ""
}

// notInSync says which partition does not have all of its replicas in sync.
func (o *operator) notInSync(t *env.Task) string {
	return o.check(t, func(_ wire.TopicPartition, p *client.PartitionInfo) string {
		if len(p.ISR) < len(p.Replicas) {
			return fmt.Sprintf("has ISR %v of %v", p.ISR, p.Replicas)
		}
		return ""
	})
}

// roll restarts all brokers in good order, one after another, each when everything is in
// sync.
func (o *operator) roll(t *env.Task) bool {
	there, _ := o.site.Machines.Brokers()
	for _, id := range there {
		what := fmt.Sprintf("broker %d restarts", id)
		if !o.await(t, what, func() string { return o.notInSync(t) }) || !o.down(t, id) {
			return false
		}
		o.site.Machines.Join(id)
		if !o.await(t, what, func() string { return o.notUp(t, id) }) {
			return false
		}
		if o.site.stopping() {
			break
		}
	}
	return o.await(t, "everything is in sync after a rolling restart", func() string { return o.notInSync(t) })
}

// down shuts a broker down.
func (o *operator) down(t *env.Task, id wire.NodeID) bool {
	o.site.Machines.Leave(id)
	o.site.sleep(t, time.Millisecond)
	return o.await(t, fmt.Sprintf("broker %d shuts down", id), func() string {
		if o.site.Machines.Running(id) {
			return "it is running"
		}
		return ""
	})
}

// scaleIn empties a broker, if there is one to spare, and takes it away for good: when it
// comes back it is a new one.
func (o *operator) scaleIn(t *env.Task) bool {
	there, _ := o.site.Machines.Brokers()
	controllers := o.site.Machines.Controllers()
	spare := slices.DeleteFunc(slices.Clone(there), func(id wire.NodeID) bool { return slices.Contains(controllers, id) })
	if len(spare) == 0 || len(there) <= o.params["replication"] {
		return true
	}
	id := spare[o.rng.IntN(len(spare))]
	rest := slices.DeleteFunc(there, func(other wire.NodeID) bool { return other == id })
	if !o.move(t, rest) || !o.down(t, id) {
		return false
	}
	what := fmt.Sprintf("broker %d is unregistered", id)
	return o.await(t, what, func() string {
		err := o.admin.UnregisterBroker(t, id)
		if err != nil && !strings.Contains(err.Error(), "BROKER_ID_NOT_REGISTERED") {
			return err.Error() // an attempt whose answer was lost may have done it
		}
		if why := o.notUp(t, id); why != "it is not registered" {
			return "it is still known"
		}
		return ""
	})
}
