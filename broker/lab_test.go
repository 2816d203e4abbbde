package broker_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/sim"
	"odradek/sim/cluster"
)

// lab is a simulated cluster and a machine for clients that send exact bytes.
type lab struct {
	t    testing.TB
	k    *sim.Kernel
	c    *cluster.Cluster
	host *cluster.Host
	env  env.Env
}

// newLab starts a cluster whose nodes are all voters, and waits until it can serve.
func newLab(t testing.TB, nodes int, properties map[string]string) *lab {
	t.Helper()
	return newSeededLab(t, 11, nodes, properties)
}

func newSeededLab(t testing.TB, seed uint64, nodes int, properties map[string]string) *lab {
	t.Helper()
	l := &lab{t: t, k: sim.New(seed)}
	cfg := cluster.DefaultConfig()
	cfg.Nodes, cfg.Voters = nodes, nodes
	cfg.Properties = map[string]string{
		"default.replication.factor": fmt.Sprint(nodes), "min.insync.replicas": "1", "auto.create.topics.enable": "false",
		"offsets.topic.replication.factor": fmt.Sprint(nodes), "offsets.topic.num.partitions": "4", "group.initial.rebalance.delay.ms": "0",
	}
	maps.Copy(cfg.Properties, properties)
	var err error
	if l.c, err = cluster.New(l.k, cfg); err != nil {
		t.Fatal(err)
	}
	l.c.Failed = func(n *cluster.Node, err error) { t.Errorf("node %d: %v", n.ID, err) }
	l.c.Start()
	l.host = l.c.NewClient("client")
	l.host.Start(func(e env.Env) { l.env = e })
	for range 100 {
		l.k.RunFor(100 * time.Millisecond)
		if l.unfenced() == nodes {
			return l
		}
	}
	t.Fatal("the cluster does not start")
	return nil
}

// unfenced counts the brokers that every node knows to be alive.
func (l *lab) unfenced() int {
	lowest := len(l.c.Nodes)
	for _, n := range l.c.Nodes {
		alive := 0
		image, _ := n.Broker.Image()
		for _, b := range image.Brokers() {
			if !b.Fenced {
				alive++
			}
		}
		lowest = min(lowest, alive)
	}
	return lowest
}

// do runs a client's script to its end, for at most a minute of simulated time.
func (l *lab) do(script func(task *env.Task)) {
	l.t.Helper()
	done := false
	l.host.Do(func() {
		l.env.Tasks.Go(func(task *env.Task) {
			script(task)
			done = true
		})
	})
	for range 600 {
		if done {
			return
		}
		l.k.RunFor(100 * time.Millisecond)
	}
	l.t.Fatal("the script does not end")
}

// rawConn is a connection that can send anything.
type rawConn struct {
	l    *lab
	c    env.Conn
	corr int32
}

func (l *lab) dial(task *env.Task, node wire.NodeID) *rawConn {
	l.t.Helper()
	c, err := env.Await2(task, func(done func(env.Conn, error)) {
		l.env.Net.Dial(fmt.Sprintf("%s:%d", cluster.NodeName(node), cluster.Port), time.Second, done)
	})
	if err != nil {
		l.t.Fatalf("dial node %d: %v", node, err)
	}
	return &rawConn{l: l, c: c}
}

func (c *rawConn) write(b []byte) { c.c.Write([]env.Segment{{Bytes: b}}) }

// frame encodes a request and numbers it.
func (c *rawConn) frame(req kmsg.Request, version int16) []byte {
	c.corr++
	req.SetVersion(version)
	return wire.AppendRequest(nil, c.corr, "lab", req)
}

func (c *rawConn) send(req kmsg.Request, version int16) { c.write(c.frame(req, version)) }

// read reads one frame.
func (c *rawConn) read(task *env.Task) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := env.Await2(task, func(done func(int, error)) { c.c.Read(head, 4, done) }); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head))
	_, err := env.Await2(task, func(done func(int, error)) { c.c.Read(body, len(body), done) })
	return body, err
}

// answer reads the answer to a request, which must decode to the last byte and encode
// to the same bytes again.
func (c *rawConn) answer(task *env.Task, corr int32, req kmsg.Request) kmsg.Response {
	c.l.t.Helper()
	body, err := c.read(task)
	name := kmsg.NameForKey(req.Key())
	if err != nil {
		c.l.t.Fatalf("%s %d: no answer: %v", name, req.GetVersion(), err)
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	if err := wire.DecodeResponse(body, corr, resp); err != nil {
		c.l.t.Fatalf("%s %d: %v", name, req.GetVersion(), err)
	}
	if again := wire.AppendResponse(nil, corr, resp); string(again[wire.FramePrefix:]) != string(body) {
		c.l.t.Fatalf("%s %d: the answer is not canonical:\n%x\n%x", name, req.GetVersion(), body, again[wire.FramePrefix:])
	}
	if throttled, ok := resp.(kmsg.ThrottleResponse); ok {
		if ms, _ := throttled.Throttle(); ms != 0 {
			c.l.t.Errorf("%s %d: throttled by %d ms", name, req.GetVersion(), ms)
		}
	}
	return resp
}

// call sends a request and reads its answer.
func (c *rawConn) call(task *env.Task, req kmsg.Request, version int16) kmsg.Response {
	c.l.t.Helper()
	c.send(req, version)
	return c.answer(task, c.corr, req)
}

// closed waits for the end of the connection, and reports whether it came before any
// answer.
func (c *rawConn) closed(task *env.Task) bool {
	_, err := c.read(task)
	return err != nil
}

// createTopic makes a topic with the given replicas for each partition.
func (l *lab) createTopic(task *env.Task, name string, configs map[string]string, replicas ...[]int32) {
	l.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	req.TimeoutMillis = 5000
	for i, ids := range replicas {
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: int32(i), Replicas: ids})
	}
	for k, v := range configs {
		topic.Configs = append(topic.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: k, Value: kmsg.StringPtr(v)})
	}
	req.Topics = append(req.Topics, topic)
	conn := l.dial(task, 1)
	defer conn.c.Close()
	resp := conn.call(task, req, 7).(*kmsg.CreateTopicsResponse)
	if code := resp.Topics[0].ErrorCode; code != 0 {
		l.t.Fatalf("create %s: %v", name, kerr.ErrorForCode(code))
	}
	task.Sleep(l.env.Clock, 300*time.Millisecond) // leaders take up their office
}

func (l *lab) topicID(name string) [16]byte {
	image, _ := l.c.Node(1).Broker.Image()
	return image.Topic(name).ID
}

// batch is a record batch of the given values.
func batch(t testing.TB, opts wire.BatchOptions, values ...string) []byte {
	t.Helper()
	b := wire.NewBuilder(opts)
	for _, v := range values {
		b.Append(wire.NoTimestamp, []byte("k"), []byte(v))
	}
	out, err := b.Build(nil, wire.NewCodec(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// produceTo is a Produce request for one partition.
func produceTo(topic string, partition int32, acks int16, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = acks, 2000
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: records}}}}
	return req
}

// fetchFrom is a Fetch request of a consumer, without a session, for one partition.
func fetchFrom(topic string, id [16]byte, partition int32, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = 100, 1, 1<<20, -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 1<<20
	req.Topics = []kmsg.FetchRequestTopic{{Topic: topic, TopicID: id, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	return req
}

// wantCode fails the test unless code is the wanted error's, nil for none.
func wantCode(t testing.TB, what string, code int16, want *kerr.Error) {
	t.Helper()
	var wanted int16
	if want != nil {
		wanted = want.Code
	}
	if code != wanted {
		t.Errorf("%s: error %v, want %v", what, kerr.ErrorForCode(code), kerr.ErrorForCode(wanted))
	}
}
