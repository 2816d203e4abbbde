package broker_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker"
	"odradek/broker/config"
	"odradek/broker/env"
	"odradek/broker/realenv"
	"odradek/broker/wire"
)

// The benchmarks of the produce and fetch paths, each on a null network (bench_null_test.go),
// where what is counted is the node's, and over loopback with real files, where cpu-us/op
// is what the whole process used, with the kernel's share and that of the client. The client
// reuses what it has, so that allocations are the node's. CONTRIBUTING.md says how two
// versions are compared.

// transport carries the frames of a benchmark.
type transport interface {
	write(frame []byte)
	// read reads one answer. Of one whose body the benchmark does not want it may return only
	// how long it is.
	read() (body []byte, size int)
}

// benchConfig is a node's configuration, with the topic defaults of a broker.
func benchConfig(b testing.TB, properties map[string]string) (*config.Broker, config.Values) {
	static := config.Values{"node.id": "1", "process.roles": "broker,controller"}
	maps.Copy(static, properties)
	layers := config.Layers{Static: static}
	cfg, err := layers.BrokerConfig()
	if err != nil {
		b.Fatal(err)
	}
	return cfg, static
}

// loopback is a connection over TCP.
type loopback struct {
	b    *testing.B
	conn net.Conn
	buf  []byte
}

// realCluster runs nodes for real and returns a connection to the leader of the topic "bench",
// of one partition that all of them have.
func realCluster(b *testing.B, nodes int) *loopback {
	addrs, voters := make([]string, nodes), ""
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		addrs[i] = l.Addr().String()
		voters += fmt.Sprintf(",%d@%s", i+1, addrs[i])
		l.Close()
	}
	for i, addr := range addrs {
		world, err := realenv.Open(realenv.Options{DataDir: b.TempDir(), Log: io.Discard, Level: env.Error})
		if err != nil {
			b.Fatal(err)
		}
		cfg, static := benchConfig(b, map[string]string{
			"node.id": fmt.Sprint(i + 1), "controller.quorum.voters": voters[1:], "listeners": "PLAINTEXT://" + addr,
		})
		ready := make(chan string, 1)
		go world.Run()
		world.Post(func() {
			broker.Start(world.Env(), broker.Options{
				Config: cfg, Static: static, Failed: func(err error) { b.Error(err) }, Ready: func(addr string) { ready <- addr },
			})
		})
		<-ready
		b.Cleanup(func() { world.Close() })
	}
	conn, err := net.Dial("tcp", addrs[0])
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	c := &loopback{b: b, conn: conn, buf: make([]byte, 4<<20)}
	replicas := make([]int32, nodes)
	for i := range replicas {
		replicas[i] = int32(i + 1)
	}
	for range 200 { // until the brokers are registered and unfenced
		if alive(b, c) == nodes && makeTopic(b, c, replicas) && inSync(b, c) == nodes {
			return c
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Fatal("no topic of which all replicas are in sync")
	return nil
}

// alive is how many brokers node 1 knows to be.
func alive(b testing.TB, t transport) int {
	resp := kmsg.NewPtrMetadataResponse()
	call(b, t, kmsg.NewPtrMetadataRequest(), 9, resp)
	return len(resp.Brokers)
}

// inSync is how many replicas of the topic "bench" are.
func inSync(b testing.TB, t transport) int {
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr("bench")
	req.Topics = append(req.Topics, topic)
	resp := kmsg.NewPtrMetadataResponse()
	call(b, t, req, 9, resp)
	if len(resp.Topics[0].Partitions) == 0 {
		return 0
	}
	return len(resp.Topics[0].Partitions[0].ISR)
}

func (c *loopback) write(frame []byte) {
	if _, err := c.conn.Write(frame); err != nil {
		c.b.Fatal(err)
	}
}

func (c *loopback) read() ([]byte, int) {
	if _, err := io.ReadFull(c.conn, c.buf[:4]); err != nil {
		c.b.Fatal(err)
	}
	body := c.buf[4 : 4+binary.BigEndian.Uint32(c.buf)]
	if _, err := io.ReadFull(c.conn, body); err != nil {
		c.b.Fatal(err)
	}
	return body, len(body)
}

// null is the connection to a node in a nullWorld.
type null struct {
	b testing.TB
	w *nullWorld
	c *nullConn
}

func nullNode(b testing.TB) *null {
	w, c := newNullNode(b)
	n := &null{b: b, w: w, c: c}
	c.keep = true
	for range 1000 {
		w.advance()
		if makeTopic(b, n, []int32{1}) {
			for range 100 {
				w.advance() // heartbeats, and whatever else a fresh node has to do
			}
			return n
		}
	}
	b.Fatal("no topic")
	return nil
}

func (n *null) write(frame []byte) { n.c.send(frame) }

func (n *null) read() ([]byte, int) {
	n.w.drain()
	for range 1000 { // of a request that waits for time to pass
		if n.c.got > 0 {
			break
		}
		n.w.advance()
	}
	if n.c.got == 0 {
		n.b.Fatal("no answer")
	}
	size := n.c.got - 4
	n.c.got = 0
	if !n.c.keep {
		return nil, size
	}
	body := n.c.outbox[4:]
	n.c.outbox = nil
	return body, size
}

// call is for what is not measured.
func call(b testing.TB, t transport, req kmsg.Request, version int16, resp kmsg.Response) {
	req.SetVersion(version)
	resp.SetVersion(version)
	t.write(wire.AppendRequest(nil, 1, "bench", req))
	body, _ := t.read()
	if err := wire.DecodeResponse(body, 1, resp); err != nil {
		b.Fatal(err)
	}
}

// makeTopic makes the topic "bench", and reports whether it is there and led by node 1.
func makeTopic(b testing.TB, t transport, replicas []int32) bool {
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "bench", -1, -1
	topic.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Replicas: replicas}}
	create.Topics, create.TimeoutMillis = []kmsg.CreateTopicsRequestTopic{topic}, 1000
	call(b, t, create, 4, kmsg.NewPtrCreateTopicsResponse())
	resp := kmsg.NewPtrProduceResponse()
	call(b, t, produceTo("bench", 0, 1, batch(b, wire.BatchOptions{}, "first")), 9, resp)
	return resp.Topics[0].Partitions[0].ErrorCode == 0
}

// sizes are the batches that are measured.
var sizes = []struct {
	name           string
	records, bytes int // a batch of so many records of so many bytes
	several        int // a fetch brings so many of them
}{
	{"1x1KiB", 1, 1 << 10, 1}, {"100x1KiB", 100, 1 << 10, 1}, {"1023x1KiB", 1023, 1 << 10, 1},
}

func sized(b testing.TB, records, bytes int) []byte {
	values := make([]string, records)
	for i := range values {
		values[i] = string(make([]byte, bytes-16))
	}
	return batch(b, wire.BatchOptions{}, values...)
}

// measure runs op b.N times; what the process used of the processors is reported for each.
func measure(b *testing.B, bytes int, op func()) {
	for range 50 {
		op()
	}
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	before := used(b)
	b.ResetTimer()
	for range b.N {
		op()
	}
	b.StopTimer()
	b.ReportMetric(float64(used(b)-before)/float64(time.Microsecond)/float64(b.N), "cpu-us/op")
}

func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// worlds runs a benchmark in each.
func worlds(b *testing.B, bench func(b *testing.B, t transport)) {
	b.Run("null", func(b *testing.B) { bench(b, nullNode(b)) })
	b.Run("loopback", func(b *testing.B) { bench(b, realCluster(b, 1)) })
}

// quiet has the null world forget what is answered.
func quiet(t transport) {
	if n, ok := t.(*null); ok {
		n.c.keep = false
	}
}

func benchmarkProduce(b *testing.B, t transport, records []byte, acks int16, depth int) {
	req := produceTo("bench", 0, acks, records)
	req.SetVersion(9)
	frame := wire.AppendRequest(nil, 1, "bench", req)
	quiet(t)
	for range depth - 1 {
		t.write(frame)
	}
	measure(b, len(records), func() {
		t.write(frame)
		t.read()
	})
	for range depth - 1 {
		t.read()
	}
}

// BenchmarkProduce is a round trip of one batch, acks=1.
func BenchmarkProduce(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			worlds(b, func(b *testing.B, t transport) {
				benchmarkProduce(b, t, sized(b, size.records, size.bytes), 1, 1)
			})
		})
	}
	b.Run("pipelined/loopback", func(b *testing.B) {
		benchmarkProduce(b, realCluster(b, 1), sized(b, 1, 1<<10), 1, 8)
	})
	b.Run("lz4/null", func(b *testing.B) {
		value := make([]byte, 1<<10)
		for i := range value {
			value[i] = byte(i * i >> 3)
		}
		values := make([]string, 100)
		for i := range values {
			values[i] = string(value)
		}
		benchmarkProduce(b, nullNode(b), batch(b, wire.BatchOptions{Compression: wire.LZ4}, values...), 1, 1)
	})
}

// BenchmarkProduceReplicated is a round trip of one batch to three brokers, acks=all.
func BenchmarkProduceReplicated(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			benchmarkProduce(b, realCluster(b, 3), sized(b, size.records, size.bytes), -1, 1)
		})
	}
}

// fetcher is a consumer that fetches from one offset, over and over.
type benchFetch struct {
	frame   []byte
	epochAt int // of the session's epoch in the frame, 0 without a session
	epoch   int32
}

// newFetch is a fetch of at most max bytes from an offset of the topic, in a session or without.
func newFetch(b testing.TB, t transport, offset int64, max int32, inSession bool) *benchFetch {
	req := fetchFrom("bench", [16]byte{}, 0, offset)
	req.MaxWaitMillis, req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes = 0, 50<<20, max
	f := &benchFetch{}
	if inSession {
		req.SessionEpoch = 0
		resp := kmsg.NewPtrFetchResponse()
		call(b, t, req, 12, resp)
		if resp.SessionID == 0 {
			b.Fatal("no session")
		}
		req.SessionID, req.SessionEpoch = resp.SessionID, 0x7eadbeef
		f.epoch = 0
	}
	req.SetVersion(12)
	f.frame = wire.AppendRequest(nil, 1, "bench", req)
	for i := range f.frame {
		if inSession && binary.BigEndian.Uint32(f.frame[i:]) == 0x7eadbeef {
			f.epochAt = i
			break
		}
	}
	return f
}

func (f *benchFetch) next() []byte {
	if f.epochAt > 0 {
		f.epoch++
		binary.BigEndian.PutUint32(f.frame[f.epochAt:], uint32(f.epoch))
	}
	return f.frame
}

// BenchmarkFetch is a round trip of a fetch of what was produced last, of what is on the disk
// only, and of nothing.
func BenchmarkFetch(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			worlds(b, func(b *testing.B, t transport) {
				records := sized(b, size.records, size.bytes)
				resp := kmsg.NewPtrProduceResponse()
				call(b, t, produceTo("bench", 0, 1, records), 9, resp)
				benchmarkFetch(b, t, resp.Topics[0].Partitions[0].BaseOffset, len(records), true)
			})
		})
	}
	b.Run("nothing", func(b *testing.B) {
		worlds(b, func(b *testing.B, t transport) {
			resp := kmsg.NewPtrProduceResponse()
			call(b, t, produceTo("bench", 0, 1, sized(b, 1, 100)), 9, resp)
			benchmarkFetch(b, t, resp.Topics[0].Partitions[0].BaseOffset+1, 0, false)
		})
	})
	b.Run("disk/loopback", func(b *testing.B) {
		t := realCluster(b, 1)
		records := sized(b, 100, 1<<10)
		resp := kmsg.NewPtrProduceResponse()
		call(b, t, produceTo("bench", 0, 1, records), 9, resp)
		for range 400 {
			call(b, t, produceTo("bench", 0, 1, records), 9, kmsg.NewPtrProduceResponse())
		}
		benchmarkFetch(b, t, resp.Topics[0].Partitions[0].BaseOffset, len(records), true)
	})
}

func benchmarkFetch(b *testing.B, t transport, offset int64, bytes int, inSession bool) {
	f := newFetch(b, t, offset, int32(max(bytes, 1)), inSession)
	quiet(t)
	measure(b, bytes, func() {
		t.write(f.next())
		if _, size := t.read(); size < bytes {
			b.Fatalf("an answer of %d bytes", size)
		}
	})
}

// BenchmarkRoundTrip is what one message costs that is produced, and fetched by a consumer who
// waits for it: the consumer's request comes first.
func BenchmarkRoundTrip(b *testing.B) {
	c := realCluster(b, 1)
	other, err := net.Dial("tcp", c.conn.RemoteAddr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer other.Close()
	consumer := &loopback{b: b, conn: other, buf: make([]byte, 1<<20)}
	records := sized(b, 1, 1<<10)
	resp := kmsg.NewPtrProduceResponse()
	call(b, c, produceTo("bench", 0, 1, records), 9, resp)
	offset := resp.Topics[0].Partitions[0].BaseOffset + 1
	f := newFetch(b, consumer, 0x7eadbeef00, 1<<20, true)
	at := 0
	for i := range f.frame[:len(f.frame)-8] {
		if binary.BigEndian.Uint64(f.frame[i:]) == 0x7eadbeef00 {
			at = i
		}
	}
	// max wait and min bytes follow the replica id, in the body's front.
	body := f.frame[4+8+2+len("bench")+1:]
	binary.BigEndian.PutUint32(body[4:], 1000)
	req := produceTo("bench", 0, 1, records)
	req.SetVersion(9)
	frame := wire.AppendRequest(nil, 1, "bench", req)
	measure(b, len(records), func() {
		binary.BigEndian.PutUint64(f.frame[at:], uint64(offset))
		offset++
		consumer.write(f.next())
		c.write(frame)
		c.read()
		if _, size := consumer.read(); size < len(records) {
			b.Fatalf("an answer of %d bytes", size)
		}
	})
}
