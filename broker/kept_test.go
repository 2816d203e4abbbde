package broker_test

import (
	"fmt"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/sim/cluster"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/producer"
	"odradek/workloads/client/txn"
)

// Whatever comes and goes (topics, clients, leaders of the quorum, connections between
// nodes), a node that has come to rest remembers what is there and nothing of what is over.
func TestNodeForgetsWhatIsOver(t *testing.T) {
	s := newScene(t, 3, func(c *cluster.Config) {
		c.Properties = map[string]string{
			"metadata.log.max.record.bytes.between.snapshots": "4096", "connections.max.idle.ms": "3000",
			"offsets.topic.num.partitions": "2", "transaction.state.log.num.partitions": "2",
			"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
		}
	})
	s.createTopic(client.NewTopic{Name: "orders", Partitions: 4, ReplicationFactor: 3})
	ended := 0 // transactions
	churn := func(rounds int) {
		for i := range rounds {
			name := fmt.Sprintf("short-lived-%d", i)
			s.createTopic(client.NewTopic{Name: name, Partitions: 2, ReplicationFactor: 3})
			s.send(wire.TopicPartition{Topic: name}, 3)
			s.send(wire.TopicPartition{Topic: "orders", Partition: int32(i % 4)}, 3)
			s.as(func(t *env.Task, c *client.Client) {
				if transfer(t, c, name, i) {
					ended++
				}
			})
			s.as(func(t *env.Task, c *client.Client) {
				if err := c.NewAdmin().DeleteTopic(t, name); err != nil {
					s.Error(err)
				}
			})
			a, b := s.c.Nodes[i%3].Name(), s.c.Nodes[(i+1)%3].Name()
			switch i % 4 {
			case 0:
				s.c.Net.Reset(a, b)
			case 1:
				s.c.Net.Cut(a, b)
				s.k.RunFor(2 * time.Second)
				s.c.Net.HealAll()
			case 2:
				s.c.Nodes[i%3].Pause(3 * time.Second)
				s.k.RunFor(4 * time.Second)
			}
			s.k.RunFor(time.Second)
		}
	}
	churn(60)
	s.k.RunFor(8 * time.Second)
	if ended < 30 {
		t.Errorf("only %d transactions ended", ended)
	}
	for _, n := range s.c.Nodes {
		kept, held := n.Broker.Kept(), n.Broker.Held()
		for _, b := range []struct {
			what     string
			is, most int
		}{
			{"partitions", kept.Partitions, 8}, // with those of the coordinators
			{"partitions being changed", kept.BusyPartitions, 0},
			{"unclaimed logs", kept.Recovered, 0},
			{"topics being created on demand", kept.Creating, 0},
			{"ISR proposals", kept.Proposals, 0},
			{"quorum requests", kept.QuorumRequests, 2}, // a waiting fetch of each other voter
			{"steps of the metadata log", kept.QuorumSteps, 0},
			{"controller requests", kept.ControllerRequests, 3}, // heartbeats
			{"connections to other nodes", kept.Peers, 12},      // six lanes to each
			{"calls to other nodes", kept.Calls, 6},
			{"fetchers", kept.Fetchers, 2},
			{"requests of a shard", kept.Coordinated, 0},
			{"markers of a shard", kept.Marking, 0},
			{"transactions being completed", kept.Completing, 0},
			{"transactions in an outbox", kept.Outbox, 0},
			{"batches being verified", kept.Verifications, 0},
			{"markers that wait for replicas", kept.ParkedMarkers, 0},
			{"markers on their way", kept.LocalMarkers, 0},
			{"connections", held.Conns, 6},
			{"requests", held.Requests, 6},
			{"waiting fetches", held.Fetches, 16}, // one of each follower, in each partition
			{"waiting produces", held.Acks, 0},
			{"tasks", n.Proc().Tasks().Len(), 1},
		} {
			if b.is > b.most {
				t.Errorf("%s remembers %d %s, want at most %d", n.Name(), b.is, b.what, b.most)
			}
		}
	}
	if waiting := s.k.Pending(); waiting > 2000 {
		t.Errorf("%d events wait in the simulation", waiting)
	}
}

// transfer runs a transaction over two topics, with offsets, and reports whether it has
// ended. A third of them is left to the time-out.
func transfer(t *env.Task, c *client.Client, topic string, round int) bool {
	cfg := producer.DefaultConfig()
	cfg.TransactionalID, cfg.TransactionTimeout = topic, 2*time.Second
	p := c.NewProducer(cfg)
	if p.InitTransactions(t) != nil || p.BeginTransaction() != nil {
		return false
	}
	for _, tp := range []wire.TopicPartition{{Topic: topic}, {Topic: topic, Partition: 1}, {Topic: "orders", Partition: int32(round % 4)}} {
		p.Send(t, producer.Record{Topic: tp.Topic, Partition: tp.Partition, Value: []byte("v")})
	}
	p.SendOffsets(t, txn.AnyMember("g"), map[wire.TopicPartition]txn.Offset{{Topic: "orders"}: {Offset: 1, LeaderEpoch: wire.NoLeaderEpoch}})
	switch round % 3 {
	case 0:
		return p.CommitTransaction(t).Outcome == attempt.OK
	case 1:
		return p.AbortTransaction(t).Outcome == attempt.OK
	}
	return false
}
