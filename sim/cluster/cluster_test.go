package cluster

import (
	"fmt"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/sim"
	"odradek/workloads/client"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
)

func TestClusterServesProduceAndFetch(t *testing.T) {
	k := sim.New(7)
	c, err := New(k, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	c.Failed = func(n *Node, err error) { t.Errorf("node %d: %v", n.ID, err) }
	c.Start()
	host := c.NewClient("c1")
	const records = 300
	sent, got := 0, 0
	host.Start(func(e env.Env) {
		cl := client.New(&e, client.DefaultConfig("c1", c.Addrs()...))
		e.Tasks.Go(func(task *env.Task) {
			admin := cl.NewAdmin()
			if _, err := admin.CreateTopic(task, client.NewTopic{Name: "orders", Partitions: 3, ReplicationFactor: 3}); err != nil {
				t.Errorf("create topic: %v", err)
				return
			}
			p := cl.NewProducer(producer.DefaultConfig())
			for i := range records {
				r := p.Send(task, producer.Record{Topic: "orders", Partition: int32(i % 3), Value: fmt.Appendf(nil, "v%d", i)})
				if r.Err != nil {
					t.Errorf("send %d: %v", i, r.Err)
					return
				}
				sent++
			}
			cc := consumer.DefaultConfig()
			cc.Reset = consumer.ResetEarliest
			con := cl.NewConsumer(cc)
			con.Assign([]wire.TopicPartition{{Topic: "orders", Partition: 0}, {Topic: "orders", Partition: 1}, {Topic: "orders", Partition: 2}})
			for got < records {
				rs, events := con.Poll(task, time.Second)
				for _, ev := range events {
					if ev.Kind != consumer.WasReset {
						t.Errorf("event %+v", ev)
					}
				}
				got += len(rs)
			}
		})
	})
	k.RunFor(20 * time.Second)
	if sent != records || got != records {
		t.Errorf("sent %d and read %d of %d records", sent, got, records)
	}
	if t.Failed() || testing.Verbose() {
		for _, r := range k.Recent() {
			if r.Note {
				t.Log(string(k.AppendText(nil, &r)))
			}
		}
		for _, kc := range k.Counts() {
			t.Log(kc.Kind, kc.Count)
		}
	}
}
