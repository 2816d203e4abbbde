package interop

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/checker/history"
)

func TestFranzGoGroup(t *testing.T) {
	for _, assignor := range []string{"range", "sticky", "cooperative-sticky"} {
		t.Run(assignor, func(t *testing.T) {
			runJob(t, job{task: consumes, assignor: assignor}, worker{work: franzConsumes})
		})
	}
	t.Run("kip-848", func(t *testing.T) {
		runJob(t, job{task: consumes, assignor: "range", nextGeneration: true}, worker{work: franzConsumes})
	})
	t.Run("to-kip-848", func(t *testing.T) {
		runJob(t, job{task: consumes, assignor: "range", upgrade: true}, worker{work: franzConsumes})
	})
}

func TestFranzGoTransactions(t *testing.T) {
	runJob(t, job{task: transacts}, worker{work: franzTransacts})
}

func TestFranzGoTransforms(t *testing.T) {
	for _, assignor := range []string{"range", "cooperative-sticky"} {
		t.Run(assignor, func(t *testing.T) {
			runJob(t, job{task: transforms, assignor: assignor}, franzTransformer)
		})
	}
	t.Run("kip-848", func(t *testing.T) {
		runJob(t, job{task: transforms, assignor: "range", nextGeneration: true}, franzTransformer)
	})
}

var franzAssignors = map[string]kgo.GroupBalancer{
	"range": kgo.RangeBalancer(), "sticky": kgo.StickyBalancer(), "cooperative-sticky": kgo.CooperativeStickyBalancer(),
}

// franzGroup are the options of a member of the job's group.
func franzGroup(m *member) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(seeds(m.bootstrap)...), kgo.ClientID(m.name), kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.ConsumerGroup(m.group), kgo.ConsumeTopics(m.input), kgo.Balancers(franzAssignors[m.assignor]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(15 * time.Second), kgo.HeartbeatInterval(500 * time.Millisecond), kgo.FetchMaxWait(200 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, cl *kgo.Client, added map[string][]int32) {
			id, generation := cl.GroupMetadata()
			m.assigned(id, generation, added[m.input])
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { m.revoked(gone[m.input]) }),
		kgo.OnPartitionsLost(func(context.Context, *kgo.Client, map[string][]int32) { m.lost() }),
	}
	if m.nextGeneration {
		opts = append(opts, kgo.ServerSideBalancer())
	}
	return opts
}

// franzGot takes down what a poll returned, and returns the values and the positions
// after it.
func franzGot(m *member, fetches kgo.Fetches) (values []uint64, offsets map[int32]int64) {
	offsets = make(map[int32]int64)
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		var records []history.Record
		for _, r := range p.Records {
			records = append(records, historyRecord(r))
			values = append(values, valueOf(string(r.Value)))
			offsets[p.Partition] = r.Offset + 1
		}
		m.got(p.Partition, records)
	})
	return values, offsets
}

func franzConsumes(m *member) error {
	cl, err := kgo.NewClient(append(franzGroup(m), kgo.BlockRebalanceOnPoll())...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for m.running() {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		fetches := cl.PollRecords(ctx, 20)
		cancel()
		_, offsets := franzGot(m, fetches)
		if len(offsets) > 0 {
			commit := make(map[string]map[int32]kgo.EpochOffset)
			commit[m.input] = make(map[int32]kgo.EpochOffset)
			for p, o := range offsets {
				commit[m.input][p] = kgo.EpochOffset{Epoch: -1, Offset: o}
			}
			done, outcome := m.committing(offsets), history.OK
			cl.CommitOffsetsSync(context.Background(), commit, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
				if err != nil {
					outcome = history.Unknown
					return
				}
				for _, t := range resp.Topics {
					for _, p := range t.Partitions {
						if p.ErrorCode != 0 {
							outcome = history.Unknown
						}
					}
				}
			})
			done(outcome)
		}
		cl.AllowRebalance()
	}
	return nil
}

// franzTransacts writes transactions with a producer.
func franzTransacts(m *member) error {
	var cl *kgo.Client
	defer func() {
		if cl != nil {
			cl.Close()
		}
	}()
	for i := 0; m.running(); i++ {
		if cl == nil {
			var err error
			cl, err = kgo.NewClient(kgo.SeedBrokers(seeds(m.bootstrap)...), kgo.TransactionalID(m.name), kgo.DefaultProduceTopic(m.output),
				kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(100*time.Millisecond))
			if err != nil {
				return err
			}
			m.restarted()
		}
		outputs := m.copies(make([]uint64, 4))
		w := m.begin(outputs, nil)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		err := cl.BeginTransaction()
		if err == nil {
			err = cl.ProduceSync(ctx, franzOutputs(m, outputs)...).FirstErr()
		}
		commit := err == nil && i%3 != 2
		w.ending(err == nil, commit)
		err = cl.EndTransaction(ctx, kgo.TransactionEndTry(commit))
		cancel()
		if err == nil {
			w.ended(history.OK)
			continue
		}
		w.ended(history.Unknown)
		cl.Close()
		cl = nil
	}
	return nil
}

func franzOutputs(m *member, outputs []output) []*kgo.Record {
	var records []*kgo.Record
	for _, o := range outputs {
		records = append(records, &kgo.Record{Topic: m.output, Partition: o.partition, Value: []byte(o.text())})
	}
	return records
}

// franzTransformer does without BlockRebalanceOnPoll: the end of a session's transaction
// waits for a heartbeat, which waits for the revocation of partitions, which that option
// holds up until after the end, so that all three stood still until the member was expired. Without it a
// poll may be told after the revocation that it has overtaken.
var franzTransformer = worker{work: franzTransforms, blind: true}

// franzTransforms is a GroupTransactSession.
func franzTransforms(m *member) error {
	session, err := kgo.NewGroupTransactSession(append(franzGroup(m), kgo.TransactionalID(m.name), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets())...)
	if err != nil {
		return err
	}
	defer session.Close()
	for m.running() {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		fetches := session.PollRecords(ctx, 20)
		cancel()
		values, offsets := franzGot(m, fetches)
		if len(offsets) == 0 {
			continue
		}
		outputs := m.copies(values)
		w := m.begin(outputs, offsets)
		ctx, cancel = context.WithTimeout(context.Background(), patience)
		err := session.Begin()
		if err == nil {
			err = session.ProduceSync(ctx, franzOutputs(m, outputs)...).FirstErr()
		}
		// The offsets are sent as a part of the end; what comes of them is known after it,
		// if at all.
		w.ending(err == nil, err == nil)
		committed, err := session.End(ctx, kgo.TransactionEndTry(err == nil))
		cancel()
		switch {
		case err != nil:
			w.ended(history.Unknown)
		case committed:
			w.ended(history.OK)
		default:
			// It aborted, because of a rebalance or the failed records.
			w.ended(history.Failed)
		}
		if !committed {
			m.rewound()
		}
	}
	return nil
}

// TestFranzGoUsesTheSecondProtocolOfTransactions needs the client to learn of the
// cluster's features. Its ApiVersions is of a version from the future (5), after which it
// asks again only if the answer has nothing but the range of ApiVersions; given all
// ranges it went on without features, and kept to the first protocol for ever.
func TestFranzGoUsesTheSecondProtocolOfTransactions(t *testing.T) {
	c := sharedCluster(t, 3)
	if !c.hasFeature(t, "transaction.version", 2) {
		t.Skip("the cluster has no transaction.version 2")
	}
	topic := topicName(t)
	c.create(t, topic, 1, nil)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range 5 {
		cl, err := kgo.NewClient(kgo.SeedBrokers(seeds(c.bootstrap())...), kgo.TransactionalID(topic))
		if err != nil {
			t.Fatal(err)
		}
		var epochs []int16
		for range 4 {
			if err := cl.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			_, epoch, err := cl.ProducerID(ctx)
			if err != nil {
				t.Fatal(err)
			}
			epochs = append(epochs, epoch)
			if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
				t.Fatal(err)
			}
		}
		cl.Close()
		// Every end raises the epoch (KIP-890).
		if epochs[3] < epochs[0]+3 {
			t.Errorf("the epochs of four transactions are %v", epochs)
		}
	}
}
