package controller

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// TestAnySequenceOfEventsKeepsTheInvariants lets brokers come, go, lose power and
// be silent, leaders change ISRs, operators change topics, and controllers fail
// with records that do not commit.
func TestAnySequenceOfEventsKeepsTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { newWorld(t).run() })
}

// world drives a controller with random events, and knows what is durable.
type world struct {
	t           *rapid.T
	c           *Controller
	cfg         Config
	now         int64
	log         []metadata.Record
	batches     []int // where batches end: they are kept or lost whole
	applied     int
	committed   *metadata.Image
	waiting     map[Token]bool
	token       Token
	incarnation map[int32]byte
	// seen holds the highest leader and partition epoch of each partition that has
	// committed.
	seen map[wire.TopicIDPartition]metadata.Partition
}

func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, committed: metadata.NewImage(), waiting: make(map[Token]bool),
		incarnation: make(map[int32]byte), seen: make(map[wire.TopicIDPartition]metadata.Partition),
	}
	features := DefaultFeatures()
	if rapid.Bool().Draw(t, "without ELR") {
		features = features[:1]
	}
	w.cfg = Config{
		ClusterID: testCluster, NumPartitions: 2, ReplicationFactor: 2, DeleteTopics: true,
		SessionTimeout: 9 * time.Second, RebalanceInterval: 20 * time.Second, UncleanInterval: 20 * time.Second,
		MaxIdle: 5 * time.Second, Features: features, Rand: rand.New(rand.NewPCG(3, 4)),
	}
	w.c = New(w.cfg)
	w.take(w.c.Lead(w.moment(), w.committed))
	for id := int32(1); id <= 3; id++ {
		w.ask(registrationOf(id, 0))
	}
	w.allAlive()
	w.createTopic("a", 2, 3, "2")
	return w
}

func (w *world) run() {
	actions := map[string]func(*rapid.T){
		"register":  w.register,
		"heartbeat": w.heartbeat, "heartbeats": w.heartbeat, "more heartbeats": w.heartbeat,
		"all alive": func(*rapid.T) { w.allAlive() },
		"isr":       w.alterISR,
		"more isr":  w.alterISR,
		"create":    w.create,
		"topics":    w.changeTopics,
		"elect":     w.elect,
		"pass":      w.pass,
		"silence":   w.silence, "more silence": w.silence,
		"commit":     func(*rapid.T) { w.commit(len(w.log)) },
		"unregister": w.unregister,
		"fail over":  w.failOver,
		"":           func(*rapid.T) { w.check() },
	}
	w.t.Repeat(actions)
}

func (w *world) moment() Moment { return Moment{Now: w.now, NextOffset: wire.Offset(len(w.log))} }

func (w *world) take(out Output) {
	for _, r := range out.Records {
		decoded, err := metadata.Decode(metadata.Append(nil, r))
		if err != nil {
			w.t.Fatal(err)
		}
		if diff := cmp.Diff(r, decoded, equateEmpty); diff != "" {
			w.t.Fatalf("record changed on its way through the log: %s", diff)
		}
		w.log = append(w.log, decoded)
	}
	w.batches = append(w.batches, len(w.log))
	w.answered(out.Replies)
}

// equateEmpty treats null and empty lists alike, except in change records, where
// they differ.
var equateEmpty = cmp.FilterPath(func(p cmp.Path) bool {
	for _, step := range p {
		if step.Type() == reflect.TypeFor[metadata.PartitionChangeRecord]() {
			return false
		}
	}
	return true
}, cmpopts.EquateEmpty())

func encode(records []metadata.Record) []byte {
	var all []byte
	for _, r := range records {
		all = metadata.Append(all, r)
	}
	return all
}

func (w *world) answered(replies []Reply) {
	for _, r := range replies {
		if !w.waiting[r.Token] {
			w.t.Fatalf("request %d was answered twice, or never asked", r.Token)
		}
		delete(w.waiting, r.Token)
	}
}

func (w *world) ask(req kmsg.Request) {
	w.token++
	w.waiting[w.token] = true
	w.take(w.c.Handle(w.moment(), w.token, req))
}

func (w *world) commit(end int) {
	for ; w.applied < end; w.applied++ {
		if err := w.committed.Apply(w.log[w.applied]); err != nil {
			w.t.Fatalf("record %d: %v", w.applied, err)
		}
	}
	w.answered(w.c.Committed(wire.Offset(end)))
	for _, topic := range w.committed.Topics() {
		for _, p := range topic.Partitions {
			old, known := w.seen[p.TopicIDPartition()]
			switch {
			case known && (p.Epoch < old.Epoch || p.LeaderEpoch < old.LeaderEpoch):
				w.t.Fatalf("epochs went back from %d/%d to %d/%d", old.LeaderEpoch, old.Epoch, p.LeaderEpoch, p.Epoch)
			case known && p.Leader != old.Leader && p.LeaderEpoch == old.LeaderEpoch:
				w.t.Fatalf("%s-%d: leader %d became %d within epoch %d", p.Topic, p.Index, old.Leader, p.Leader, p.LeaderEpoch)
			case known && p.Epoch == old.Epoch && !slices.Equal(p.ISR, old.ISR):
				w.t.Fatalf("ISR changed within partition epoch %d", p.Epoch)
			}
			w.seen[p.TopicIDPartition()] = *p
		}
	}
}

func (w *world) check() {
	if err := checkDecided(w.c); err != nil {
		w.t.Fatal(err)
	}
	if len(w.log) == w.applied && len(w.waiting) > 0 {
		w.t.Fatalf("%d requests wait although everything has committed", len(w.waiting))
	}
	// The pending image is the committed one plus what is on its way.
	replayed := w.committed.Clone()
	for _, r := range w.log[w.applied:] {
		if err := replayed.Apply(r); err != nil {
			w.t.Fatal(err)
		}
	}
	pending, again := w.c.Image().Records(), replayed.Records()
	if !bytes.Equal(encode(pending), encode(again)) {
		w.t.Fatalf("pending image and replayed log differ: %s", cmp.Diff(pending, again, equateEmpty))
	}
	// A snapshot says the same.
	restored := metadata.NewImage()
	for _, r := range again {
		if err := restored.Apply(r); err != nil {
			w.t.Fatalf("snapshot: %v", err)
		}
	}
	if !bytes.Equal(encode(again), encode(restored.Records())) {
		w.t.Fatalf("snapshot and image differ: %s", cmp.Diff(again, restored.Records(), equateEmpty))
	}
}

func (w *world) broker(t *rapid.T) int32 { return rapid.Int32Range(1, 4).Draw(t, "broker") }

func (w *world) epoch(id int32) int64 {
	if b := w.c.Image().Broker(wire.NodeID(id)); b != nil {
		return int64(b.Epoch)
	}
	return -1
}

func (w *world) register(t *rapid.T) {
	id := w.broker(t)
	previous := int64(-1)
	switch rapid.IntRange(0, 2).Draw(t, "amend, clean, unclean") {
	case 1:
		w.incarnation[id]++
		previous = w.epoch(id)
	case 2:
		w.incarnation[id]++
	}
	req := registrationOf(id, w.incarnation[id])
	req.PreviousBrokerEpoch = previous
	before := w.epoch(id)
	w.ask(req)
	if after := w.epoch(id); after != before && previous != before {
		w.checkLost(wire.NodeID(id))
	}
}

// checkLost: a broker that has just stopped uncleanly is trusted nowhere, unless
// the ELR is off and nobody else is left.
func (w *world) checkLost(id wire.NodeID) {
	elrOn := w.c.Image().FeatureLevel(metadata.ELRVersion) > 0
	for _, topic := range w.c.Image().Topics() {
		for _, p := range topic.Partitions {
			if p.InELR(id) || p.InISR(id) && (elrOn || len(p.ISR) > 1) || p.Leader == id {
				w.t.Fatalf("broker %d stopped uncleanly, but %s-%d is %+v", id, p.Topic, p.Index, *p)
			}
		}
	}
}

func (w *world) heartbeat(t *rapid.T) {
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.BrokerID = w.broker(t)
	req.BrokerEpoch = w.epoch(req.BrokerID)
	req.CurrentMetadataOffset = int64(rapid.IntRange(0, w.applied).Draw(t, "replayed"))
	req.WantFence = rapid.IntRange(0, 9).Draw(t, "fence") == 0
	req.WantShutdown = rapid.IntRange(0, 5).Draw(t, "shutdown") == 0
	w.ask(req)
}

func (w *world) allAlive() { w.aliveBut(0) }

// aliveBut lets all brokers but one report that they have replayed everything.
func (w *world) aliveBut(silent int32) {
	w.commit(len(w.log))
	for id := int32(1); id <= 4; id++ {
		if id == silent {
			continue
		}
		req := kmsg.NewPtrBrokerHeartbeatRequest()
		req.BrokerID, req.BrokerEpoch, req.CurrentMetadataOffset = id, w.epoch(id), int64(w.applied)-1
		w.ask(req)
	}
}

// partition picks one of those that exist, or nil.
func (w *world) partition(t *rapid.T) *metadata.Partition {
	var all []*metadata.Partition
	for _, topic := range w.c.Image().Topics() {
		all = append(all, topic.Partitions...)
	}
	if len(all) == 0 {
		return nil
	}
	return rapid.SampledFrom(all).Draw(t, "partition")
}

func (w *world) alterISR(t *rapid.T) {
	p := w.partition(t)
	if p == nil {
		return
	}
	req := kmsg.NewPtrAlterPartitionRequest()
	req.Version = 3
	req.BrokerID = int32(p.Leader)
	req.BrokerEpoch = w.epoch(req.BrokerID)
	topic := kmsg.NewAlterPartitionRequestTopic()
	topic.TopicID = p.TopicID
	part := kmsg.NewAlterPartitionRequestTopicPartition()
	part.Partition, part.LeaderEpoch, part.PartitionEpoch = p.Index, int32(p.LeaderEpoch), int32(p.Epoch)
	part.LeaderRecoveryState = int8(rapid.SampledFrom([]metadata.LeaderRecoveryState{metadata.Recovered, p.RecoveryState}).Draw(t, "recovery"))
	for _, id := range p.Replicas {
		if id == p.Leader || rapid.Bool().Draw(t, "in sync") {
			m := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
			m.BrokerID, m.BrokerEpoch = int32(id), w.epoch(int32(id))
			part.NewEpochISR = append(part.NewEpochISR, m)
		}
	}
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	w.ask(req)
}

func (w *world) topicName(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "topic")
}

func (w *world) create(t *rapid.T) {
	w.createTopic(w.topicName(t), rapid.Int32Range(-1, 3).Draw(t, "partitions"), rapid.Int16Range(-1, 4).Draw(t, "factor"),
		rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "minimum"))
}

func (w *world) createTopic(name string, partitions int32, factor int16, minimum string) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = 7
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, factor
	cfg := kmsg.NewCreateTopicsRequestTopicConfig()
	cfg.Name, cfg.Value = "min.insync.replicas", &minimum
	topic.Configs = append(topic.Configs, cfg)
	req.Topics = append(req.Topics, topic)
	w.ask(req)
}

func (w *world) changeTopics(t *rapid.T) {
	name := w.topicName(t)
	switch rapid.IntRange(0, 5).Draw(t, "delete, grow, configure") {
	case 0:
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.Version = 6
		topic := kmsg.NewDeleteTopicsRequestTopic()
		topic.Topic = &name
		req.Topics = append(req.Topics, topic)
		w.ask(req)
	case 1:
		req := kmsg.NewPtrCreatePartitionsRequest()
		topic := kmsg.NewCreatePartitionsRequestTopic()
		topic.Topic, topic.Count = name, rapid.Int32Range(1, 5).Draw(t, "count")
		req.Topics = append(req.Topics, topic)
		w.ask(req)
	default:
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		res := kmsg.NewIncrementalAlterConfigsRequestResource()
		res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, name
		cfg := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		if rapid.Bool().Draw(t, "minimum") {
			cfg.Name, cfg.Value = "min.insync.replicas", kmsg.StringPtr(rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "minimum"))
		} else {
			cfg.Name, cfg.Value = "unclean.leader.election.enable", kmsg.StringPtr(rapid.SampledFrom([]string{"true", "false"}).Draw(t, "unclean"))
		}
		res.Configs = append(res.Configs, cfg)
		req.Resources = append(req.Resources, res)
		w.ask(req)
	}
}

func (w *world) reassign(t *rapid.T) {
	p := w.partition(t)
	if p == nil {
		return
	}
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	topic := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	part := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	topic.Topic, part.Partition = p.Topic, p.Index
	if rapid.IntRange(0, 3).Draw(t, "cancel") > 0 {
		target := rapid.Permutation([]int32{1, 2, 3, 4}).Draw(t, "replicas")
		part.Replicas = target[:rapid.IntRange(1, 3).Draw(t, "how many")]
	}
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	w.ask(req)
}

func (w *world) elect(t *rapid.T) {
	req := kmsg.NewPtrElectLeadersRequest()
	req.Version = 2
	req.ElectionType = rapid.Int8Range(0, 1).Draw(t, "unclean")
	w.ask(req)
}

// silence lets one broker's session time out.
func (w *world) silence(t *rapid.T) {
	id := w.broker(t)
	for range 2 {
		w.aliveBut(id)
		w.passSeconds(5)
	}
}

func (w *world) pass(t *rapid.T) { w.passSeconds(rapid.IntRange(0, 12).Draw(t, "seconds")) }

func (w *world) passSeconds(n int) {
	w.now += int64(n) * int64(time.Second)
	if at, ok := w.c.Deadline(); ok && at <= w.now {
		w.take(w.c.Tick(w.moment()))
		if again, ok := w.c.Deadline(); ok && again <= w.now {
			w.t.Fatalf("after a tick at %d the deadline is %d", w.now, again)
		}
	}
}

func (w *world) unregister(t *rapid.T) {
	if rapid.IntRange(0, 5).Draw(t, "rarely") > 0 {
		return
	}
	req := kmsg.NewPtrUnregisterBrokerRequest()
	req.BrokerID = w.broker(t)
	w.ask(req)
}

// failOver loses the records that no majority has, and elects a controller that
// has the others.
func (w *world) failOver(t *rapid.T) {
	uncommitted := slices.DeleteFunc(slices.Clone(w.batches), func(end int) bool { return end < w.applied })
	kept := rapid.SampledFrom(append(uncommitted, w.applied)).Draw(t, "kept")
	w.answered(w.c.Resign())
	if len(w.waiting) > 0 {
		t.Fatalf("%d requests got no answer", len(w.waiting))
	}
	w.log = w.log[:kept]
	w.batches = slices.DeleteFunc(w.batches, func(end int) bool { return end > kept })
	w.c = New(w.cfg)
	w.commit(kept)
	w.take(w.c.Lead(w.moment(), w.committed))
}
