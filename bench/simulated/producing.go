package simulated

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"odradek/bench"
	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/sim"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/producer"
)

// What a producer may have under way before it waits, as in a real load: Kafka's
// buffer.memory for one that is as fast as it can; seconds of a system that stalls for all
// that follow a schedule.
const (
	bufferMemory   = 32 << 20
	scheduleMemory = 256 << 20
	recordOverhead = 256
	mostUnderWay   = 1 << 20
)

// shortestPause is what a producer sleeps at least, since waking up for each of 100,000
// records a second would take a core.
const shortestPause = 50 * time.Microsecond

// burst is how many records a producer sends before its other work gets a turn, which in
// a real client has threads of its own.
const burst = 16

// producing is one producer, a process of its own.
type producing struct {
	*user
	topic string
	cfg   producer.Config
	keys  keys

	client *client.Producer
	most   int // records under way
	open   int
	// freeFrom is when the system last let go of the producer after it had held it up.
	freeFrom sim.Time
	turn     int // records since other work had a turn
	// transaction are the records of the open one, and whether all are acknowledged.
	transaction []uint64
	failed      bool
}

// producerConfig translates Kafka's names.
func producerConfig(s *bench.Scenario) (producer.Config, error) {
	c := producer.DefaultConfig()
	var errs parsing
	switch acks := s.Producer("acks"); acks {
	case "all", "-1":
		c.Acks = producer.AcksAll
	case "1":
		c.Acks = producer.AcksLeader
	case "0":
		c.Acks = producer.AcksNone
	default:
		errs.add("acks", acks)
	}
	var err error
	if c.Compression, err = wire.ParseCompression(s.Producer("compression.type")); err != nil {
		errs.add("compression.type", s.Producer("compression.type"))
	}
	c.Idempotent = c.Acks == producer.AcksAll && s.Producer("enable.idempotence") == "true"
	c.Linger = errs.millis("linger.ms", s.Producer("linger.ms"))
	c.BatchSize = errs.number("batch.size", s.Producer("batch.size"))
	c.MaxInFlight = errs.number("max.in.flight.requests.per.connection", s.Producer("max.in.flight.requests.per.connection"))
	c.TransactionTimeout = errs.millis("transaction.timeout.ms", s.Producer("transaction.timeout.ms"))
	// franz-go bounds what it buffers by records, and a request by 100 MiB.
	c.BufferMemory, c.MaxRequestSize = 1<<30, 100<<20
	return c, errs.err()
}

// run sends what is due, until the end.
func (p *producing) run(t *env.Task, c *client.Client, first, step int) error {
	if err := p.prepare(t, c, step); err != nil {
		return err
	}
	p.ready++
	p.waitUntil(t, func() bool { return p.begin != 0 })
	for i := first; ; i += step {
		due := p.now()
		if p.rate > 0 {
			due = p.begin.Add(time.Duration(float64(i) / p.rate * 1e9))
		}
		if due >= p.tally.to {
			break
		}
		if p.now() < due {
			t.Sleep(p.env.Clock, max(due.Sub(p.now()), shortestPause)+p.profile.Network.TimerSlack)
			p.process.charge(p.process.costs.Wake)
			p.turn = 0
		}
		if !p.hand(t, due) {
			p.tally.unsent(due, p.now())
			continue // so are all that follow
		}
		if len(p.transaction) > 0 && len(p.transaction) == p.scenario.RecordsPerTransaction {
			if err := p.commit(t); err != nil {
				return err
			}
		}
	}
	err := p.commit(t)
	p.client.Flush(t)
	return err
}

// prepare makes the client; step is how many producers there are.
func (p *producing) prepare(t *env.Task, c *client.Client, step int) error {
	cfg := p.cfg
	memory := bufferMemory
	if p.rate > 0 {
		memory = scheduleMemory / step
	}
	each := p.scenario.RecordsPerTransaction
	p.most = min(max(memory/(p.scenario.MessageSize+recordOverhead), 16, 2*each), mostUnderWay)
	if each > 0 {
		cfg.TransactionalID = p.name
	}
	p.client = c.NewProducer(cfg)
	if each == 0 {
		return nil
	}
	if err := p.client.InitTransactions(t); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// fill writes a number of records as fast as possible, before the time that is measured.
func (p *producing) fill(t *env.Task, c *client.Client, records, step int) error {
	if err := p.prepare(t, c, step); err != nil {
		return err
	}
	for range records {
		p.hand(t, backlog)
		if len(p.transaction) > 0 && len(p.transaction) == p.scenario.RecordsPerTransaction {
			if err := p.commit(t); err != nil {
				return err
			}
		}
	}
	err := p.commit(t)
	p.client.Flush(t)
	p.client.Close()
	return err
}

// hand gives a record to the client, once there is room for it; false if the time for that
// is over.
func (p *producing) hand(t *env.Task, due sim.Time) bool {
	if p.turn++; p.turn >= burst {
		t.Sleep(p.env.Clock, 0)
		p.turn = 0
	}
	if p.open >= p.most {
		p.waitUntil(t, func() bool { return p.open < p.most })
		p.freeFrom = p.now()
	}
	if p.over && due != backlog && p.now() >= p.tally.cutoff() {
		return false
	}
	if p.scenario.RecordsPerTransaction > 0 && len(p.transaction) == 0 {
		if err := p.client.BeginTransaction(); err != nil {
			p.fail(fmt.Errorf("%s: %w", p.name, err))
			return false
		}
	}
	p.send(due)
	return true
}

// send hands one record to the client.
func (p *producing) send(due sim.Time) {
	size := p.scenario.MessageSize
	value := make([]byte, size)
	p.fillValue(value)
	number := p.tally.begin(value, due, p.freeFrom, p.now())
	cost := p.process.costs.ProduceRecord.of(size)
	if p.cfg.Compression != wire.None {
		cost += p.process.costs.Compress.bytes(size)
	}
	p.process.charge(cost)
	p.open++
	transactional := p.scenario.RecordsPerTransaction > 0
	if transactional {
		p.transaction = append(p.transaction, number)
	}
	p.client.SendAsync(producer.Record{Topic: p.topic, Partition: producer.AnyPartition, Key: p.keys.next(), Value: value}, func(r producer.Result) {
		p.open--
		ok := r.Outcome == attempt.OK
		if transactional {
			p.failed = p.failed || !ok
			return // whether it is there is known when the transaction has ended
		}
		p.tally.settle(number, p.now(), size, ok)
	})
}

// commit ends the transaction that is open, if there is one.
func (p *producing) commit(t *env.Task) error {
	if len(p.transaction) == 0 {
		return nil
	}
	p.client.Flush(t)
	failed := p.failed
	if !failed {
		failed = p.client.CommitTransaction(t).Err != nil
	}
	if failed {
		if end := p.client.AbortTransaction(t); end.Err != nil {
			return fmt.Errorf("%s: aborting a transaction: %w", p.name, end.Err)
		}
	}
	p.freeFrom = p.now()
	for _, number := range p.transaction {
		p.tally.settle(number, p.now(), p.scenario.MessageSize, !failed)
	}
	p.transaction, p.failed = p.transaction[:0], false
	return nil
}

// fillValue makes the bytes that do not compress.
func (p *producing) fillValue(value []byte) {
	n := len(value)
	if p.scenario.UseRandomizedPayloads {
		n = int(float64(n) * p.scenario.RandomBytesRatio)
	}
	if n > header {
		at := p.rng.IntN(len(p.noise) - n)
		copy(value[header:n], p.noise[at:])
	}
}

// keys gives a record's key.
type keys struct {
	kind string
	n    int
	i    int
	rng  *rand.Rand
	zipf *rand.Zipf
}

func newKeys(s *bench.Scenario, rng *rand.Rand) keys {
	k := keys{kind: s.KeyDistributor, n: s.Keys, rng: rng}
	if k.kind == "ZIPFIAN" {
		k.zipf = rand.NewZipf(rng, 1.1, 1, uint64(s.Keys-1))
	}
	return k
}

func (k *keys) next() []byte {
	var n int
	switch k.kind {
	case "NO_KEY":
		return nil
	case "KEY_ROUND_ROBIN":
		n = k.i
		k.i = (k.i + 1) % k.n
	case "RANDOM":
		n = k.rng.IntN(k.n)
	case "ZIPFIAN":
		n = int(k.zipf.Uint64())
	}
	return strconv.AppendInt([]byte("key-"), int64(n), 10)
}
