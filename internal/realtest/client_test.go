package realtest_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestDefaultsOfFranzGoRoundTrip(t *testing.T) {
	t.Parallel()
	p := start(t)
	cl := client(t, p.Addr, kgo.AllowAutoTopicCreation())
	want := numbers("v", 1000)
	produce(t, cl, "defaults", want...)
	if diff := cmp.Diff(want, values(t, p.Addr, "defaults")); diff != "" {
		t.Error(diff)
	}
}

func TestEveryCodecWithEveryAcks(t *testing.T) {
	t.Parallel()
	p := start(t)
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	acks := map[string][]kgo.Opt{
		"0":   {kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite()},
		"1":   {kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()},
		"all": {kgo.RequiredAcks(kgo.AllISRAcks())},
	}
	for codec, compression := range codecs {
		for name, opts := range acks {
			t.Run(codec+" acks "+name, func(t *testing.T) {
				topic := codec + "-" + name
				// With acks=0 what comes before the topic has a leader would be lost, rightly.
				produce(t, client(t, p.Addr, kgo.AllowAutoTopicCreation()), topic, "first")
				cl := client(t, p.Addr, append(opts, kgo.ProducerBatchCompression(compression))...)
				want := append([]string{"first"}, numbers("the same words again and again", 200)...)
				produce(t, cl, topic, want[1:]...)
				if err := eventually(t, func() error { // nobody says when acks=0 has arrived
					if n := len(values(t, p.Addr, topic)); n != len(want) {
						return fmt.Errorf("%d records of %d", n, len(want))
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, values(t, p.Addr, topic)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestLargeRecord(t *testing.T) {
	t.Parallel()
	p := start(t)
	adm := kadm.NewClient(client(t, p.Addr))
	if _, err := adm.CreateTopic(patience(t), 1, 1, map[string]*string{"max.message.bytes": kadm.StringPtr("20000000")}, "large"); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 16<<20)
	for i := range value {
		value[i] = byte(rand.Uint32())
	}
	cl := client(t, p.Addr, kgo.ProducerBatchMaxBytes(20e6), kgo.ProducerBatchCompression(kgo.NoCompression()))
	produce(t, cl, "large", "before", string(value), "after")
	found := values(t, p.Addr, "large")
	if len(found) != 3 || found[0] != "before" || !bytes.Equal([]byte(found[1]), value) || found[2] != "after" {
		t.Errorf("%d records came back, or not what was sent", len(found))
	}

	// One that the topic does not allow is refused, and does not disturb others.
	if _, err := adm.CreateTopic(patience(t), 1, 1, map[string]*string{"max.message.bytes": kadm.StringPtr("1000")}, "small"); err != nil {
		t.Fatal(err)
	}
	err := cl.ProduceSync(patience(t), &kgo.Record{Topic: "small", Value: value[:5000]}).FirstErr()
	if !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("a record that is too large: %v", err)
	}
	produce(t, cl, "small", "fits")
}

func TestTopicAdmin(t *testing.T) {
	t.Parallel()
	p := start(t)
	ctx, adm := patience(t), kadm.NewClient(client(t, p.Addr))
	made, err := adm.CreateTopics(ctx, 3, 1, map[string]*string{"retention.ms": kadm.StringPtr("3600000")}, "a", "b")
	if err == nil {
		err = made.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := adm.CreateTopic(ctx, 1, 1, nil, "a"); !errors.Is(err, kerr.TopicAlreadyExists) {
		t.Errorf("creating a topic twice: %v", err)
	}
	if _, err := adm.CreateTopic(ctx, 1, 5, nil, "c"); !errors.Is(err, kerr.InvalidReplicationFactor) {
		t.Errorf("more replicas than brokers: %v", err)
	}
	if _, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "segment.bytes", Value: kadm.StringPtr("1048576")}}, "a"); err != nil {
		t.Fatal(err)
	}
	configs, err := adm.DescribeTopicConfigs(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	set := make(map[string]string)
	for _, c := range configs[0].Configs {
		set[c.Key] = c.MaybeValue()
	}
	if set["retention.ms"] != "3600000" || set["segment.bytes"] != "1048576" {
		t.Errorf("retention.ms %s, segment.bytes %s", set["retention.ms"], set["segment.bytes"])
	}
	if _, err := adm.UpdatePartitions(ctx, 5, "b"); err != nil {
		t.Fatal(err)
	}
	if err := eventually(t, func() error {
		topics, err := adm.ListTopics(ctx)
		if err == nil && len(topics["b"].Partitions) != 5 {
			err = fmt.Errorf("b has %d partitions", len(topics["b"].Partitions))
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if _, err := adm.DeleteTopic(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if err := eventually(t, func() error {
		topics, err := adm.ListTopics(ctx)
		if err == nil && topics.Has("a") {
			err = errors.New("a is still there")
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// eventually asks again until there is no error, or patience is out.
func eventually(t *testing.T, ask func() error) error {
	t.Helper()
	for ctx := patience(t); ; {
		err := ask()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}
