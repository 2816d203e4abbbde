package broker_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker"
	"odradek/broker/env"
	"odradek/broker/wire"
)

// header is the beginning of a request's frame: size, key, version, correlation id and
// a null client id.
func header(size int32, key, version int16) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(size))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, 77)
	return append(b, 0xff, 0xff)
}

func TestBadFramesCloseTheConnectionAndNothingElse(t *testing.T) {
	l := newLab(t, 1, map[string]string{"socket.request.max.bytes": "100000", "connections.max.idle.ms": "5000"})
	metadata := (&rawConn{l: l}).frame(kmsg.NewPtrMetadataRequest(), 12)
	trailing := append(append([]byte(nil), metadata...), 0)
	binary.BigEndian.PutUint32(trailing, uint32(len(trailing)-4))
	truncated := append([]byte(nil), metadata[:len(metadata)-2]...)
	binary.BigEndian.PutUint32(truncated, uint32(len(truncated)-4))
	count := header(10+4+1, kmsg.Metadata.Int16(), 4)
	count = append(count, 0x7f, 0xff, 0xff, 0xff, 1)
	tests := map[string][]byte{
		"negative size":        header(-1, 3, 0),
		"lowest size":          header(-1<<31, 3, 0),
		"size zero":            {0, 0, 0, 0},
		"size below a header":  {0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0},
		"size above the limit": header(100_001, 0, 9),
		"HTTP":                 []byte("GET / HTTP/1.1\r\n\r\n"),
		"TLS":                  {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc},
		"unknown key":          header(10, 999, 0),
		"negative key":         header(10, -3, 0),
		"key without handler":  header(10, 1000, 0),
		"unsupported version":  header(10, kmsg.Metadata.Int16(), 99),
		"negative version":     header(10, kmsg.Metadata.Int16(), -1),
		"trailing bytes":       trailing,
		"truncated":            truncated,
		"absurd count":         count,
		"half a prefix":        {0, 0},
		"half a frame":         header(50_000, 0, 9),
	}
	for name, frame := range tests {
		t.Run(name, func(t *testing.T) {
			l.t = t
			l.do(func(task *env.Task) {
				bad, good := l.dial(task, 1), l.dial(task, 1)
				bad.write(frame)
				start := l.env.Clock.Now()
				if !bad.closed(task) {
					t.Error("answered")
				}
				// Silence is closed as well, but not before its time.
				waited := l.env.Clock.Now().Sub(start)
				if silent := len(frame) < 4 || name == "half a frame"; silent != (waited > 4*time.Second) || waited > 6*time.Second {
					t.Errorf("closed after %v", waited)
				}
				if silent := waited > 4*time.Second; silent {
					good = l.dial(task, 1) // it was idle, too
				}
				good.call(task, kmsg.NewPtrMetadataRequest(), 12)
			})
		})
	}
}

func TestAnIdleConnectionIsClosedAndAWaitingOneIsNot(t *testing.T) {
	l := newLab(t, 1, map[string]string{"connections.max.idle.ms": "2000"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1})
		idle, waiting, busy := l.dial(task, 1), l.dial(task, 1), l.dial(task, 1)
		fetch := fetchFrom("orders", [16]byte{}, 0, 0)
		fetch.MaxWaitMillis = 7000
		waiting.send(fetch, 4)
		for range 5 {
			task.Sleep(l.env.Clock, time.Second)
			busy.call(task, kmsg.NewPtrApiVersionsRequest(), 0)
		}
		if !idle.closed(task) {
			t.Error("the idle connection lives")
		}
		if r := waiting.answer(task, waiting.corr, fetch).(*kmsg.FetchResponse); len(r.Topics) != 1 {
			t.Errorf("the waiting fetch got %+v", r)
		}
	})
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	l := newLab(t, 3, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3})
		conn := l.dial(task, 1)
		var frames []byte
		var reqs []kmsg.Request
		for i := range 200 {
			var req kmsg.Request = kmsg.NewPtrMetadataRequest()
			version := int16(9)
			switch i % 4 {
			case 1: // waits for the followers
				req = produceTo("orders", 0, -1, batch(t, wire.BatchOptions{}, fmt.Sprint(i)))
			case 2:
				req = fetchFrom("orders", [16]byte{}, 0, 1000+int64(i))
			case 3:
				req = fetchFrom("orders", [16]byte{}, 0, 0)
				req.(*kmsg.FetchRequest).MinBytes = 1 << 20
				req.(*kmsg.FetchRequest).MaxWaitMillis = 3
			}
			frames = append(frames, conn.frame(req, version)...)
			reqs = append(reqs, req)
		}
		conn.write(frames)
		next := int64(0)
		for i, req := range reqs {
			resp := conn.answer(task, int32(i+1), req) // checks the correlation id
			if p, ok := resp.(*kmsg.ProduceResponse); ok {
				if got := p.Topics[0].Partitions[0]; got.ErrorCode != 0 || got.BaseOffset != next {
					t.Errorf("produce %d: %+v, want offset %d", i, got, next)
				}
				next++
			}
		}
	})
}

func TestProduceWithoutAcksReportsErrorsByClosing(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1})
		good := l.dial(task, 1)
		good.send(produceTo("orders", 0, 0, batch(t, wire.BatchOptions{}, "a")), 9)
		r := good.call(task, fetchFrom("orders", [16]byte{}, 0, 0), 4).(*kmsg.FetchResponse)
		if len(r.Topics[0].Partitions[0].RecordBatches) == 0 {
			t.Error("nothing was appended")
		}
		for name, req := range map[string]*kmsg.ProduceRequest{
			"unknown partition": produceTo("orders", 5, 0, batch(t, wire.BatchOptions{}, "a")),
			"bad batch":         produceTo("orders", 0, 0, []byte("no batch")),
		} {
			bad := l.dial(task, 1)
			bad.send(req, 9)
			if !bad.closed(task) {
				t.Errorf("%s: answered", name)
			}
		}
	})
}

func TestConnectionsAreLimited(t *testing.T) {
	for _, property := range []string{"max.connections", "max.connections.per.ip"} {
		t.Run(property, func(t *testing.T) {
			l := newLab(t, 1, map[string]string{property: "3"})
			l.do(func(task *env.Task) {
				var conns []*rawConn
				for range 3 {
					c := l.dial(task, 1)
					c.call(task, kmsg.NewPtrApiVersionsRequest(), 0)
					conns = append(conns, c)
				}
				if !l.dial(task, 1).closed(task) {
					t.Error("a fourth connection was taken")
				}
				conns[1].c.Close()
				task.Sleep(l.env.Clock, 10*time.Millisecond)
				l.dial(task, 1).call(task, kmsg.NewPtrApiVersionsRequest(), 0)
			})
		})
	}
}

func TestOldProduceIsRefused(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1})
		conn := l.dial(task, 1)
		for v := range int16(3) {
			r := conn.call(task, produceTo("orders", 0, 1, []byte("a message set")), v).(*kmsg.ProduceResponse)
			if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
				t.Fatalf("answer %+v", r)
			}
			wantCode(t, fmt.Sprintf("produce %d", v), r.Topics[0].Partitions[0].ErrorCode, kerr.UnsupportedVersion)
		}
		conn.send(produceTo("orders", 0, 0, []byte("a message set")), 2)
		if !conn.closed(task) {
			t.Error("acks=0 was answered")
		}
	})
}

func TestApiVersionsFromTheFutureIsToldOurs(t *testing.T) {
	l := newLab(t, 1, nil)
	l.do(func(task *env.Task) {
		conn := l.dial(task, 1)
		// What a later version looks like is not known: only the header counts.
		frame := append(header(10+3, kmsg.ApiVersions.Int16(), 9), 1, 2, 3)
		conn.write(frame)
		body, err := conn.read(task)
		if err != nil {
			t.Fatal(err)
		}
		resp := kmsg.NewPtrApiVersionsResponse()
		if err := wire.DecodeResponse(body, 77, resp); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "api versions", resp.ErrorCode, kerr.UnsupportedVersion)
		// Given all ranges a client would not ask again, and never learn of the features.
		if len(resp.ApiKeys) != 1 || resp.ApiKeys[0].ApiKey != kmsg.ApiVersions.Int16() || resp.ApiKeys[0].MaxVersion < 4 {
			t.Errorf("ranges %v, want that of ApiVersions alone", resp.ApiKeys)
		}
		conn.call(task, kmsg.NewPtrApiVersionsRequest(), 0)
		bad := kmsg.NewPtrApiVersionsRequest()
		bad.ClientSoftwareName, bad.ClientSoftwareVersion = "a b", "1"
		wantCode(t, "a bad name", conn.call(task, bad, 3).(*kmsg.ApiVersionsResponse).ErrorCode, kerr.InvalidRequest)
	})
}

func TestClosingLetsGoOfWhatWaits(t *testing.T) {
	l := newLab(t, 3, map[string]string{"replica.lag.time.max.ms": "60000"})
	held := func() broker.Held { return l.c.Node(1).Broker.Held() }
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3})
		l.createTopic(task, "empty", nil, []int32{1})
	})
	// Without its followers nothing at the leader is acknowledged.
	l.c.Node(2).Pause(0)
	l.c.Node(3).Pause(0)
	before := held()
	l.do(func(task *env.Task) {
		var conns []*rawConn
		for range 20 {
			c := l.dial(task, 1)
			produce := produceTo("orders", 0, -1, batch(t, wire.BatchOptions{}, "a"))
			produce.TimeoutMillis = 1 << 30
			fetch := fetchFrom("empty", [16]byte{}, 0, 0)
			fetch.MaxWaitMillis = 1<<31 - 1
			c.send(produce, 9)
			c.send(fetch, 9)
			conns = append(conns, c)
		}
		task.Sleep(l.env.Clock, 50*time.Millisecond)
		if h := held(); h.Acks != 20 || h.Fetches != 20 || h.Conns != before.Conns+20 {
			t.Fatalf("held %+v, want 20 produces and fetches", h)
		}
		for _, c := range conns {
			c.c.Close()
		}
		task.Sleep(l.env.Clock, 50*time.Millisecond)
	})
	if h := held(); h.Acks != 0 || h.Fetches != 0 || h.Requests > before.Requests || h.Conns != before.Conns {
		t.Errorf("held after the clients have gone: %+v, before they came: %+v", h, before)
	}
}

func TestTimedOutProducesAreForgotten(t *testing.T) {
	l := newLab(t, 3, map[string]string{"replica.lag.time.max.ms": "60000"})
	l.do(func(task *env.Task) { l.createTopic(task, "orders", nil, []int32{1, 2, 3}) })
	l.c.Node(2).Pause(0)
	l.c.Node(3).Pause(0)
	l.do(func(task *env.Task) {
		conn := l.dial(task, 1)
		for range 10 {
			req := produceTo("orders", 0, -1, batch(t, wire.BatchOptions{}, "a"))
			req.TimeoutMillis = 20
			r := conn.call(task, req, 9).(*kmsg.ProduceResponse)
			wantCode(t, "produce", r.Topics[0].Partitions[0].ErrorCode, kerr.RequestTimedOut)
		}
		if h := l.c.Node(1).Broker.Held(); h.Acks != 0 {
			t.Errorf("%d produces are still remembered", h.Acks)
		}
	})
}

func TestAClientThatDoesNotReadIsNotReadFrom(t *testing.T) {
	l := newLab(t, 1, nil)
	node := l.c.Node(1).Broker
	before := node.Held()
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1})
		setup := l.dial(task, 1)
		big := make([]byte, 200<<10)
		for range 20 {
			setup.call(task, produceTo("orders", 0, 1, batch(t, wire.BatchOptions{}, string(big))), 9)
		}
		setup.c.Close()

		for name, req := range map[string]kmsg.Request{
			"api versions": kmsg.NewPtrApiVersionsRequest(), "fetch": fetchFrom("orders", [16]byte{}, 0, 0),
		} {
			conn := l.dial(task, 1)
			requests := 2 << 20 / len(conn.frame(req, 4))
			var frames []byte
			conn.corr = 0
			for range requests {
				frames = append(frames, conn.frame(req, 4)...)
			}
			conn.write(frames)
			task.Sleep(l.env.Clock, 2*time.Second)
			h := node.Held()
			if over := h.Unsent - before.Unsent; over > broker.MaxUnsent+1<<20+64<<10 || over < broker.MaxUnsent/2 {
				t.Errorf("%s: %d bytes of answers are kept", name, over)
			}
			if h.Buffers > before.Buffers+2*broker.ConnChunk || h.Queued > broker.MaxQueued {
				t.Errorf("%s: held %+v", name, h)
			}
			if conn.c.Buffered() == 0 {
				t.Errorf("%s: the node has read everything", name)
			}
			// Once it reads, all is answered.
			for i := range 100 {
				conn.answer(task, int32(i+1), req)
			}
			conn.c.Close()
		}
	})
}

func TestALargeRequestCostsWhatHasArrived(t *testing.T) {
	l := newLab(t, 1, nil)
	node := l.c.Node(1).Broker
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", map[string]string{"max.message.bytes": "20000000"}, []int32{1})
		task.Sleep(l.env.Clock, 100*time.Millisecond)
		before := node.Held().Buffers
		var conns []*rawConn
		for range 50 {
			c := l.dial(task, 1)
			c.write(header(100<<20, 0, 9)) // announced, but not sent
			conns = append(conns, c)
		}
		task.Sleep(l.env.Clock, 100*time.Millisecond)
		if got := node.Held().Buffers - before; got > 50*(broker.FirstPiece+broker.ConnChunk) {
			t.Errorf("50 announcements cost %d bytes", got)
		}
		for _, c := range conns {
			c.c.Close()
		}
		conn := l.dial(task, 1)
		r := conn.call(task, produceTo("orders", 0, 1, batch(t, wire.BatchOptions{}, string(make([]byte, 10<<20)))), 9)
		wantCode(t, "10 MiB", r.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, nil)
		if got := node.Held().Buffers - before; got != broker.ConnChunk {
			t.Errorf("after a large request a connection keeps %d bytes", got)
		}
	})
}

// Nodes close each other's idle connections, too, and that is no failure to back off from.
func TestNodesOutliveTheirIdleConnections(t *testing.T) {
	l := newLab(t, 3, map[string]string{
		"connections.max.idle.ms": "500", "broker.heartbeat.interval.ms": "1200", "broker.session.timeout.ms": "2500",
		"replica.fetch.wait.max.ms": "1000", "replica.lag.time.max.ms": "5000",
	})
	l.do(func(task *env.Task) { l.createTopic(task, "orders", nil, []int32{1, 2, 3}) })
	for range 20 {
		l.k.RunFor(time.Second)
		if alive := l.unfenced(); alive != 3 {
			t.Fatalf("%d brokers are alive", alive)
		}
	}
	l.do(func(task *env.Task) {
		leads, _ := l.leaders("orders", 0)
		r := l.dial(task, leads).call(task, produceTo("orders", 0, -1, batch(t, wire.BatchOptions{}, "a")), 9).(*kmsg.ProduceResponse)
		wantCode(t, "produce", r.Topics[0].Partitions[0].ErrorCode, nil)
	})
}

// Produces that wait for their replicas keep their records in memory, so that a client
// which goes on sending is not read from any more.
func TestQueuedRequestsAreBoundedInBytes(t *testing.T) {
	l := newLab(t, 3, map[string]string{"replica.lag.time.max.ms": "60000"})
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", map[string]string{"max.message.bytes": "20000000"}, []int32{1, 2, 3})
	})
	node := l.c.Node(1).Broker
	l.c.Node(2).Pause(0)
	l.c.Node(3).Pause(0)
	l.do(func(task *env.Task) {
		conn := l.dial(task, 1)
		big := string(make([]byte, 1<<20))
		reqs := make([]*kmsg.ProduceRequest, 40)
		for i := range reqs {
			reqs[i] = produceTo("orders", 0, -1, batch(t, wire.BatchOptions{}, big))
			reqs[i].TimeoutMillis = 10_000
			conn.send(reqs[i], 9)
		}
		task.Sleep(l.env.Clock, 500*time.Millisecond)
		h := node.Held()
		if h.Queued < broker.MaxQueued || h.Queued > broker.MaxQueued+2<<20 || h.Buffers > 3<<20 {
			t.Errorf("held %+v", h)
		}
		l.c.Node(2).Resume()
		l.c.Node(3).Resume()
		for i, req := range reqs { // all of them are read, and answered one way or the other
			conn.answer(task, int32(i+1), req)
		}
	})
}
