package workloads

import (
	"fmt"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
)

// churner is the i-th user who makes other topics come, change and go, so that
// metadata never stand still.
func (w *appendRead) churner(i int) User {
	name := fmt.Sprintf("churner-%d", i)
	return User{Name: name, Run: func(t *env.Task, s *Site) { w.churn(t, s, name) }}
}

// churnTopics bounds the topics of one user that exist at a time.
const churnTopics = 3

func (w *appendRead) churn(t *env.Task, s *Site, name string) {
	c := s.client(name, w.requestTimeout(), nil)
	defer c.Close()
	admin := c.NewAdmin().WithTimeout(2 * w.requestTimeout())
	rng := s.Env.Rand.Stream("workload/" + name)
	do := func(what string, act func() error) {
		op := s.Recorder.Invoke(history.Event{Time: s.now(), Func: history.Admin, Process: name, Detail: what, Offset: wire.NoOffset})
		s.Recorder.Return(op, s.changed(act()))
	}
	// topics that may exist, with the partitions asked for.
	type churned struct {
		name       string
		partitions int32
	}
	var topics []churned
	made := 0
	for (w.producing > 0 || made == 0) && !s.stopping() {
		i := 0
		if len(topics) > 0 {
			i = rng.IntN(len(topics))
		}
		switch k := rng.IntN(10); {
		case len(topics) == 0 || k < 3 && len(topics) < churnTopics:
			made++
			topic := churned{fmt.Sprintf("%s-topic-%d", name, made), 1 + rng.Int32N(4)}
			topics = append(topics, topic)
			do("create "+topic.name, func() error {
				_, err := admin.CreateTopic(t, client.NewTopic{
					Name: topic.name, Partitions: topic.partitions, ReplicationFactor: int16(w.params["replication"]),
				})
				return err
			})
		case k < 5:
			topics[i].partitions++
			do(fmt.Sprintf("grow %s to %d", topics[i].name, topics[i].partitions), func() error {
				return admin.CreatePartitions(t, topics[i].name, topics[i].partitions)
			})
		case k < 7:
			ms := 1000 * (1 + rng.IntN(100000))
			do(fmt.Sprintf("alter %s retention.ms %d", topics[i].name, ms), func() error {
				return admin.AlterTopicConfigs(t, topics[i].name, []client.ConfigChange{{Name: "retention.ms", Value: fmt.Sprint(ms)}})
			})
		case k < 8:
			do("describe "+topics[i].name, func() error {
				_, err := admin.DescribeTopic(t, topics[i].name)
				return err
			})
		default:
			do("delete "+topics[i].name, func() error { return admin.DeleteTopic(t, topics[i].name) })
			topics = append(topics[:i], topics[i+1:]...)
		}
		s.sleep(t, time.Duration(1+rng.IntN(400))*time.Millisecond)
	}
}
