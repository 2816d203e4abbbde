package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// leaders finds a node that leads the partition of a topic and one that does not.
func (l *lab) leaders(topic string, partition int32) (leads, follows wire.NodeID) {
	image, _ := l.c.Node(1).Broker.Image()
	p := image.Partition(topic, partition)
	for _, n := range l.c.Nodes {
		if n.ID != p.Leader {
			follows = n.ID
		}
	}
	return p.Leader, follows
}

func TestFetchErrors(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) { l.createTopic(task, "orders", nil, []int32{1, 2, 3}) })
	id := l.topicID("orders")
	leads, follows := l.leaders("orders", 0)
	l.do(func(task *env.Task) {
		leader, follower := l.dial(task, leads), l.dial(task, follows)
		leader.call(task, produceTo("orders", 0, -1, batch(t, wire.BatchOptions{}, "a", "b")), 9)
		edit := func(f func(*kmsg.FetchRequest, *kmsg.FetchRequestTopicPartition)) *kmsg.FetchRequest {
			r := fetchFrom("orders", id, 0, 0)
			f(r, &r.Topics[0].Partitions[0])
			return r
		}
		tests := []struct {
			name string
			conn *rawConn
			req  *kmsg.FetchRequest
			low  int16 // version
			want *kerr.Error
		}{
			{"follower", follower, edit(func(*kmsg.FetchRequest, *kmsg.FetchRequestTopicPartition) {}), 4, kerr.NotLeaderForPartition},
			{"unknown partition", leader, fetchFrom("orders", id, 7, 0), 4, kerr.UnknownTopicOrPartition},
			{"negative partition", leader, fetchFrom("orders", id, -7, 0), 4, kerr.UnknownTopicOrPartition},
			{"old epoch", leader, edit(func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = -2 }), 9, kerr.FencedLeaderEpoch},
			{"new epoch", leader, edit(func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 100 }), 9, kerr.UnknownLeaderEpoch},
			{"beyond the end", leader, fetchFrom("orders", id, 0, 3), 4, kerr.OffsetOutOfRange},
			{"before the start", leader, fetchFrom("orders", id, 0, -5), 4, kerr.OffsetOutOfRange},
			{"no replica of it", leader, edit(func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) {
				r.ReplicaID, r.ReplicaState.ID, r.ReplicaState.Epoch, p.CurrentLeaderEpoch = 9, 9, 1<<40, 0
			}), 9, kerr.NotLeaderForPartition},
		}
		for _, test := range tests {
			for v := test.low; v <= 18; v++ {
				what := fmt.Sprintf("%s, version %d", test.name, v)
				p := test.conn.call(task, test.req, v).(*kmsg.FetchResponse).Topics[0].Partitions[0]
				wantCode(t, what, p.ErrorCode, test.want)
				if len(p.RecordBatches) != 0 {
					t.Errorf("%s: records", what)
				}
			}
		}
		for v := int16(4); v <= 18; v++ {
			req, want := fetchFrom("nothing", [16]byte{1}, 0, 0), kerr.UnknownTopicOrPartition
			if v >= 13 {
				want = kerr.UnknownTopicID
			}
			p := leader.call(task, req, v).(*kmsg.FetchResponse).Topics[0].Partitions[0]
			wantCode(t, fmt.Sprintf("unknown topic, version %d", v), p.ErrorCode, want)
		}
		req := fetchFrom("orders", id, 0, 0)
		req.ClusterID = kmsg.StringPtr("another")
		wantCode(t, "another cluster", leader.call(task, req, 15).(*kmsg.FetchResponse).ErrorCode, kerr.InconsistentClusterID)
	})
}

func TestOutdatedClientsAreToldTheLeader(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) { l.createTopic(task, "orders", nil, []int32{1, 2, 3}) })
	id := l.topicID("orders")
	leads, follows := l.leaders("orders", 0)
	l.do(func(task *env.Task) {
		conn := l.dial(task, follows)
		for v := int16(4); v <= 18; v++ {
			r := conn.call(task, fetchFrom("orders", id, 0, 0), v).(*kmsg.FetchResponse)
			got := r.Topics[0].Partitions[0].CurrentLeader
			if v < 16 {
				if got.LeaderID != -1 || len(r.Brokers) != 0 {
					t.Errorf("fetch %d: a hint before its time: %+v", v, r)
				}
				continue
			}
			if got.LeaderID != int32(leads) || got.LeaderEpoch != 0 || len(r.Brokers) != 1 ||
				r.Brokers[0].NodeID != int32(leads) || r.Brokers[0].Host != fmt.Sprintf("n%d", leads) || r.Brokers[0].Port != 9092 {
				t.Errorf("fetch %d: %+v", v, r)
			}
		}
		for v := int16(3); v <= 12; v++ {
			r := conn.call(task, produceTo("orders", 0, 1, batch(t, wire.BatchOptions{}, "a")), v).(*kmsg.ProduceResponse)
			p := r.Topics[0].Partitions[0]
			wantCode(t, "produce", p.ErrorCode, kerr.NotLeaderForPartition)
			if hinted := v >= 10; hinted != (p.CurrentLeader.LeaderID == int32(leads)) || hinted != (len(r.Brokers) == 1) {
				t.Errorf("produce %d: %+v", v, r)
			}
		}
		req := fetchFrom("orders", id, 0, 0)
		req.Topics[0].Partitions[0].CurrentLeaderEpoch = -2
		r := l.dial(task, leads).call(task, req, 17).(*kmsg.FetchResponse)
		wantCode(t, "old epoch", r.Topics[0].Partitions[0].ErrorCode, kerr.FencedLeaderEpoch)
		if r.Topics[0].Partitions[0].CurrentLeader.LeaderID != int32(leads) || len(r.Brokers) != 1 {
			t.Errorf("old epoch: %+v", r)
		}
	})
}

func TestFetchWaitsForMinBytes(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1}, []int32{1})
		fetcher, producer := l.dial(task, 1), l.dial(task, 1)
		one := batch(t, wire.BatchOptions{}, "value")
		ask := func(minBytes int, wait time.Duration) *kmsg.FetchRequest {
			req := fetchFrom("orders", [16]byte{}, 0, 0)
			p := req.Topics[0].Partitions[0]
			p.Partition = 1
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, p)
			req.MinBytes, req.MaxWaitMillis = int32(minBytes), int32(wait/time.Millisecond)
			return req
		}
		start := l.env.Clock.Now()
		empty := fetcher.call(task, ask(1, 300*time.Millisecond), 6).(*kmsg.FetchResponse)
		if took := l.env.Clock.Now().Sub(start); took < 300*time.Millisecond || took > 320*time.Millisecond {
			t.Errorf("nothing came after %v", took)
		}
		if len(empty.Topics[0].Partitions) != 2 {
			t.Errorf("without a session every partition is answered: %+v", empty)
		}
		start = l.env.Clock.Now()
		req := ask(2*len(one), 10*time.Second)
		fetcher.send(req, 6)
		task.Sleep(l.env.Clock, 50*time.Millisecond)
		producer.call(task, produceTo("orders", 1, 1, one), 9)
		task.Sleep(l.env.Clock, 50*time.Millisecond)
		producer.call(task, produceTo("orders", 0, 1, batch(t, wire.BatchOptions{}, "value")), 9)
		r := fetcher.answer(task, fetcher.corr, req).(*kmsg.FetchResponse)
		if took := l.env.Clock.Now().Sub(start); took < 100*time.Millisecond || took > 110*time.Millisecond {
			t.Errorf("two batches came after %v", took)
		}
		for _, p := range r.Topics[0].Partitions {
			if len(p.RecordBatches) != len(one) {
				t.Errorf("partition %+v", p)
			}
		}
		// The first batch comes whole whatever the limits are, the second does not.
		small := ask(1, 0)
		small.MaxBytes, small.Topics[0].Partitions[0].PartitionMaxBytes = 1, 1
		r = fetcher.call(task, small, 6).(*kmsg.FetchResponse)
		if a, b := len(r.Topics[0].Partitions[0].RecordBatches), len(r.Topics[0].Partitions[1].RecordBatches); a != len(one) || b != 0 {
			t.Errorf("with max bytes 1: %d and %d bytes", a, b)
		}
	})
}

func TestFetchSessionSendsOnlyWhatIsNew(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1}, []int32{1}, []int32{1})
		l.createTopic(task, "other", nil, []int32{1})
	})
	ids := map[string][16]byte{"orders": l.topicID("orders"), "other": l.topicID("other")}
	for v := int16(7); v <= 18; v++ {
		l.do(func(task *env.Task) {
			conn := l.dial(task, 1)
			defer conn.c.Close()
			offset := conn.call(task, produceTo("orders", 1, 1, batch(t, wire.BatchOptions{}, "a")), 9).(*kmsg.ProduceResponse).Topics[0].Partitions[0].BaseOffset
			full := fetchFrom("orders", ids["orders"], 0, 0)
			full.SessionEpoch = 0
			for _, p := range []int32{1, 2} {
				part := full.Topics[0].Partitions[0]
				part.Partition = p
				if p == 1 {
					part.FetchOffset = offset + 1
				}
				full.Topics[0].Partitions = append(full.Topics[0].Partitions, part)
			}
			full.MaxWaitMillis = 0
			r := conn.call(task, full, v).(*kmsg.FetchResponse)
			session := r.SessionID
			if r.ErrorCode != 0 || session == 0 || len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 3 {
				t.Fatalf("version %d: %+v", v, r)
			}
			next := func(epoch int32, change func(*kmsg.FetchRequest)) *kmsg.FetchResponse {
				req := fetchFrom("", [16]byte{}, 0, 0)
				req.Topics, req.SessionID, req.SessionEpoch, req.MaxWaitMillis = nil, session, epoch, 0
				if change != nil {
					change(req)
				}
				return conn.call(task, req, v).(*kmsg.FetchResponse)
			}
			if r = next(1, nil); r.ErrorCode != 0 || r.SessionID != session || len(r.Topics) != 0 {
				t.Errorf("version %d, nothing new: %+v", v, r)
			}
			conn.call(task, produceTo("orders", 1, 1, batch(t, wire.BatchOptions{}, "b")), 9)
			r = next(2, nil)
			if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 || r.Topics[0].Partitions[0].Partition != 1 || len(r.Topics[0].Partitions[0].RecordBatches) == 0 {
				t.Errorf("version %d, one record: %+v", v, r)
			}
			r = next(3, func(req *kmsg.FetchRequest) {
				part := full.Topics[0].Partitions[0]
				req.Topics = []kmsg.FetchRequestTopic{{Topic: "other", TopicID: ids["other"], Partitions: []kmsg.FetchRequestTopicPartition{part}}}
				req.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: "orders", TopicID: ids["orders"], Partitions: []int32{1}}}
			})
			if len(r.Topics) != 1 || r.Topics[0].Topic+r.Topics[0].Topic != "" && r.Topics[0].Topic != "other" || v >= 13 && r.Topics[0].TopicID != ids["other"] {
				t.Errorf("version %d, another topic instead of the one with records: %+v", v, r)
			}
			wantCode(t, "a request out of step", next(9, nil).ErrorCode, kerr.InvalidFetchSessionEpoch)
			session++
			wantCode(t, "an unknown session", next(4, nil).ErrorCode, kerr.FetchSessionIDNotFound)
			session--
			if v == 12 {
				req := fetchFrom("", [16]byte{}, 0, 0)
				req.Topics, req.SessionID, req.SessionEpoch = nil, session, 4
				wantCode(t, "ids in a session of names", conn.call(task, req, 13).(*kmsg.FetchResponse).ErrorCode, kerr.FetchSessionTopicIDError)
			}
			if r = next(-1, nil); r.ErrorCode != 0 || r.SessionID != 0 {
				t.Errorf("version %d, closing: %+v", v, r)
			}
			wantCode(t, "a closed session", next(4, nil).ErrorCode, kerr.FetchSessionIDNotFound)
		})
	}
	if n := l.c.Node(1).Broker.Held().Sessions; n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestSessionSlotsAreBounded(t *testing.T) {
	l := newLab(t, 1, map[string]string{"max.incremental.fetch.session.cache.slots": "2"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1})
		for i := range 5 {
			req := fetchFrom("orders", [16]byte{}, 0, 0)
			req.SessionEpoch, req.MaxWaitMillis = 0, 0
			r := l.dial(task, 1).call(task, req, 8).(*kmsg.FetchResponse)
			if granted := r.SessionID != 0; granted != (i < 2) || len(r.Topics) != 1 {
				t.Errorf("fetch %d: %+v", i, r)
			}
		}
	})
}

// A follower in a session hears of a high watermark that moves without new records, and
// goes on after its leader restarted and knows no session.
func TestFollowersFetchInSessions(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3}, []int32{1, 2, 3}, []int32{1, 3, 2})
		conn := l.dial(task, 1)
		for i := range 30 {
			r := conn.call(task, produceTo("orders", int32(i%3), -1, batch(t, wire.BatchOptions{}, "a")), 9).(*kmsg.ProduceResponse)
			wantCode(t, "produce", r.Topics[0].Partitions[0].ErrorCode, nil)
		}
	})
	if n := l.c.Node(1).Broker.Held().Sessions; n != 2 {
		t.Errorf("%d sessions at the leader, want those of two followers", n)
	}
	converged := func(end wire.Offset) {
		t.Helper()
		for _, n := range l.c.Nodes {
			for _, r := range n.Broker.Replicas() {
				if r.LogEnd != end || r.HighWatermark != end {
					t.Errorf("node %d: %s ends at %d, high watermark %d, want %d", n.ID, r.TopicPartition, r.LogEnd, r.HighWatermark, end)
				}
			}
		}
	}
	l.k.RunFor(2 * time.Second)
	converged(10)
	l.c.Node(1).Crash()
	l.k.RunFor(200 * time.Millisecond)
	l.c.Node(1).Up()
	l.k.RunFor(10 * time.Second)
	l.do(func(task *env.Task) {
		for p := range int32(3) {
			leads, _ := l.leaders("orders", p)
			r := l.dial(task, leads).call(task, produceTo("orders", p, -1, batch(t, wire.BatchOptions{}, "b")), 9).(*kmsg.ProduceResponse)
			wantCode(t, "produce after the restart", r.Topics[0].Partitions[0].ErrorCode, nil)
		}
	})
	l.k.RunFor(2 * time.Second)
	converged(11)
}
