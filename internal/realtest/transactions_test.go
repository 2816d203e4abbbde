package realtest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// setTransactionVersion finalises the feature transaction.version.
func setTransactionVersion(t *testing.T, cl *kgo.Client, level int16) {
	t.Helper()
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.ClientSoftwareName, versions.ClientSoftwareVersion = "test", "1"
	features, err := versions.RequestWith(patience(t), cl)
	if err != nil {
		t.Fatal(err)
	}
	was := int16(0)
	for _, f := range features.FinalizedFeatures {
		if f.Name == "transaction.version" {
			was = f.MaxVersionLevel
		}
	}
	if was == level {
		return
	}
	req := kmsg.NewPtrUpdateFeaturesRequest()
	u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
	u.Feature, u.MaxVersionLevel, u.UpgradeType = "transaction.version", level, 1
	if was > level {
		u.UpgradeType = 2
	}
	req.TimeoutMillis, req.FeatureUpdates = 5000, append(req.FeatureUpdates, u)
	resp, err := req.RequestWith(patience(t), cl)
	if err != nil || resp.ErrorCode != 0 {
		t.Fatalf("%+v, %v", resp, err)
	}
	time.Sleep(300 * time.Millisecond) // every broker follows
}

// TestExactlyOnceFromTopicToTopic: franz-go consumes, transforms and produces in
// transactions, of which every fifth is aborted, and of what comes out nothing is
// missing and nothing is there twice. Three brokers, both protocols of transactions.
func TestExactlyOnceFromTopicToTopic(t *testing.T) {
	t.Parallel()
	for _, level := range []int16{0, 2} {
		t.Run(fmt.Sprintf("transaction.version %d", level), func(t *testing.T) {
			p := startOn(t, t.TempDir(), consecutiveAddr(t, 3), "--brokers", "3", "--set", "group.initial.rebalance.delay.ms=0")
			admin := client(t, p.Addr)
			setTransactionVersion(t, admin, level)
			for _, topic := range []string{"in", "out"} {
				if _, err := kadm.NewClient(admin).CreateTopic(patience(t), 3, 3, nil, topic); err != nil {
					t.Fatal(err)
				}
			}
			const n = 500
			in := numbers("v", n)
			produce(t, client(t, p.Addr), "in", in...)

			session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(p.Addr), kgo.TransactionalID("transform"),
				kgo.ConsumerGroup("transform"), kgo.ConsumeTopics("in"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
				kgo.RequireStableFetchOffsets(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxBytes(2000))
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			done := make(map[string]bool)
			for round := 0; len(done) < n; round++ {
				fetches := session.PollRecords(patience(t), 20)
				if err := fetches.Err0(); err != nil {
					t.Fatalf("after %d: %v", len(done), err)
				}
				if err := session.Begin(); err != nil {
					t.Fatal(err)
				}
				var values []string
				fetches.EachRecord(func(r *kgo.Record) {
					values = append(values, string(r.Value))
					session.Produce(patience(t), &kgo.Record{Topic: "out", Value: r.Value}, nil)
				})
				committed, err := session.End(patience(t), kgo.TransactionEndTry(round%5 != 4))
				if err != nil {
					t.Fatalf("end after %d: %v", len(done), err)
				}
				if committed {
					for _, v := range values {
						if done[v] {
							t.Fatalf("%s was consumed in two committed transactions", v)
						}
						done[v] = true
					}
				}
			}
			reader := client(t, p.Addr, kgo.ConsumeTopics("out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			got := make(map[string]int)
			for read := 0; read < n; {
				reader.PollFetches(patience(t)).EachRecord(func(r *kgo.Record) {
					read++
					got[string(r.Value)]++
				})
			}
			want := make(map[string]int)
			for _, v := range in {
				want[v] = 1
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
