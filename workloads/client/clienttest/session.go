package clienttest

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// session is one accepted connection. Answers go out in the order of the requests.
type session struct {
	cluster *Cluster
	node    *node
	conn    env.Conn
	prefix  [4]byte
	answers []*answer
	ended   bool
}

// answer is one owed; ready when there is something to write (nil for silence).
type answer struct {
	bytes []byte
	ready bool
	cut   bool
}

func (s *session) read() {
	s.conn.Read(s.prefix[:], 4, func(_ int, err error) {
		if err != nil || s.ended {
			s.end()
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(s.prefix[:]))
		s.conn.Read(frame, len(frame), func(_ int, err error) {
			if err != nil || s.ended {
				s.end()
				return
			}
			s.handle(frame)
			if !s.ended {
				s.read()
			}
		})
	})
}

func (s *session) end() {
	s.ended = true
	s.conn.Close()
}

// cut breaks the connection as a reset does.
func (s *session) cut() {
	s.ended = true
	s.conn.(*conn).reset()
}

func (s *session) handle(frame []byte) {
	c := s.cluster
	h, req, err := wire.DecodeRequest(frame, c.served)
	if h.Key == 18 {
		s.greet(h, err)
		return
	}
	if err != nil {
		panic("clienttest: the client sent what is not served: " + err.Error())
	}
	c.Requests[h.Key]++
	var fault Fault
	if c.Inject != nil {
		fault = c.Inject(s.node.id, req)
	}
	a := &answer{}
	s.answers = append(s.answers, a)
	reply := func(resp kmsg.Response) {
		switch {
		case fault.Silence:
			return
		case fault.Cut:
			a.cut = true
		case resp != nil:
			resp.SetVersion(h.Version)
			a.bytes = wire.AppendResponse(nil, h.CorrelationID, resp)
		}
		if fault.Delay > 0 {
			c.World.After(fault.Delay, func() { a.ready = true; s.flush() })
			return
		}
		a.ready = true
		s.flush()
	}
	s.dispatch(req, fault, reply)
}

// flush writes the answers that are ready and whose turn it is.
func (s *session) flush() {
	for len(s.answers) > 0 && s.answers[0].ready && !s.ended {
		a := s.answers[0]
		s.answers = s.answers[1:]
		if a.cut {
			s.cut()
			return
		}
		if a.bytes != nil {
			s.conn.Write([]env.Segment{{Bytes: a.bytes}})
		}
	}
}

func (s *session) greet(h wire.RequestHeader, err error) {
	version := h.Version
	if s.cluster.OldGreeting && version > 0 {
		version = 99
	} else if err != nil {
		panic("clienttest: " + err.Error())
	}
	features := []wire.Feature{{Name: "transaction.version", Min: 0, Max: 2, Finalized: s.cluster.TransactionVersion}}
	resp := s.cluster.served.ApiVersionsResponse(version, features, 1)
	if s.cluster.OldGreeting {
		i := slices.IndexFunc(resp.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == 18 })
		resp.ApiKeys[i].MaxVersion = 0
	}
	s.conn.Write([]env.Segment{{Bytes: wire.AppendResponse(nil, h.CorrelationID, resp)}})
}

func (s *session) dispatch(req kmsg.Request, f Fault, reply func(kmsg.Response)) {
	c := s.cluster
	switch req := req.(type) {
	case *kmsg.MetadataRequest:
		reply(c.metadata(req, f))
	case *kmsg.ProduceRequest:
		resp := c.produce(s.node.id, req, f)
		if req.Acks == 0 {
			reply(nil)
			return
		}
		reply(resp)
	case *kmsg.FetchRequest:
		s.fetch(req, f, s.cluster.World.now+int64(req.MaxWaitMillis)*int64(time.Millisecond), reply)
	case *kmsg.ListOffsetsRequest:
		reply(c.listOffsets(s.node.id, req, f))
	case *kmsg.OffsetForLeaderEpochRequest:
		reply(c.offsetsForEpochs(s.node.id, req, f))
	default:
		if s.groupRequest(req, f, reply) {
			return
		}
		if resp, ok := c.transact(s.node.id, req, f); ok {
			reply(resp)
			return
		}
		switch req.(type) {
		case *kmsg.DescribeConfigsRequest, *kmsg.DescribeClusterRequest:
			reply(c.administer(req, f))
			return
		}
		if s.node.id != c.Controller && f.Code == 0 {
			f = Fault{Code: kerr.NotController.Code, Skip: true}
		}
		reply(c.administer(req, f))
	}
}
