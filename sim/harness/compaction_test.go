package harness

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/sim/fault"
	"odradek/workloads"
	"odradek/workloads/client"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
)

// countingTable is a workload on a compacted topic: each user counts up under some keys of
// its own, and deletes one now and then. In the end the table must have what was
// acknowledged last, or something later.
type countingTable struct {
	acked, sent map[string]int // by key: the last count
	users       int
	// retention is delete.retention.ms. As in Kafka a replica that is away for longer than
	// that may have missed a tombstone, and bring back what that deleted.
	retention string
}

const tableTopic = "table"

func newCountingTable(retention string) *countingTable {
	return &countingTable{acked: make(map[string]int), sent: make(map[string]int), users: 4, retention: retention}
}

func tableClient(s *workloads.Site, name string) *client.Client {
	cfg := client.DefaultConfig(name, s.Bootstrap...)
	cfg.DialTimeout, cfg.RequestTimeout = time.Second, 2*time.Second
	return client.New(s.Env, cfg)
}

func (w *countingTable) Setup(t *env.Task, s *workloads.Site) error {
	c := tableClient(s, "setup")
	defer c.Close()
	_, err := c.NewAdmin().CreateTopic(t, client.NewTopic{Name: tableTopic, Partitions: 2, ReplicationFactor: 3, Configs: map[string]string{
		"cleanup.policy": "compact", "segment.bytes": "1200", "min.cleanable.dirty.ratio": "0.05", "min.insync.replicas": "2",
		"delete.retention.ms": w.retention, "file.delete.delay.ms": "200", "index.interval.bytes": "300",
	}})
	return err
}

func (w *countingTable) Users() []workloads.User {
	var users []workloads.User
	for u := range w.users {
		name := fmt.Sprintf("counter-%d", u)
		users = append(users, workloads.User{Name: name, Run: func(t *env.Task, s *workloads.Site) { w.count(t, s, name, u) }})
	}
	return users
}

func (w *countingTable) count(t *env.Task, s *workloads.Site, name string, u int) {
	c := tableClient(s, name)
	defer c.Close()
	cfg := producer.DefaultConfig()
	cfg.Idempotent = true
	p := c.NewProducer(cfg)
	rng := s.Env.Rand.Stream("table/" + name)
	life := 0
	for n := 1; n < 400 && !s.Stopping(); n++ {
		key := fmt.Sprintf("%s-%d-%d", name, life, rng.IntN(4))
		value := []byte(strconv.Itoa(n))
		if n%7 == 0 {
			value = nil
		}
		w.sent[key] = n
		r := p.Send(t, producer.Record{Topic: tableTopic, Partition: int32(u % 2), Key: []byte(key), Value: value})
		if r.Err == nil {
			w.acked[key] = n
		} else {
			// A late copy of this one may come after the next: not under the same key.
			life++
			p.Close()
			p = c.NewProducer(cfg)
		}
		t.Sleep(s.Env.Clock, time.Duration(5+rng.IntN(30))*time.Millisecond)
	}
}

func (w *countingTable) Final(t *env.Task, s *workloads.Site) error {
	c := tableClient(s, "final")
	defer c.Close()
	table := make(map[string]int)
	for p := range int32(2) {
		tp := wire.TopicPartition{Topic: tableTopic, Partition: p}
		end, err := c.NewAdmin().ListOffset(t, tp, client.LatestOffset, false)
		if err != nil {
			return err
		}
		con := c.NewConsumer(consumer.DefaultConfig())
		con.Assign([]wire.TopicPartition{tp})
		con.Seek(tp, consumer.Position{Offset: 0, Epoch: wire.NoLeaderEpoch})
		for idle := 0; ; {
			records, events := con.Poll(t, time.Second)
			if len(events) > 0 {
				return fmt.Errorf("%v", events)
			}
			for _, r := range records {
				if table[string(r.Key)] = 0; r.Value != nil {
					table[string(r.Key)], _ = strconv.Atoi(string(r.Value))
				}
			}
			if at, ok := con.Position(tp); ok && at.Offset >= end.Offset {
				break
			}
			if idle++; idle > 60 {
				return fmt.Errorf("stuck before offset %d", end.Offset)
			}
		}
		con.Close()
	}
	for _, key := range slices.Sorted(maps.Keys(w.acked)) {
		acked := w.acked[key]
		if got := table[key]; got == 0 && w.deletedSince(key, acked) || got >= acked {
			continue
		}
		return &workloads.Finding{Name: "stale-table", Sentence: fmt.Sprintf("key %s has %d, but %d was acknowledged", key, table[key], acked)}
	}
	return nil
}

// deletedSince reports whether one of the counts from n on was a deletion.
func (w *countingTable) deletedSince(key string, n int) bool {
	for ; n <= w.sent[key]; n++ {
		if n%7 == 0 {
			return true
		}
	}
	return false
}

func compactingPlan(seed uint64, kinds ...fault.Kind) *fault.Plan {
	profile := DefaultProfile()
	if len(kinds) > 0 {
		profile.Kinds = kinds
	}
	p := fault.Draw(seed, profile)
	p.Cluster.Nodes = max(p.Cluster.Nodes, 3)
	maps.Copy(p.Cluster.Config, map[string]string{
		"log.cleaner.backoff.ms": "150", "min.insync.replicas": "2", "log.cleaner.io.buffer.size": "2000",
	})
	if seed%2 == 0 {
		p.Cluster.Config["log.cleaner.dedupe.buffer.size"] = "150" // a handful of keys
	}
	return p
}

var survivableKinds = []fault.Kind{fault.ProcessCrash, fault.Restart, fault.Pause, fault.Partition, fault.Cut, fault.SlowLink, fault.Reset}

// TestCompactionUnderFaults: nothing that must hold between replicas, nor the table itself,
// suffers from compaction, whatever crashes meanwhile.
func TestCompactionUnderFaults(t *testing.T) {
	t.Parallel()
	seeds := uint64(8)
	if testing.Short() {
		seeds = 2
	}
	reached := uint64(0)
	for seed := uint64(1); seed <= seeds; seed++ {
		res, err := Run(compactingPlan(seed, survivableKinds...), Options{
			Workload: newCountingTable("60000"), Guarantees: func(g *history.Guarantees) { g.Compaction = true },
		})
		if err != nil {
			t.Fatal(err)
		}
		if res.Verdict != OK {
			t.Errorf("seed %d: %v", seed, res.Anomalies)
		}
		if res.Reached["log-cleaned"] > 0 {
			reached += res.Reached["segment-compacted"]
		}
	}
	if reached == 0 {
		t.Error("nothing was compacted")
	}
}

// TestCompactionRepeats: two runs of a plan are the same.
func TestCompactionRepeats(t *testing.T) {
	t.Parallel()
	var hashes [2]any
	for i := range hashes {
		res, err := Run(compactingPlan(2, survivableKinds...), Options{Workload: newCountingTable("60000")})
		if err != nil {
			t.Fatal(err)
		}
		hashes[i] = res.Hash
	}
	if hashes[0] != hashes[1] {
		t.Errorf("hashes %v", hashes)
	}
}

// TestTombstonesGo has tombstones expire all the time, without faults.
func TestTombstonesGo(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 2; seed++ {
		p := compactingPlan(seed)
		p.Events = nil
		res, err := Run(p, Options{Workload: newCountingTable("300"), Guarantees: func(g *history.Guarantees) { g.Compaction = true }})
		if err != nil {
			t.Fatal(err)
		}
		if res.Verdict != OK {
			t.Errorf("seed %d: %v", seed, res.Anomalies)
		}
	}
}
