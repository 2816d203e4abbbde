package harness

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"odradek/broker/env"
	"odradek/broker/metadata"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/sim"
	"odradek/sim/cluster"
)

// newestImage is the metadata of the node that has replayed most of it.
func newestImage(c *cluster.Cluster) (*metadata.Image, wire.Offset) {
	var newest *metadata.Image
	at := wire.NoOffset
	for _, n := range c.Nodes {
		if n.Broker == nil {
			continue
		}
		if image, applied := n.Broker.Image(); applied > at {
			newest, at = image, applied
		}
	}
	return newest, at
}

func topicMinISR(n *cluster.Node, image *metadata.Image, topic string) int {
	if v, ok := image.Config(metadata.Resource{Type: metadata.TopicResource, Name: topic}, "min.insync.replicas"); ok {
		if m, err := strconv.Atoi(v); err == nil {
			return m
		}
	}
	return n.MinISR()
}

func uncleanAllowed(n *cluster.Node, image *metadata.Image, topic string) bool {
	const name = "unclean.leader.election.enable"
	if v, ok := image.Config(metadata.Resource{Type: metadata.TopicResource, Name: topic}, name); ok {
		return v == "true"
	}
	return n.TopicDefaults().UncleanLeaderElection
}

// allUnfenced reports whether every broker is up for clients.
func (r *run) allUnfenced() bool {
	image, _ := newestImage(r.cluster)
	if image == nil {
		return false
	}
	for _, n := range r.cluster.Nodes {
		if n.IsBroker() && !n.Away() && !image.Broker(n.ID).Active() {
			return false
		}
	}
	return true
}

// notWhole says what keeps the healed cluster from being whole, or "": every node has
// the newest metadata, every partition has a leader and a full ISR and is not being
// reassigned, and every replica has everything, committed, with no transaction open.
func (r *run) notWhole() string {
	image, at := newestImage(r.cluster)
	if image == nil {
		return "no node is running"
	}
	controllers := 0
	for _, n := range r.cluster.Nodes {
		if n.Away() {
			continue
		}
		if n.Broker == nil {
			return fmt.Sprintf("%s is not running", n.Name())
		}
		if _, applied := n.Broker.Image(); applied < at {
			return fmt.Sprintf("%s has metadata up to %d of %d", n.Name(), applied, at)
		}
		if n.Broker.ActiveController() {
			controllers++
		}
		if n.IsBroker() && !image.Broker(n.ID).Active() {
			return fmt.Sprintf("%s is fenced", n.Name())
		}
	}
	if controllers != 1 {
		return fmt.Sprintf("there are %d active controllers", controllers)
	}
	ends := make(map[wire.TopicPartition]wire.Offset)
	for _, n := range r.cluster.Nodes {
		if n.Away() {
			continue
		}
		for _, s := range n.Broker.Replicas() {
			p := image.Partition(s.Topic, s.Partition)
			if p == nil {
				continue // being deleted
			}
			switch {
			case s.Err != nil:
				return fmt.Sprintf("%v on %s: %v", s.TopicPartition, n.Name(), s.Err)
			case s.LeaderEpoch != p.LeaderEpoch:
				return fmt.Sprintf("%v on %s is in leader epoch %d of %d", s.TopicPartition, n.Name(), s.LeaderEpoch, p.LeaderEpoch)
			case s.HighWatermark != s.LogEnd:
				return fmt.Sprintf("%v on %s has high watermark %d, log end %d", s.TopicPartition, n.Name(), s.HighWatermark, s.LogEnd)
			case s.LastStableOffset != s.LogEnd && !r.mayHang(s.TopicPartition):
				return fmt.Sprintf("%v on %s has last stable offset %d, log end %d", s.TopicPartition, n.Name(), s.LastStableOffset, s.LogEnd)
			}
			if end, ok := ends[s.TopicPartition]; ok && end != s.LogEnd {
				return fmt.Sprintf("%v ends at %d on %s and at %d elsewhere", s.TopicPartition, s.LogEnd, n.Name(), end)
			}
			ends[s.TopicPartition] = s.LogEnd
		}
	}
	for _, t := range image.Topics() {
		for _, p := range t.Partitions {
			switch {
			case p.Leader == wire.NoNode:
				return fmt.Sprintf("%v has no leader", p.TopicPartition())
			case len(p.ISR) < len(p.Replicas):
				return fmt.Sprintf("%v has ISR %v of %v", p.TopicPartition(), p.ISR, p.Replicas)
			case len(p.Adding)+len(p.Removing) > 0:
				return fmt.Sprintf("%v is being reassigned: %v are added, %v removed", p.TopicPartition(), p.Adding, p.Removing)
			}
			if _, ok := ends[p.TopicPartition()]; !ok {
				return fmt.Sprintf("%v has no replica", p.TopicPartition())
			}
		}
	}
	return ""
}

// mayHang reports whether a transaction may be open for ever in a partition: its coordinator,
// or the partition, has lost something, which the faults explain.
func (r *run) mayHang(tp wire.TopicPartition) bool {
	g := r.guarantees()
	return g.MayLose(history.TransactionsTopic, tp.Topic)
}

// injected reports whether an error is one that a plan injects.
func injected(err error) bool {
	return errors.Is(err, env.ErrIO) || errors.Is(err, env.ErrNoSpace) || strings.Contains(err.Error(), "failpoint")
}

// recorder listens to the trace.
func (r *run) recorder(out io.Writer) sim.Recorder {
	t := &listener{run: r}
	if out != nil {
		t.next = sim.NewJSONRecorder(out)
	}
	return t
}

type listener struct {
	run  *run
	next sim.Recorder
	kind sim.Kind
}

// Record implements sim.Recorder.
func (l *listener) Record(k *sim.Kernel, r *sim.Record) {
	if l.next != nil {
		l.next.Record(k, r)
	}
	if !r.Note {
		return
	}
	if l.kind == 0 {
		l.kind = k.Kind("became-leader")
	}
	if r.Kind == l.kind {
		tp, epoch, end := leadership(r.Attrs)
		l.run.excuses.leaderChanged(tp, epoch, end)
		l.run.excuses.coordinatorChanged(tp, epoch)
	}
}

func leadership(attrs []env.Attr) (tp wire.TopicPartition, epoch wire.LeaderEpoch, end wire.Offset) {
	for _, a := range attrs {
		switch a.Key {
		case "partition":
			i := strings.LastIndexByte(a.Str, '-')
			n, err := strconv.Atoi(a.Str[i+1:])
			if err != nil {
				panic("harness: a partition's name without a number: " + a.Str)
			}
			tp = wire.TopicPartition{Topic: a.Str[:i], Partition: int32(n)}
		case "epoch":
			epoch = wire.LeaderEpoch(a.Int)
		case "end":
			end = wire.Offset(a.Int)
		}
	}
	return tp, epoch, end
}

// lowLevel tells the kernel's, disks' and network's plumbing from what a reader wants to
// know was reached.
func lowLevel(kind string) bool {
	for _, prefix := range []string{"disk-open", "disk-write", "disk-read", "disk-sync", "disk-list", "disk-mkdir", "disk-rename",
		"disk-remove", "disk-close", "disk-truncate", "net-deliver", "net-read", "net-syn", "net-flush", "net-credit", "net-drain",
		"net-accept", "net-dialed", "timer", "step-end", "host-do", "host-start", "drain", "work", "fault"} {
		if kind == prefix || strings.HasPrefix(kind, prefix+"-") && prefix != "disk-sync" {
			return true
		}
	}
	return slices.Contains([]string{"disk-sync-dir"}, kind)
}
