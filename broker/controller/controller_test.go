package controller

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/metadata"
)

func TestEveryRequestIsRefusedWhileInactive(t *testing.T) {
	s := newStory(t)
	for i, key := range Handles() {
		req := key.Request()
		req.SetVersion(req.MaxVersion())
		out := s.c.Handle(s.moment(), Token(i), req)
		if len(out.Records) != 0 || len(out.Replies) != 1 || out.Replies[0].Token != Token(i) {
			t.Fatalf("%s: %+v", key.Name(), out)
		}
		resp := out.Replies[0].Response
		if resp.Key() != int16(key) || resp.GetVersion() != req.GetVersion() {
			t.Errorf("%s: answered with key %d version %d", key.Name(), resp.Key(), resp.GetVersion())
		}
	}
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TopicNames = []string{"a", "b"}
	resp := s.c.Handle(s.moment(), 1, req).Replies[0].Response.(*kmsg.DeleteTopicsResponse)
	if len(resp.Topics) != 2 || *resp.Topics[1].Topic != "b" || resp.Topics[1].ErrorCode != kerr.NotController.Code {
		t.Errorf("%+v", resp.Topics)
	}
	if _, ok := s.c.Deadline(); ok {
		t.Error("an inactive controller has a deadline")
	}
	if out := s.c.Tick(s.moment()); len(out.Records) != 0 {
		t.Error("an inactive controller decided something")
	}
}

func TestAnIdleLogMoves(t *testing.T) {
	s := newStory(t)
	s.cfg.MaxIdle, s.cfg.RebalanceInterval, s.cfg.UncleanInterval = 500*time.Millisecond, 0, 0
	s.c = New(s.cfg)
	s.take(s.c.Lead(s.moment(), s.committed))
	for range 3 {
		at, ok := s.c.Deadline()
		if !ok || at != s.now+int64(500*time.Millisecond) {
			t.Fatalf("deadline %d %t at %d", at, ok, s.now)
		}
		s.now = at - 1
		if out := s.c.Tick(s.moment()); len(out.Records) != 0 {
			t.Fatalf("ticked early: %+v", out.Records)
		}
		s.now = at
		out := s.c.Tick(s.moment())
		if len(out.Records) != 1 || out.Records[0].Type() != metadata.TypeNoOp {
			t.Fatalf("records %+v", out.Records)
		}
		s.take(out)
	}
}

func TestSettingsComeFromTheNodesConfigs(t *testing.T) {
	l := config.Layers{Static: config.Values{
		"node.id": "1", "process.roles": "broker", "num.partitions": "3", "default.replication.factor": "2",
		"broker.session.timeout.ms": "4000", "auto.leader.rebalance.enable": "false", "metadata.max.idle.interval.ms": "0",
	}}
	b, err := l.BrokerConfig()
	if err != nil {
		t.Fatal(err)
	}
	c := ConfigOf(b)
	if c.NumPartitions != 3 || c.ReplicationFactor != 2 || c.SessionTimeout != 4*time.Second || c.RebalanceInterval != 0 || c.MaxIdle != 0 || !c.DeleteTopics {
		t.Errorf("%+v", c)
	}
}

func BenchmarkFenceLeaderOf1000Partitions(b *testing.B) {
	s := newStory(&testing.T{})
	s.take(s.c.Lead(s.moment(), s.committed))
	for id := int32(1); id <= 3; id++ {
		s.makeLive(id)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", 3000, 3
	req.Topics = append(req.Topics, topic)
	s.request(req)
	at := s.moment()
	for b.Loop() {
		c := New(s.cfg)
		c.Lead(at, s.committed)
		c.begin(at)
		c.fence(c.pending.Broker(1))
	}
}
