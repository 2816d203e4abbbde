package workloads

import (
	"fmt"
	"math/rand/v2"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/group"
	"odradek/workloads/client/producer"
	"odradek/workloads/client/txn"
)

// worker is one user of exactly-once: processes, one after another or, with zombies, at the
// same time, that have one transactional id.
type worker struct {
	*exactlyOnce
	site   *Site
	number int
	name   string
	rng    *rand.Rand
	shifts int
	// zombies are processes that were replaced and have not noticed.
	zombies int
}

// worker is the i-th worker.
func (w *exactlyOnce) worker(i int) User {
	name := fmt.Sprintf("worker-%d", i)
	return User{Name: name, Run: func(t *env.Task, s *Site) {
		k := &worker{exactlyOnce: w, site: s, number: i, name: name, rng: s.Env.Rand.Stream("workload/" + name)}
		for !w.done {
			k.shift().work(t)
			if !w.done {
				s.sleep(t, time.Duration(1+k.rng.IntN(200))*time.Millisecond)
			}
		}
		for k.zombies > 0 {
			s.sleep(t, 100*time.Millisecond)
		}
	}}
}

// shift is one process of a worker.
type shift struct {
	*worker
	reader  positions
	member  *membership
	group   *client.GroupConsumer
	txns    *transactions
	clients []*client.Client
	// replaced: another process of the worker has begun.
	replaced bool
	// next has for each partition the offset after what was processed in the transaction.
	next group.Offsets
}

// shift begins a process.
func (k *worker) shift() *shift {
	k.shifts++
	name := fmt.Sprintf("%s.%d", k.name, k.shifts)
	sh := &shift{worker: k}

	gc := k.groupConfig()
	sh.member = newMembership(k.site, name, &gc)
	consuming := k.site.client(name, k.requestTimeout(), sh.member)
	cc := k.consumerConfig()
	cc.ReadCommitted = true
	cc.Reset = consumer.ResetEarliest
	cc.MaxPollRecords = k.params["batch"]
	sh.group = consuming.NewGroupConsumer(cc, gc, nil)
	sh.group.Subscribe(k.topics()...)
	sh.reader = positions{
		reads:  reads{site: k.site, process: name, isolation: history.ReadCommitted, member: sh.member.now},
		seeker: sh.group,
	}

	pc := k.producerConfig(0)
	pc.TransactionalID = k.name
	pc.TransactionTimeout = k.duration("transaction-timeout-ms", time.Millisecond)
	sh.txns = newTransactions(k.site, name, &pc)
	producing := k.site.client(name+"-producer", k.requestTimeout(), sh.txns)
	sh.txns.producer = producing.NewProducer(pc)
	sh.clients = []*client.Client{consuming, producing}
	return sh
}

func (k *worker) groupConfig() group.Config {
	cfg := group.DefaultConfig(exactlyOnceGroup)
	cfg.Protocol = k.protocol
	if k.params["static"] != 0 {
		cfg.Instance = k.name
	}
	cfg.SessionTimeout = max(k.duration("session-timeout-ms", time.Millisecond), 100*time.Millisecond)
	cfg.HeartbeatInterval = cfg.SessionTimeout / 5
	cfg.MaxPollInterval = max(k.duration("max-poll-ms", time.Millisecond), 100*time.Millisecond)
	cfg.Timeout = 2 * k.requestTimeout()
	return cfg
}

// enough tells when not to wait for the end of an operation any longer.
func (sh *shift) enough() bool { return sh.done }

// work goes on until everything is done or the process comes to its end.
func (sh *shift) work(t *env.Task) {
	if err := sh.txns.init(t, sh.enough); err != nil {
		sh.crash()
		return
	}
	for !sh.done {
		if !sh.turn(t) {
			sh.crash()
			return
		}
		if !sh.replaced && sh.happens("zombie") {
			sh.haunt()
			return
		}
	}
	sh.group.Leave(t)
	sh.close()
}

// haunt lets the process go on by itself, while the worker's next one begins.
func (sh *shift) haunt() {
	sh.replaced = true
	sh.zombies++
	sh.site.Env.Tasks.Go(func(t *env.Task) {
		for !sh.done && sh.turn(t) {
		}
		sh.crash()
		sh.zombies--
	})
}

// happens decides by chance about one of the things that come to pass in so many of a
// thousand transactions; none does once everything is to come to an end.
func (sh *shift) happens(what string) bool {
	return sh.rng.IntN(1000) < sh.params[what+"-per-mille"] && !sh.site.stopping() && sh.producing > 0
}

// crash ends the process without telling anybody.
func (sh *shift) crash() {
	sh.member.over()
	sh.close()
}

func (sh *shift) close() {
	for _, c := range sh.clients {
		c.Close()
	}
}

// turn polls and processes what came in a transaction. It returns false if the process can
// not go on.
func (sh *shift) turn(t *env.Task) bool {
	records, events, err := sh.group.Poll(t, 200*time.Millisecond)
	if err != nil {
		return false
	}
	for _, e := range events {
		sh.reader.event(e)
	}
	sh.reader.polled(records)
	if len(records) == 0 {
		return true
	}
	if err := sh.txns.begin(); err != nil {
		return false
	}
	if sh.replaced {
		// Its successor takes over while it holds a transaction open.
		sh.site.sleep(t, time.Duration(sh.rng.IntN(1500))*time.Millisecond)
	}
	sh.transform(records)
	switch {
	case sh.happens("crash"):
		return false
	case sh.happens("abort"):
		return sh.abort(t)
	case sh.happens("linger"):
		longest := max(sh.params["transaction-timeout-ms"], sh.params["max-poll-ms"], sh.params["session-timeout-ms"])
		sh.site.sleep(t, time.Duration(sh.rng.IntN(2*longest))*time.Millisecond)
	}
	return sh.commit(t)
}

// transform sends the output of each record.
func (sh *shift) transform(records []consumer.Record) {
	outputs := sh.outputs()
	sh.next = make(group.Offsets)
	for i := range records {
		r := &records[i]
		tp := outputs[sh.rng.IntN(len(outputs))]
		value, bytes := sh.nextValue(sh.rng)
		// How it ended tells the commit.
		sh.txns.send(sh.txns.producer, history.Event{Topic: tp.Topic, Partition: tp.Partition, Value: value, Input: valueOf(r)},
			producer.Record{Topic: tp.Topic, Partition: tp.Partition, Value: bytes}, func(producer.Result) {})
		sh.next[r.TopicPartition] = group.Offset{Offset: r.Offset + 1, LeaderEpoch: r.Epoch}
	}
}

// commit ends the transaction, together with the offsets of its inputs.
func (sh *shift) commit(t *env.Task) bool {
	apart := sh.params["offsets-apart"] != 0
	if !apart {
		as := sh.group.Metadata()
		if end := sh.txns.sendOffsets(t, sh.member.as(as.Member, as.Generation), as, sh.next); end.Err != nil {
			return sh.abort(t)
		}
		if sh.happens("crash") {
			return false
		}
	}
	end := sh.txns.end(t, true, sh.enough)
	switch {
	case end.Err == nil && apart:
		// What the commit misses is processed again.
		return !sh.happens("crash") && sh.group.Commit(t, sh.next).Err == nil
	case end.Err == nil:
		return true
	case sh.txns.producer.TransactionState() == txn.Abortable:
		return sh.abort(t)
	}
	return false
}

// abort ends the transaction, and goes back to where the next has to begin.
func (sh *shift) abort(t *env.Task) bool {
	if end := sh.txns.end(t, false, sh.enough); end.Err != nil {
		return false
	}
	return sh.rewind(t)
}

// rewind moves to the committed offsets.
func (sh *shift) rewind(t *env.Task) bool {
	tps := sh.group.Assignment()
	if len(tps) == 0 {
		return true
	}
	got, err := sh.group.Committed(t, tps)
	if err != nil {
		return false
	}
	for _, tp := range tps {
		o, ok := got[tp]
		if !ok {
			sh.reader.moved(tp, wire.NoOffset, "rewound to the beginning")
			sh.reader.fromBeginning(tp)
			continue
		}
		sh.reader.moved(tp, o.Offset, "rewound")
		sh.group.Seek(tp, consumer.Position{Offset: o.Offset, Epoch: o.LeaderEpoch})
	}
	return true
}
