package workloads

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
	"odradek/workloads/client/txn"
)

// The parameters of compacted-table besides those of a feed, whose producers are its
// writers outside of transactions.
var compactedTableDefaults = extend(feedDefaults, map[string]int{
	"all-acks":               1,
	"idempotent":             1,
	"partitions":             2,
	"keys":                   20,   // of each partition
	"deletes-per-mille":      200,  // of the writes are tombstones
	"transactional":          1,    // writers besides, who write in transactions
	"batch":                  5,    // mean number of writes in a transaction
	"abort-per-mille":        200,  // of the transactions
	"transaction-timeout-ms": 4000, // one that its writer gave up is aborted then
	"readers":                2,    // every second one reads committed records
	"rebuild-ms":             2000, // mean time between the beginnings of two tables of a reader
	// Of the topic; what is configured otherwise counts.
	"segment-bytes":       1200,
	"dirty-per-mille":     10,    // min.cleanable.dirty.ratio
	"delete-retention-ms": 60000, // more than a replica is ever away: else it may miss a tombstone, as in Kafka, and bring back what that deleted
	"retention-bytes":     0,     // cleanup.policy=compact,delete with this; 0: compact
})

func drawCompactedTable(r *rand.Rand) map[string]int {
	pick := picker(r)
	params := drawFeed(r)
	params["all-acks"], params["idempotent"] = 1, 1
	params["partitions"] = pick(1, 1, 2, 3)
	params["keys"] = pick(2, 10, 50, 200)
	params["deletes-per-mille"] = pick(50, 200, 500)
	params["transactional"] = pick(0, 1, 2)
	params["batch"] = pick(1, 5, 20)
	params["abort-per-mille"] = pick(0, 200, 500)
	params["readers"] = pick(1, 2, 3)
	params["rebuild-ms"] = pick(500, 2000, 10000)
	params["segment-bytes"] = pick(600, 1200, 4000, 20000)
	params["dirty-per-mille"] = pick(0, 10, 300)
	params["retention-bytes"] = pick(0, 0, 0, 20000)
	return params
}

// compactedTable: writers put and delete the keys of a few tables, which are compacted
// topics, and readers build the tables from the start again and again.
type compactedTable struct {
	*feed
	// writing counts the transactional writers that are not done.
	writing int
}

func newCompactedTable(params map[string]int, topic map[string]string) Workload {
	for _, name := range []string{"keys", "batch", "transaction-timeout-ms", "rebuild-ms"} {
		params[name] = max(params[name], 1)
	}
	configs := map[string]string{
		"cleanup.policy":            "compact",
		"segment.bytes":             strconv.Itoa(max(params["segment-bytes"], 100)),
		"min.cleanable.dirty.ratio": fmt.Sprintf("%d.%03d", params["dirty-per-mille"]/1000, params["dirty-per-mille"]%1000),
		"delete.retention.ms":       strconv.Itoa(params["delete-retention-ms"]),
		"file.delete.delay.ms":      "200",
	}
	if n := params["retention-bytes"]; n > 0 {
		configs["cleanup.policy"], configs["retention.bytes"] = "compact,delete", strconv.Itoa(n)
	}
	maps.Copy(configs, topic)
	w := &compactedTable{feed: newFeed("table", params, configs), writing: params["transactional"]}
	w.compose = w.row
	return w
}

// Promise implements Promising.
func (w *compactedTable) Promise(g *history.Guarantees) {
	g.Compacted = append(g.Compacted, w.topics()...)
	g.Retention = g.Retention || w.topic["cleanup.policy"] != "compact"
	if ms, err := strconv.ParseInt(w.topic["delete.retention.ms"], 10, 64); err == nil {
		g.DeleteRetention = ms * int64(time.Millisecond)
	}
}

// row puts or deletes a key of a partition.
func (w *compactedTable) row(rng *rand.Rand, tp wire.TopicPartition) (history.Event, producer.Record) {
	e, r := w.plain(rng, tp)
	e.Key = fmt.Sprintf("key-%d", rng.IntN(w.params["keys"]))
	r.Key = []byte(e.Key)
	if rng.IntN(1000) < w.params["deletes-per-mille"] {
		e.Tombstone = true
		r.Headers = []wire.Header{{Key: valueHeader, Value: r.Value}}
		r.Value = nil
	}
	return e, r
}

// Users implements Workload.
func (w *compactedTable) Users() []User {
	users := w.producers()
	for i := range w.params["transactional"] {
		name := fmt.Sprintf("transactional-writer-%d", i)
		users = append(users, User{Name: name, Run: func(t *env.Task, s *Site) {
			w.writeInTransactions(t, s, name)
			w.writing--
		}})
	}
	for i := range w.params["readers"] {
		name := fmt.Sprintf("table-reader-%d", i)
		users = append(users, User{Name: name, Run: func(t *env.Task, s *Site) { w.rebuild(t, s, name, i%2 == 1) }})
	}
	return users
}

// writeInTransactions writes with one producer after another: who can not go on is
// replaced, and nobody ends what he has left behind but his successor.
func (w *compactedTable) writeInTransactions(t *env.Task, s *Site, name string) {
	rng := s.Env.Rand.Stream("workload/" + name)
	for life := 1; w.producing > 0 && !s.stopping(); life++ {
		cfg := w.producerConfig(0)
		cfg.TransactionalID = name
		cfg.TransactionTimeout = w.duration("transaction-timeout-ms", time.Millisecond)
		x := newTransactions(s, fmt.Sprintf("%s.%d", name, life), &cfg)
		c := s.client(x.process, w.requestTimeout(), x)
		x.producer = c.NewProducer(cfg)
		if x.init(t, never) == nil {
			for w.producing > 0 && !s.stopping() && w.transact(t, s, x, rng) {
				s.sleep(t, time.Duration(1+rng.IntN(100))*time.Millisecond)
			}
		}
		c.Close()
		if !s.stopping() {
			s.sleep(t, time.Duration(1+rng.IntN(200))*time.Millisecond)
		}
	}
}

// never is for who waits until it is known how a transaction ended: one that is left open
// would still be when the final log is read.
func never() bool { return false }

// transact does one transaction. It returns false if the producer is of no more use.
func (w *compactedTable) transact(t *env.Task, s *Site, x *transactions, rng *rand.Rand) bool {
	if x.begin() != nil {
		return false
	}
	tps := w.partitions()
	for range 1 + rng.IntN(2*w.params["batch"]-1) {
		e, record := w.compose(rng, tps[rng.IntN(len(tps))])
		x.send(x.producer, e, record, func(producer.Result) {})
	}
	s.sleep(t, time.Duration(rng.IntN(20))*time.Millisecond)
	if rng.IntN(1000) >= w.params["abort-per-mille"] {
		end := x.end(t, true, never)
		if end.Err == nil || x.producer.TransactionState() != txn.Abortable {
			return end.Err == nil
		}
	}
	return x.end(t, false, never).Err == nil
}

// rebuild reads all tables from the start, and again, until nothing is written any more and
// the last table is complete.
func (w *compactedTable) rebuild(t *env.Task, s *Site, name string, committed bool) {
	rng := s.Env.Rand.Stream("workload/" + name)
	cfg := w.consumerConfig()
	cfg.ReadCommitted = committed
	cfg.PartitionMaxBytes = []int{200, 4096, 1 << 20}[rng.IntN(3)]
	c := s.client(name, w.requestTimeout(), nil)
	defer c.Close()
	r := newReader(s, name, c, cfg, w.partitions())
	for {
		last := w.producing == 0 && w.writing == 0
		until := s.Env.Clock.Now().Add(about(rng, w.duration("rebuild-ms", time.Millisecond)))
		for idle := 0; idle < idlePolls && (last || s.Env.Clock.Now() < until); {
			if r.poll(t, cfg.MaxWait) {
				idle = 0
			} else {
				idle++
			}
			if !last {
				s.sleep(t, time.Duration(1+rng.IntN(10))*time.Millisecond)
			}
		}
		if last {
			return
		}
		for _, tp := range w.partitions() {
			r.moved(tp, wire.NoOffset, "from the start again")
			r.fromBeginning(tp)
		}
	}
}

// Final implements Workload.
func (w *compactedTable) Final(t *env.Task, s *Site) error {
	if err := w.finalReads(t, s, w.partitions(), w.params["transactional"] > 0); err != nil {
		return err
	}
	return w.forget(t, s)
}

// forgetWithin bounds how long tombstones may stay once they need not be kept: for the
// delete.retention.ms that they found when they were first cleaned (KIP-534 writes the end of
// it into their batch), and this.
const forgetWithin = 20 * time.Second

// forget makes tombstones go: they need not be kept any longer, and what is written after
// them, which no history has, closes their segments. What stays is a *Finding.
func (w *compactedTable) forget(t *env.Task, s *Site) error {
	c := w.finalClient(s, "forgetting", nil)
	defer c.Close()
	admin := c.NewAdmin().WithTimeout(finalTimeout)
	rng := s.Env.Rand.Stream("workload/forgetting")
	// With tiny segments and buffers the cleaner has minutes of work before it.
	if err := admin.AlterBrokerConfigs(t, "", []client.ConfigChange{{Name: "log.cleaner.dedupe.buffer.size", Value: "1048576"}}); err != nil {
		return fmt.Errorf("give the cleaner room: %w", err)
	}
	for _, topic := range w.topics() {
		if err := admin.AlterTopicConfigs(t, topic, []client.ConfigChange{
			{Name: "delete.retention.ms", Value: "0"}, {Name: "min.cleanable.dirty.ratio", Value: "0.001"},
			{Name: "segment.bytes", Value: "20000"}, {Name: "segment.ms", Value: "1000"},
		}); err != nil {
			return fmt.Errorf("let tombstones go: %w", err)
		}
	}
	cfg := producer.DefaultConfig()
	p := c.NewProducer(cfg)
	left, within := 0, forgetWithin+w.duration("delete-retention-ms", time.Millisecond)
	for until := s.Env.Clock.Now().Add(within); s.Env.Clock.Now() < until; {
		for _, tp := range w.partitions() {
			for range 3 {
				_, r := w.plain(rng, tp)
				r.Key = []byte("filler")
				if res := p.Send(t, r); res.Err != nil {
					return fmt.Errorf("write after the tombstones in %v: %w", tp, res.Err)
				}
			}
		}
		s.sleep(t, 3*time.Second)
		left = 0
		for _, tp := range w.partitions() {
			n, err := w.tombstones(t, s, c, admin, tp)
			if err != nil {
				return fmt.Errorf("count tombstones in %v: %w", tp, err)
			}
			if n > 0 {
				hangs, err := hanging(t, admin, tp)
				if err != nil {
					return fmt.Errorf("transactions in %v: %w", tp, err)
				}
				if hangs {
					continue // nothing behind it can be cleaned; it is judged as what it is
				}
			}
			left += n
		}
		if left == 0 {
			return nil
		}
	}
	return &Finding{Name: "tombstones-stay", Sentence: fmt.Sprintf("%d tombstones are there %v after delete.retention.ms was set to 0", left, within)}
}

// tombstones counts those that readers get.
func (w *compactedTable) tombstones(t *env.Task, s *Site, c *client.Client, admin *client.Admin, tp wire.TopicPartition) (int, error) {
	end, err := admin.ListOffset(t, tp, client.LatestOffset, false)
	if err != nil {
		return 0, err
	}
	con := c.NewConsumer(consumer.DefaultConfig())
	defer con.Close()
	con.Assign([]wire.TopicPartition{tp})
	con.SeekTo(tp, consumer.ResetEarliest, 0)
	n := 0
	for last := s.Env.Clock.Now(); s.Env.Clock.Now().Sub(last) < finalTimeout; {
		records, events := con.Poll(t, time.Second)
		for _, e := range events {
			if e.Stopped {
				con.SeekTo(tp, consumer.ResetEarliest, 0) // retention was there first
				n = 0
			}
		}
		for i := range records {
			if records[i].Value == nil {
				n++
			}
		}
		if at, ok := con.Position(tp); ok && at.Offset >= end.Offset {
			return n, nil
		}
		if len(records)+len(events) > 0 {
			last = s.Env.Clock.Now()
		}
	}
	return 0, errNoProgress
}

// hanging reports whether an open transaction holds up the last stable offset.
func hanging(t *env.Task, admin *client.Admin, tp wire.TopicPartition) (bool, error) {
	stable, err := admin.ListOffset(t, tp, client.LatestOffset, true)
	if err != nil {
		return false, err
	}
	latest, err := admin.ListOffset(t, tp, client.LatestOffset, false)
	return stable.Offset < latest.Offset, err
}
