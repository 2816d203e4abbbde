package client_test

import (
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/clienttest"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"

	"odradek/workloads/client"
)

// BenchmarkProduceAndConsume is one record of 100 bytes sent, acknowledged and read,
// with everything between: client, scripted cluster, world.
func BenchmarkProduceAndConsume(b *testing.B) {
	w := clienttest.NewWorld(1)
	cluster := clienttest.NewCluster(w, 3)
	cluster.AddTopic("a", 3)
	e := w.Env("user")
	c := client.New(e, client.DefaultConfig("user", cluster.Addrs()...))
	p := c.NewProducer(producer.DefaultConfig())
	ccfg := consumer.DefaultConfig()
	ccfg.Reset = consumer.ResetEarliest
	con := c.NewConsumer(ccfg)
	con.Assign([]wire.TopicPartition{a0, {Topic: "a", Partition: 1}, {Topic: "a", Partition: 2}})
	value := make([]byte, 100)
	b.ReportAllocs()
	b.ResetTimer()
	read, acked := 0, 0
	e.Tasks.Go(func(t *env.Task) {
		for i := range b.N {
			p.SendAsync(producer.Record{Topic: "a", Partition: int32(i % 3), Value: value}, func(r producer.Result) {
				if r.Outcome == attempt.OK {
					acked++
				}
			})
			if i%500 == 499 {
				p.Flush(t)
			}
		}
		p.Flush(t)
	})
	e.Tasks.Go(func(t *env.Task) {
		for read < b.N {
			recs, _ := con.Poll(t, time.Second)
			read += len(recs)
		}
	})
	if !w.RunUntil(time.Hour, func() bool { return read >= b.N && acked == b.N }) {
		b.Fatalf("%d read, %d acknowledged of %d", read, acked, b.N)
	}
}
