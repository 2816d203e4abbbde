package interop

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"odradek/broker/wire"
	"odradek/checker/history"
)

func TestSaramaGroup(t *testing.T) {
	for _, assignor := range []string{"range", "roundrobin", "sticky"} {
		t.Run(assignor, func(t *testing.T) {
			runJob(t, job{task: consumes, assignor: assignor}, worker{work: saramaConsumes(sarama.MaxVersion)})
		})
	}
	// The oldest requests of groups that go with record batches.
	t.Run("as-of-0.11", func(t *testing.T) {
		runJob(t, job{task: consumes, assignor: "range"}, worker{work: saramaConsumes(sarama.V0_11_0_0)})
	})
}

func TestSaramaTransactions(t *testing.T) {
	t.Run("current", func(t *testing.T) {
		runJob(t, job{task: transacts}, worker{work: saramaTransacts(sarama.MaxVersion)})
	})
	t.Run("as-of-0.11", func(t *testing.T) {
		runJob(t, job{task: transacts}, worker{work: saramaTransacts(sarama.V0_11_0_0)})
	})
}

func TestSaramaTransforms(t *testing.T) {
	runJob(t, job{task: transforms, assignor: "range"}, worker{work: saramaTransforms})
}

var saramaAssignors = map[string]func() sarama.BalanceStrategy{
	"range": sarama.NewBalanceStrategyRange, "roundrobin": sarama.NewBalanceStrategyRoundRobin, "sticky": sarama.NewBalanceStrategySticky,
}

func saramaGroup(m *member, version sarama.KafkaVersion, handler sarama.ConsumerGroupHandler) error {
	c := (&saramaClient{version: version}).config()
	c.ClientID, c.Consumer.Offsets.AutoCommit.Enable, c.Consumer.Offsets.Initial = m.name, false, sarama.OffsetOldest
	c.Consumer.Group.Session.Timeout, c.Consumer.Group.Heartbeat.Interval = 15*time.Second, 500*time.Millisecond
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{saramaAssignors[m.assignor]()}
	c.Consumer.Group.Rebalance.Retry.Max, c.Consumer.Return.Errors, c.Consumer.MaxWaitTime = 40, true, 200*time.Millisecond
	if m.isolation == history.ReadCommitted {
		c.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	group, err := sarama.NewConsumerGroup(seeds(m.bootstrap), m.group, c)
	if err != nil {
		return err
	}
	go func() {
		for range group.Errors() { // it tries again
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-m.stopped
		cancel()
	}()
	for m.running() {
		if err := group.Consume(ctx, []string{m.input}, handler); errors.Is(err, sarama.ErrClosedConsumerGroup) {
			return err
		} else if err != nil {
			time.Sleep(100 * time.Millisecond)
		}
	}
	// It does not look for a coordinator that has moved before it leaves: the group then
	// waits for the end of its session.
	if err := group.Close(); err != nil && !errors.Is(err, sarama.ErrNotCoordinatorForConsumer) {
		return err
	}
	return nil
}

// saramaMember is a handler: Setup and Cleanup tell what the member has.
type saramaMember struct {
	*member
	// batch deals with records of one partition, and says whether the session can go on.
	batch func(sarama.ConsumerGroupSession, int32, []history.Record) bool
}

func (h *saramaMember) Setup(s sarama.ConsumerGroupSession) error {
	h.assigned(s.MemberID(), s.GenerationID(), s.Claims()[h.input])
	return nil
}

func (h *saramaMember) Cleanup(sarama.ConsumerGroupSession) error {
	h.lost()
	return nil
}

func (h *saramaMember) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for first := range claim.Messages() {
		batch := []history.Record{saramaRecord(first)}
		for more := true; more && len(batch) < 20; {
			select {
			case next, open := <-claim.Messages():
				if more = open; open {
					batch = append(batch, saramaRecord(next))
				}
			default:
				more = false
			}
		}
		h.got(claim.Partition(), batch)
		if !h.batch(s, claim.Partition(), batch) {
			return errors.New("the session is over")
		}
		if s.Context().Err() != nil {
			return nil
		}
	}
	return nil
}

func saramaRecord(m *sarama.ConsumerMessage) history.Record {
	return history.Record{Offset: wire.Offset(m.Offset), Value: valueOf(string(m.Value))}
}

func saramaConsumes(version sarama.KafkaVersion) func(*member) error {
	return func(m *member) error {
		return saramaGroup(m, version, &saramaMember{m, func(s sarama.ConsumerGroupSession, p int32, batch []history.Record) bool {
			next := int64(batch[len(batch)-1].Offset) + 1
			done := m.committing(map[int32]int64{p: next})
			s.MarkOffset(m.input, p, next, "")
			s.Commit()
			done(history.Unknown) // it does not say
			return true
		}})
	}
}

// saramaProducer is a transactional producer, and another after each that cannot go on.
type saramaProducer struct {
	mu      sync.Mutex
	version sarama.KafkaVersion
	*member
	p sarama.SyncProducer
}

func (t *saramaProducer) open() error {
	if t.p != nil {
		return nil
	}
	c := (&saramaClient{version: t.version}).config()
	c.ClientID, c.Producer.Idempotent, c.Net.MaxOpenRequests, c.Producer.RequiredAcks = t.name, true, 1, sarama.WaitForAll
	c.Producer.Return.Successes, c.Producer.Return.Errors, c.Producer.Partitioner = true, true, sarama.NewManualPartitioner
	c.Producer.Retry.Max, c.Producer.Retry.Backoff = 40, 250*time.Millisecond
	c.Producer.Transaction.ID, c.Producer.Transaction.Retry.Max, c.Producer.Transaction.Retry.Backoff = t.name, 100, 100*time.Millisecond
	p, err := sarama.NewSyncProducer(seeds(t.bootstrap), c)
	if err != nil {
		return err
	}
	t.p = p
	t.restarted()
	return nil
}

func (t *saramaProducer) close() {
	if t.p != nil {
		_ = t.p.Close()
		t.p = nil
	}
}

// transaction writes outputs, adds what add does and commits, or aborts if abort is set.
// It reports whether the transaction ended as it should.
func (t *saramaProducer) transaction(outputs []output, offsets map[int32]int64, abort bool, add func() error) bool {
	var messages []*sarama.ProducerMessage
	for _, o := range outputs {
		messages = append(messages, &sarama.ProducerMessage{Topic: t.output, Partition: o.partition, Value: sarama.StringEncoder(o.text())})
	}
	w := t.begin(outputs, offsets)
	err := t.p.BeginTxn()
	if err == nil {
		err = t.p.SendMessages(messages)
	}
	if err == nil && add != nil {
		err = add()
	}
	commit := err == nil && !abort
	w.ending(err == nil, commit)
	end := t.p.AbortTxn
	if commit {
		end = t.p.CommitTxn
	}
	if failed := end(); failed != nil {
		w.ended(history.Unknown)
		t.close()
		return false
	}
	w.ended(history.OK)
	return err == nil
}

func saramaTransacts(version sarama.KafkaVersion) func(*member) error {
	return func(m *member) error {
		t := &saramaProducer{member: m, version: version}
		defer t.close()
		for i := 0; m.running(); i++ {
			if err := t.open(); err != nil {
				time.Sleep(100 * time.Millisecond)
				continue
			}
			t.transaction(m.copies(make([]uint64, 4)), nil, i%3 == 2, nil)
		}
		return nil
	}
}

func saramaTransforms(m *member) error {
	t := &saramaProducer{member: m, version: sarama.MaxVersion}
	defer t.close()
	return saramaGroup(m, sarama.MaxVersion, &saramaMember{m, func(s sarama.ConsumerGroupSession, p int32, batch []history.Record) bool {
		t.mu.Lock() // partitions are read by goroutines of their own
		defer t.mu.Unlock()
		if t.open() != nil {
			return false
		}
		var values []uint64
		for _, r := range batch {
			values = append(values, r.Value)
		}
		next := int64(batch[len(batch)-1].Offset) + 1
		add := func() error {
			offsets := map[string][]*sarama.PartitionOffsetMetadata{m.input: {{Partition: p, Offset: next}}}
			return t.p.AddOffsetsToTxnWithGroupMetadata(offsets, sarama.NewConsumerGroupMetadataFromSession(s, m.group, nil))
		}
		if t.transaction(m.copies(values), map[int32]int64{p: next}, false, add) {
			return true
		}
		// A new producer ends what the old one left, before the group's offsets are read
		// again.
		_ = t.open()
		return false
	}})
}
