package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/checker/history"
)

// task is what the members of a job do until they are told to stop.
type task string

const (
	// consumes: they read the input as a group and commit what they have read. Every
	// record is read at least once.
	consumes task = "consume"
	// transacts: each writes transactions of a few records into several partitions, and
	// aborts every third. Readers of committed records get all of one or nothing.
	transacts task = "transact"
	// transforms: they read the input as a group, and in one transaction write a copy of
	// every record and commit their offsets. Every record has one copy.
	transforms task = "transform"
)

// job is a task, and the group and topics that it is about.
type job struct {
	task      task
	bootstrap string
	group     string
	input     string
	output    string
	isolation history.Isolation
	// nextGeneration is the group protocol of KIP-848; assignor names one of the client's
	// else.
	nextGeneration bool
	// upgrade is that the members that come later speak the protocol of KIP-848, so that
	// the group is converted while members of the classic one work in it.
	upgrade  bool
	assignor string
	// lonely is that there is one member, because the client cannot fence another.
	lonely bool

	diary *diary
}

// worker is a client that can work on jobs. It returns when the member has been told
// to stop, or cannot go on.
type worker struct {
	work  func(*member) error
	blind bool // see member
	// needs skips the test if something is not installed.
	needs func(*testing.T)
}

const (
	inputPartitions  = 3
	outputPartitions = 2
	inputRecords     = 300
	inputPause       = 30 * time.Millisecond
	// transactionsEach is how many transactions each member ends at least.
	transactionsEach = 30
)

// runJob lets members of one client do a job on three nodes, while the coordinators of
// the group and of the transactions are killed (kill -9) and started again, and members come and go; and
// has the history checker judge what they and the final logs tell.
func runJob(t *testing.T, j job, w worker) {
	if w.needs != nil {
		w.needs(t)
	}
	c := ownCluster(t, 3, "offsets.topic.num.partitions=3", "transaction.state.log.num.partitions=3", "group.initial.rebalance.delay.ms=300",
		// Small segments, so that the coordinators' topics are compacted meanwhile.
		"offsets.topic.segment.bytes=20000", "transaction.state.log.segment.bytes=20000", "log.cleaner.backoff.ms=500",
		"group.consumer.min.heartbeat.interval.ms=500", "group.consumer.heartbeat.interval.ms=500")
	j.bootstrap, j.group, j.input, j.output, j.diary = c.bootstrap(), "workers", "in", "out", newDiary()
	if (j.nextGeneration || j.upgrade) && !c.hasFeature(t, "group.version", 1) {
		t.Skip("the cluster has no group.version 1 (KIP-848)")
	}
	if j.task == transforms {
		j.isolation = history.ReadCommitted
	}
	c.create(t, j.input, inputPartitions, nil)
	c.create(t, j.output, outputPartitions, nil)

	crew := &crew{job: &j, worker: w, cluster: c}
	defer crew.dismiss()
	first := crew.hire()
	if !j.lonely {
		crew.hire()
	}
	fed := make(chan error, 1)
	go func() { fed <- j.feed() }()

	time.Sleep(2 * time.Second)
	for _, of := range []struct {
		kind int8
		key  string
	}{{0, j.group}, {1, first.name}} {
		if (of.kind == 0) == (j.task == transacts) && j.task != transforms {
			continue
		}
		n := c.coordinator(t, of.kind, of.key)
		n.kill()
		time.Sleep(time.Second)
		n.start(t)
		c.awaitInSync(t, j.input)
		c.awaitInSync(t, j.output)
	}
	if !j.lonely {
		crew.hire()
		time.Sleep(time.Second)
		crew.awaitAtWork(t, first)
		if err := crew.fire(first); err != nil {
			t.Fatalf("%s: %v", first.name, err)
		}
	}
	if err := <-fed; err != nil {
		t.Fatalf("writing the input: %v", err)
	}
	crew.awaitDone(t)
	for _, m := range slices.Clone(crew.members) {
		if err := crew.fire(m); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	if j.task != transacts {
		j.finalCommitted(t, c)
	}
	for topic, partitions := range map[string]int32{j.input: inputPartitions, j.output: outputPartitions} {
		for _, isolation := range []history.Isolation{history.ReadUncommitted, history.ReadCommitted} {
			for p := range partitions {
				j.finalRead(t, c, wire.TopicPartition{Topic: topic, Partition: p}, isolation)
			}
		}
	}
	j.judge(t)
}

// judge has the checker of histories look at the diary.
func (j *job) judge(t *testing.T) {
	t.Helper()
	var g history.Guarantees
	if j.task == transforms {
		g.Pipelines = []history.Pipeline{{Group: j.group, Inputs: []string{j.input}, Output: j.output}}
	}
	report, err := history.Check(j.diary.rec.Events(), g)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v", report)
	if len(report.Violations()) > 0 {
		path := j.keep(t)
		t.Errorf("the history, which is in %s, has violations", path)
	}
	switch {
	case j.task != transacts && report.Given < inputRecords:
		t.Errorf("members were given %d records, want %d at least", report.Given, inputRecords)
	case j.task == consumes && report.FinalOffsets != inputPartitions:
		t.Errorf("%d final offsets were judged, want %d", report.FinalOffsets, inputPartitions)
	case j.task == transforms && report.Inputs != inputRecords:
		t.Errorf("%d inputs were judged, want %d", report.Inputs, inputRecords)
	case j.task != consumes && report.Committed < 3:
		t.Errorf("%d transactions were committed, want more", report.Committed)
	case j.task == transacts && report.Aborted < 3:
		t.Errorf("%d transactions were aborted, want more", report.Aborted)
	}
}

// keep writes the history where it outlives the test.
func (j *job) keep(t *testing.T) string {
	f, err := os.CreateTemp("", "odradek-interop-*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec := history.NewRecorder(f)
	for _, e := range j.diary.rec.Events() {
		if e.Phase == history.Invoke {
			rec.Invoke(e)
		} else {
			rec.Return(e.Op, e)
		}
	}
	if err := rec.Err(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// crew are the members of a job.
type crew struct {
	*job
	worker
	cluster *cluster
	members []*member
	hired   int
	ends    map[*member]chan error
}

func (c *crew) hire() *member {
	c.hired++
	m := &member{
		job: c.job, name: fmt.Sprintf("worker-%d", c.hired), blind: c.blind, stopped: make(chan struct{}),
		position: make(map[int32]int64), values: uint64(c.hired) * 1_000_000,
	}
	if c.upgrade && c.hired > 2 {
		upgraded := *c.job
		upgraded.nextGeneration = true
		m.job = &upgraded
	}
	m.identity = history.Member{Group: c.group, ID: m.name, Generation: -1}
	end := make(chan error, 1)
	go func() { end <- c.work(m) }()
	if c.ends == nil {
		c.ends = make(map[*member]chan error)
	}
	c.ends[m] = end
	c.members = append(c.members, m)
	return m
}

// awaitAtWork waits until a member has been given something to read. Clients may fail to
// end before that: librdkafka older than 2.3.0 aborts if it has never had an assignment.
func (c *crew) awaitAtWork(t *testing.T, m *member) {
	t.Helper()
	if c.task == transacts {
		return
	}
	c.cluster.await(t, m.name+" to be at work", func(context.Context) error {
		select {
		case err := <-c.ends[m]:
			t.Fatalf("%s has ended: %v", m.name, err)
		default:
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.given == 0 {
			return errors.New("it has read nothing yet")
		}
		return nil
	})
}

// fire tells a member to stop, and waits until it has.
func (c *crew) fire(m *member) error {
	c.members = slices.DeleteFunc(c.members, func(x *member) bool { return x == m })
	close(m.stopped)
	select {
	case err := <-c.ends[m]:
		return err
	case <-time.After(patience):
		return errors.New("does not stop")
	}
}

func (c *crew) dismiss() {
	for _, m := range slices.Clone(c.members) {
		_ = c.fire(m) // the test has failed already
	}
}

// awaitDone waits until everything has been read, or enough been written.
func (c *crew) awaitDone(t *testing.T) {
	t.Helper()
	cl := kadm.NewClient(c.cluster.franz(t))
	c.cluster.await(t, "the job to be done", func(ctx context.Context) error {
		for _, m := range c.members {
			select {
			case err := <-c.ends[m]:
				t.Fatalf("%s has ended: %v", m.name, err)
			default:
			}
			m.mu.Lock()
			produced := m.produced
			m.mu.Unlock()
			if c.task == transacts && produced < transactionsEach {
				return fmt.Errorf("%s has ended %d transactions", m.name, produced)
			}
		}
		if c.task == transacts {
			return nil
		}
		ends, err := cl.ListEndOffsets(ctx, c.input)
		if err != nil {
			return err
		}
		committed, err := cl.FetchOffsets(ctx, c.group)
		if err != nil {
			return err
		}
		for p := range int32(inputPartitions) {
			end, _ := ends.Lookup(c.input, p)
			at, _ := committed.Lookup(c.input, p)
			if end.Err != nil || at.At != end.Offset {
				return fmt.Errorf("partition %d: committed %d of %d", p, at.At, end.Offset)
			}
		}
		return nil
	})
}

// feed writes the input with an idempotent producer.
func (j *job) feed() error {
	if j.task == transacts {
		return nil
	}
	cl, err := (&franz{seeds: seeds(j.bootstrap)}).open(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(j.input))
	if err != nil {
		return err
	}
	defer cl.Close()
	var mu sync.Mutex
	var failed error
	for i := range inputRecords {
		value, p := uint64(i+1), int32(i%inputPartitions)
		op := j.diary.invoke(history.Event{
			Func: history.Append, Process: "feeder", Topic: j.input, Partition: p, Offset: wire.NoOffset, Value: value,
			Acks: history.AcksAll, Idempotent: true, InFlight: 1,
		})
		cl.Produce(context.Background(), &kgo.Record{Partition: p, Value: []byte(strconv.FormatUint(value, 10))}, func(r *kgo.Record, err error) {
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
				return // the outcome is not known
			}
			j.diary.returned(op, history.Event{Outcome: history.OK, Offset: wire.Offset(r.Offset)})
		})
		time.Sleep(inputPause)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return failed
}

// finalCommitted takes down the group's offsets in the end.
func (j *job) finalCommitted(t *testing.T, c *cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var ops []int64
	who := &history.Member{Group: j.group, Generation: -1}
	for p := range int32(inputPartitions) {
		ops = append(ops, j.diary.invoke(history.Event{
			Func: history.FinalCommitted, Process: "final", Topic: j.input, Partition: p, Offset: wire.NoOffset, Member: who, Which: history.Live, Isolation: j.isolation,
		}))
	}
	committed, err := kadm.NewClient(c.franz(t)).FetchOffsets(ctx, j.group)
	if err != nil {
		t.Fatal(err)
	}
	for p := range int32(inputPartitions) {
		at, _ := committed.Lookup(j.input, p)
		j.diary.returned(ops[p], history.Event{Outcome: history.OK, Offset: wire.Offset(at.At), Which: history.Live, Isolation: j.isolation})
	}
}

// finalRead takes down all of a partition.
func (j *job) finalRead(t *testing.T, c *cluster, tp wire.TopicPartition, isolation history.Isolation) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	process, level := "final", kgo.ReadUncommitted()
	list := func(admin *kadm.Client) (kadm.ListedOffsets, error) { return admin.ListEndOffsets(ctx, tp.Topic) }
	if isolation == history.ReadCommitted {
		process, level = "final-committed", kgo.ReadCommitted()
		list = func(admin *kadm.Client) (kadm.ListedOffsets, error) { return admin.ListCommittedOffsets(ctx, tp.Topic) }
	}
	cl, err := (&franz{seeds: seeds(c.bootstrap())}).open(kgo.FetchIsolationLevel(level), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{tp.Topic: {tp.Partition: kgo.NewOffset().At(0)}}))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ends, err := list(kadm.NewClient(cl))
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(tp.Topic, tp.Partition)
	op := j.diary.invoke(history.Event{
		Func: history.Final, Process: process, Topic: tp.Topic, Partition: tp.Partition, Offset: wire.NoOffset, Isolation: isolation,
	})
	var records []history.Record
	for at := int64(0); at < end.Offset; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("the final read of %v at %d of %d: %v", tp, at, end.Offset, err)
		}
		for _, r := range fetches.Records() {
			at = r.Offset + 1
			if at > end.Offset {
				break
			}
			records = append(records, historyRecord(r))
		}
	}
	j.diary.returned(op, history.Event{Outcome: history.OK, Offset: wire.NoOffset, End: wire.Offset(end.Offset), Records: records})
}

func historyRecord(r *kgo.Record) history.Record {
	out := history.Record{Offset: wire.Offset(r.Offset)}
	if !r.Attrs.IsControl() {
		out.Value = valueOf(string(r.Value))
	}
	return out
}

// valueOf is the number that a record carries. What is no number is a value that nobody
// has written.
func valueOf(s string) uint64 {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 1<<63 + 1
	}
	return v
}

// coordinator is the node that coordinates a group (kind 0) or transactional id (1).
func (c *cluster) coordinator(t *testing.T, kind int8, key string) *node {
	t.Helper()
	var found *node
	cl := c.franz(t)
	c.await(t, "a coordinator", func(ctx context.Context) error {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = kind, key, []string{key}
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		code, id := resp.ErrorCode, resp.NodeID
		if len(resp.Coordinators) > 0 {
			code, id = resp.Coordinators[0].ErrorCode, resp.Coordinators[0].NodeID
		}
		if err := kerr.ErrorForCode(code); err != nil {
			return err
		}
		found = c.nodes[slices.Index(c.ids(), id)]
		return nil
	})
	return found
}

// hasFeature reports whether the cluster's finalised level of a feature is at least that.
func (c *cluster) hasFeature(t *testing.T, name string, level int16) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "interop", "1"
	resp, err := req.RequestWith(ctx, c.franz(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == name {
			return f.MaxVersionLevel >= level
		}
	}
	return false
}
