package replica

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// world is a partition's replicas, a controller and messages between them that
// arrive only when told to. Replicas are written A, B, C for nodes 1, 2, 3.
type world struct {
	now     int64
	ctl     *controller
	nodes   []*node
	net     []*message
	nextMsg int
	batch   int // most records in a fetch response
	story   strings.Builder

	acked     map[wire.Offset]string        // by acks=all
	committed map[wire.Offset]record        // below any high watermark so far
	broken    func(format string, a ...any) // an invariant does not hold
}

type node struct {
	id       wire.NodeID
	epoch    wire.BrokerEpoch
	up       bool
	unclean  bool // crashed and lost its tail
	log      *testLog
	saved    wire.Offset // high watermark checkpoint
	fail     *failpoint.Registry
	leader   *Leader
	follower *Follower
	waiting  []produce
}

type produce struct {
	end   wire.Offset
	value string
}

type message struct {
	id       int
	name     string // what a transcript calls it
	kind     string
	from, to wire.NodeID      // the controller is NoNode
	epoch    wire.BrokerEpoch // the incarnation that asked
	fetch    FetchRequest
	pos      FetchPosition
	fetched  FetchedPartition
	records  []record
	alter    AlterPartition
	altered  AlterPartitionResult
	offsets  LeaderOffsets
}

func letter(id wire.NodeID) string {
	if id == wire.NoNode {
		return "controller"
	}
	return string(rune('A' + id - 1))
}

func letters(ids []wire.NodeID) string {
	var s []string
	for _, id := range ids {
		s = append(s, letter(id))
	}
	return "{" + strings.Join(s, " ") + "}"
}

// lostAnswer is what a shell reports when no answer came.
var lostAnswer = kerr.NetworkException

var worldConfig = Config{LagTimeMax: 30 * time.Second, RetryBackoff: 50 * time.Millisecond, FetchBackoff: time.Second}

func newWorld(replicas, minISR int) *world {
	w := &world{
		ctl:   &controller{brokers: map[wire.NodeID]BrokerState{}, leader: wire.NoNode, minISR: minISR},
		batch: 100, acked: map[wire.Offset]string{}, committed: map[wire.Offset]record{},
	}
	w.broken = func(format string, a ...any) { w.say("!! "+format, a...) }
	for i := range replicas {
		id := wire.NodeID(i + 1)
		w.ctl.part.Replicas = append(w.ctl.part.Replicas, id)
		w.nodes = append(w.nodes, &node{
			id: id, epoch: w.ctl.register(id, false), up: true,
			log: &testLog{}, fail: &failpoint.Registry{},
		})
	}
	w.ctl.part.ISR = slices.Clone(w.ctl.part.Replicas)
	for _, n := range w.nodes {
		w.boot(n)
	}
	return w
}

func (w *world) say(format string, a ...any) { fmt.Fprintf(&w.story, format+"\n", a...) }

func (w *world) node(id wire.NodeID) *node { return w.nodes[id-1] }

func (w *world) config(n *node) Config {
	c := worldConfig
	c.Fail = n.fail
	return c
}

// boot starts a node's replica as a follower of nobody.
func (w *world) boot(n *node) {
	n.leader = nil
	n.follower = NewFollower(w.config(n), n.log, FollowerStart{LogStart: n.log.start, LogEnd: n.log.end(), HighWatermark: n.saved})
}

func (w *world) crash(n *node, lose int) {
	n.up = false
	if lose > 0 {
		n.unclean = true
		n.log.truncate(max(n.log.start, n.log.end()-wire.Offset(lose)))
	}
	if n.leader != nil {
		n.saved = n.leader.HighWatermark()
	} else {
		n.saved = n.follower.HighWatermark()
	}
	n.leader, n.waiting = nil, nil
}

func (w *world) restart(n *node) {
	if n.up {
		w.crash(n, 0)
	}
	n.epoch = w.ctl.register(n.id, n.unclean)
	n.up, n.unclean = true, false
	w.boot(n)
}

// metadata lets a node see the controller's present state.
func (w *world) metadata(n *node) {
	if !n.up {
		return
	}
	part := w.ctl.part
	switch {
	case w.ctl.leader == n.id && n.leader != nil && n.leader.LeaderEpoch() == part.LeaderEpoch:
		for _, o := range w.nodes {
			if n.leader != nil {
				w.changed(n, n.leader.OnBrokerState(w.now, o.id, w.ctl.brokers[o.id]))
			}
		}
		known := n.leader.Snapshot().Partition.Replicas
		w.changed(n, n.leader.OnMetadata(w.now, part))
		for _, id := range part.Replicas {
			if !slices.Contains(known, id) {
				w.changed(n, n.leader.OnBrokerState(w.now, id, w.ctl.brokers[id]))
			}
		}
	case w.ctl.leader == n.id:
		if n.leader != nil {
			n.saved = n.leader.HighWatermark()
		} else {
			n.saved = n.follower.HighWatermark()
			n.follower.Stop()
		}
		n.waiting = nil
		l, c := NewLeader(w.now, w.config(n), n.log, LeaderStart{
			Self: n.id, BrokerEpoch: n.epoch, Partition: part, MinISR: w.ctl.minISR, Brokers: w.ctl.brokers,
			LogStart: n.log.start, LogEnd: n.log.end(), Flushed: n.log.end(), HighWatermark: n.saved,
		})
		n.leader = l
		w.say("%s leads epoch %d from offset %d, high watermark %d", letter(n.id), part.LeaderEpoch, n.log.end(), l.HighWatermark())
		w.elected(n)
		w.changed(n, c)
	default:
		if n.leader != nil {
			if n.leader.LeaderEpoch() == part.LeaderEpoch {
				return
			}
			n.saved = n.leader.HighWatermark()
			n.waiting = nil
			w.boot(n)
		}
		if _, epoch := n.follower.Leader(); epoch < part.LeaderEpoch {
			w.say("%s follows %s in epoch %d", letter(n.id), letter(w.ctl.leader), part.LeaderEpoch)
		}
		w.step(n, n.follower.OnLeader(w.now, w.ctl.leader, part.LeaderEpoch), nil)
	}
}

// changed carries out what a leader concluded.
func (w *world) changed(n *node, c LeaderChange) {
	if c.ISR {
		w.say("%s has ISR %s", letter(n.id), letters(n.leader.Snapshot().Partition.ISR))
	}
	if p := c.Propose; p != nil {
		var isr []string
		for _, m := range p.ISR {
			isr = append(isr, fmt.Sprintf("%s@%d", letter(m.Node), m.Epoch))
		}
		w.send(&message{kind: "alter", from: n.id, to: wire.NoNode, epoch: n.epoch, alter: *p},
			"AlterPartition ISR {%s} on partition epoch %d", strings.Join(isr, " "), p.PartitionEpoch)
	}
	if c.HighWatermark {
		w.say("%s raises its high watermark to %d", letter(n.id), n.leader.HighWatermark())
		w.check(n)
	}
	n.waiting = slices.DeleteFunc(n.waiting, func(p produce) bool {
		done, err := n.leader.Acked(p.end)
		switch {
		case done && err == nil:
			w.say("%s acknowledges %s", letter(n.id), p.value)
			w.acked[p.end-1] = p.value
		case done:
			w.say("%s answers %s for %s", letter(n.id), err.Message, p.value)
		}
		return done
	})
}

func (w *world) produce(n *node, value string) {
	if n.leader == nil {
		w.say("%s answers NOT_LEADER_OR_FOLLOWER for %s", letter(n.id), value)
		return
	}
	if err := n.leader.CheckProduce(); err != nil {
		w.say("%s answers %s for %s", letter(n.id), err.Message, value)
		return
	}
	n.log.append(record{n.leader.LeaderEpoch(), value})
	n.waiting = append(n.waiting, produce{n.log.end(), value})
	w.say("%s appends %s at %d", letter(n.id), value, n.log.end()-1)
	w.changed(n, n.leader.OnAppended(w.now, n.log.end()))
}

// check compares what a node takes for committed with what was before.
func (w *world) check(n *node) {
	hw := wire.Offset(0)
	if n.leader != nil {
		hw = n.leader.HighWatermark()
	} else {
		hw = n.follower.HighWatermark()
	}
	for o := n.log.start; o < hw; o++ {
		was, ok := w.committed[o]
		if ok && was != n.log.at(o) {
			w.broken("%s has %v committed at %d, where %v was", letter(n.id), n.log.at(o), o, was)
		}
		w.committed[o] = n.log.at(o)
	}
}

// elected checks that a new leader has all that was acknowledged.
func (w *world) elected(n *node) {
	for o := n.log.start; o < n.log.start+1000; o++ {
		if v, ok := w.acked[o]; ok && (o >= n.log.end() || n.log.at(o).value != v) {
			w.broken("%s leads without the acknowledged %s", letter(n.id), v)
		}
	}
}

// forget drops what was promised from an offset on, after an unclean election.
func (w *world) forget(from wire.Offset) {
	for o := range w.acked {
		if o >= from {
			delete(w.acked, o)
		}
	}
	for o := range w.committed {
		if o >= from {
			delete(w.committed, o)
		}
	}
}

// match compares two logs below both high watermarks (log matching).
func (w *world) match(a, b *node) {
	hw := func(n *node) wire.Offset {
		if n.leader != nil {
			return n.leader.HighWatermark()
		}
		return n.follower.HighWatermark()
	}
	for o := max(a.log.start, b.log.start); o < min(hw(a), hw(b), a.log.end(), b.log.end()); o++ {
		if a.log.at(o) != b.log.at(o) {
			w.broken("%s has %v at %d, %s has %v", letter(a.id), a.log.at(o), o, letter(b.id), b.log.at(o))
		}
	}
}
