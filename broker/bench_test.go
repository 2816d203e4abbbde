package broker_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker"
	"odradek/broker/config"
	"odradek/broker/env"
	"odradek/broker/realenv"
	"odradek/broker/wire"
)

// realNode runs one node for real and returns a connection to it and its topic "bench"
// of one partition. Allocations of a benchmark are those of the node: the client below
// reuses what it has.
func realNode(b *testing.B) *wireClient {
	world, err := realenv.Open(realenv.Options{DataDir: b.TempDir(), Log: io.Discard, Level: env.Error})
	if err != nil {
		b.Fatal(err)
	}
	layers := config.Layers{Static: config.Values{
		"node.id": "1", "process.roles": "broker,controller", "controller.quorum.voters": "1@127.0.0.1:9", "listeners": "PLAINTEXT://127.0.0.1:0",
	}}
	cfg, err := layers.BrokerConfig()
	if err != nil {
		b.Fatal(err)
	}
	ready := make(chan string, 1)
	go world.Run()
	world.Post(func() {
		broker.Start(world.Env(), broker.Options{
			Config: cfg, Static: layers.Static, Failed: func(err error) { b.Error(err) }, Ready: func(addr string) { ready <- addr },
		})
	})
	conn, err := net.Dial("tcp", <-ready)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close(); world.Close() })
	c := &wireClient{b: b, conn: conn, buf: make([]byte, 1<<20)}
	for range 100 { // until the broker is registered and unfenced
		create := kmsg.NewPtrCreateTopicsRequest()
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "bench", 1, 1
		create.Topics, create.TimeoutMillis = []kmsg.CreateTopicsRequestTopic{topic}, 1000
		resp := kmsg.NewPtrCreateTopicsResponse()
		c.call(create, 4, resp)
		if resp.Topics[0].ErrorCode == 0 {
			time.Sleep(100 * time.Millisecond)
			return c
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Fatal("no topic")
	return nil
}

// wireClient speaks over TCP without allocating.
type wireClient struct {
	b    *testing.B
	conn net.Conn
	buf  []byte
}

func (c *wireClient) write(frame []byte) {
	if _, err := c.conn.Write(frame); err != nil {
		c.b.Fatal(err)
	}
}

// read reads an answer into the client's buffer.
func (c *wireClient) read() []byte {
	if _, err := io.ReadFull(c.conn, c.buf[:4]); err != nil {
		c.b.Fatal(err)
	}
	body := c.buf[4 : 4+binary.BigEndian.Uint32(c.buf)]
	if _, err := io.ReadFull(c.conn, body); err != nil {
		c.b.Fatal(err)
	}
	return body
}

func (c *wireClient) call(req kmsg.Request, version int16, resp kmsg.Response) {
	req.SetVersion(version)
	resp.SetVersion(version)
	c.write(wire.AppendRequest(nil, 1, "bench", req))
	if err := wire.DecodeResponse(c.read(), 1, resp); err != nil {
		c.b.Fatal(err)
	}
}

// BenchmarkProduce is a round trip of one record of 1 KiB, with one request and with
// eight under way.
func BenchmarkProduce(b *testing.B) {
	for _, bench := range []struct {
		name  string
		depth int
	}{{"one", 1}, {"pipelined", 8}} {
		b.Run(bench.name, func(b *testing.B) {
			c := realNode(b)
			req := produceTo("bench", 0, 1, batch(b, wire.BatchOptions{}, string(make([]byte, 1024))))
			req.SetVersion(9)
			frame := wire.AppendRequest(nil, 1, "bench", req)
			for range bench.depth {
				c.write(frame)
			}
			b.SetBytes(1024)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				c.write(frame)
				c.read()
			}
			b.StopTimer()
			for range bench.depth {
				c.read()
			}
		})
	}
}

// BenchmarkFetch is a round trip of a fetch, of 64 KiB of records and of nothing, without
// a session.
func BenchmarkFetch(b *testing.B) {
	c := realNode(b)
	produce := produceTo("bench", 0, 1, batch(b, wire.BatchOptions{}, string(make([]byte, 16<<10))))
	for range 8 {
		c.call(produce, 9, kmsg.NewPtrProduceResponse())
	}
	for _, bench := range []struct {
		name   string
		offset int64
		size   int
	}{{"64KiB", 0, 64 << 10}, {"nothing", 8, 0}} {
		b.Run(bench.name, func(b *testing.B) {
			req := fetchFrom("bench", [16]byte{}, 0, bench.offset)
			req.MaxWaitMillis, req.Topics[0].Partitions[0].PartitionMaxBytes = 0, 66<<10
			req.SetVersion(12)
			frame := wire.AppendRequest(nil, 1, "bench", req)
			b.SetBytes(int64(bench.size))
			b.ReportAllocs()
			for b.Loop() {
				c.write(frame)
				if got := len(c.read()); got < bench.size {
					b.Fatalf("an answer of %d bytes", got)
				}
			}
		})
	}
}
