package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/coordinator"
	"odradek/broker/coordinator/group"
	"odradek/broker/env"
	"odradek/broker/wire"
)

// coordinatorType says which of the internal topics keeps what a coordinator decides.
// The numbers are those of FindCoordinator.
type coordinatorType int8

const (
	groupCoordinator       coordinatorType = 0
	transactionCoordinator coordinatorType = 1
)

const (
	offsetsTopic      = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
)

// coordinatorKind is what differs between the coordinators of groups and of
// transactions.
type coordinatorKind struct {
	topic      string
	loadBuffer int // bytes read at a time while loading
	machine    func() coordinator.Machine
	// effect carries out what the machine of a shard decided, nil if it decides none.
	effect func(c *coordination, effect any)
	// unloaded follows the end of a shard, nil if nothing does. What is still under way for
	// it may come to c.tell, which drops it.
	unloaded func(c *coordination)
}

// coordinators is every shard of this node: a group or transaction belongs to the leader
// of its partition of the internal topic.
type coordinators struct {
	n     *Node
	kinds [2]coordinatorKind
	// list is the shards led here, by topic and partition.
	list      []*coordination
	lastToken coordinator.Token
	// complained is what was said of an internal topic that cannot be created.
	complained map[string]string
}

func newCoordinators(n *Node) *coordinators {
	rand := n.env.Rand.Stream("groups")
	return &coordinators{n: n, complained: make(map[string]string), kinds: [2]coordinatorKind{
		groupCoordinator: {
			topic: offsetsTopic, loadBuffer: n.cfg.OffsetsLoadBufferBytes,
			machine: func() coordinator.Machine {
				return group.New(group.Config{Broker: n.cfg, Group: n.groupConfig, Rand: rand, Fail: n.env.Fail})
			},
			effect: func(c *coordination, effect any) { n.groupEvent(effect.(group.Event)) },
		},
		transactionCoordinator: n.transactionKind(),
	}}
}

// groupConfig is the effective configs of a group.
func (n *Node) groupConfig(id string) config.Group {
	return n.cfg.Group(n.image.ConfigValues(groupResource(id)))
}

// groupEvent notes what happened to a group.
func (n *Node) groupEvent(e group.Event) {
	attrs := []env.Attr{env.S("group", e.Group)}
	if e.Member != "" {
		attrs = append(attrs, env.S("member", e.Member))
	}
	if e.Generation != 0 {
		attrs = append(attrs, env.I("generation", e.Generation))
	}
	if e.Count != 0 {
		attrs = append(attrs, env.I("count", int64(e.Count)))
	}
	n.env.Trace.Event(env.Info, e.Kind, attrs...)
}

// coordinates reports whether the partitions of a topic have coordinators.
func (cs *coordinators) coordinates(topic string) bool { return cs.kindOf(topic) != nil }

// kindOf is the kind that keeps its state in a topic, nil if none does.
func (cs *coordinators) kindOf(topic string) *coordinatorKind {
	for i := range cs.kinds {
		if k := &cs.kinds[i]; k.topic == topic && k.machine != nil {
			return k
		}
	}
	return nil
}

// sender is who sent a request, as coordinators know it.
type sender struct{ clientID, host string }

// coordinate has a client's request decided by the shard of a key, a group id or
// transactional id, and answers it: NOT_COORDINATOR if the shard is not led here,
// COORDINATOR_LOAD_IN_PROGRESS if it is being loaded.
func (n *Node) coordinate(r *request, kind coordinatorType, key string) {
	n.ask(kind, key, r.sender(), r.msg, r.reply)
}

// ask is coordinate for a request that need not come from a connection. done gets the
// answer, once, perhaps before ask returns. The answer has the request's version.
func (n *Node) ask(kind coordinatorType, key string, from sender, req kmsg.Request, done func(kmsg.Response)) {
	c, why := n.coordinators.shardOf(kind, key)
	if why != nil {
		done(coordinator.Refuse(req, why))
		return
	}
	c.ask(from, req, done)
}

// sender is who sent the request. A host looks as Java prints an address.
func (r *request) sender() sender {
	s := sender{host: "/" + hostOf(r.conn.addr)}
	if r.header.ClientID != nil {
		s.clientID = *r.header.ClientID
	}
	return s
}

// shardOf is the shard of a key, or why there is none here.
func (cs *coordinators) shardOf(kind coordinatorType, key string) (*coordination, *kerr.Error) {
	p, why := cs.partitionOf(kind, key)
	if why != nil {
		return nil, why
	}
	return cs.led(p)
}

// partitionOf is where a key's state is kept.
func (cs *coordinators) partitionOf(kind coordinatorType, key string) (wire.TopicPartition, *kerr.Error) {
	k := &cs.kinds[kind]
	t := cs.n.image.Topic(k.topic)
	if t == nil || k.machine == nil {
		return wire.TopicPartition{}, kerr.NotCoordinator
	}
	return wire.TopicPartition{Topic: k.topic, Partition: coordinator.PartitionFor(key, int32(len(t.Partitions)))}, nil
}

// led is the shard of a partition. One whose leadership is only beginning counts as
// loading: asking somebody else would not help.
func (cs *coordinators) led(tp wire.TopicPartition) (*coordination, *kerr.Error) {
	p := cs.n.replicas.byTP[tp]
	switch {
	case p == nil || p.err != nil || p.gone || p.meta.Leader != cs.n.cfg.NodeID:
		return nil, kerr.NotCoordinator
	case p.coordination == nil:
		return nil, kerr.CoordinatorLoadInProgress
	}
	return p.coordination, nil
}
