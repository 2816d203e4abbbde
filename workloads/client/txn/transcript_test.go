package txn

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
	"odradek/workloads/client/producer"
	"odradek/workloads/client/transcript"
)

// stage is a core of transactions with that of its producer, and a cluster of two nodes:
// node 1 leads partition 0 of topic "a" and coordinates groups, node 2 leads partition 1
// and coordinates transactions.
type stage struct {
	t     *testing.T
	now   int64
	meta  *cluster.Metadata
	prod  *producer.Core
	core  *Core
	epoch int16
	reqs  map[string]sent // by the names that the transcript gives
	n     int
	ops   []named
}

type sent struct {
	attempt.Request
	records bool
}

// named is an operation under way, as the transcript calls it.
type named struct {
	name string
	op   *Operation
}

func newStage(t *testing.T, version int64) *stage {
	rng := rand.New(rand.NewPCG(1, 2))
	backoff := attempt.Backoff{Initial: 100 * time.Millisecond, Max: time.Second}
	s := &stage{t: t, now: int64(time.Second), reqs: make(map[string]sent)}
	s.meta = cluster.New(cluster.Config{Backoff: backoff, MaxAge: time.Hour}, rng)
	s.meta.Want("a")
	cfg := producer.DefaultConfig()
	cfg.TransactionalID = "t"
	s.prod = producer.New(cfg, s.meta, rng)
	s.core = New(Config{TransactionalID: "t", Timeout: time.Minute, Backoff: backoff}, s.prod, s.meta, rng)
	s.core.Protocol(version == 2)
	topic := transcript.Topic("a")
	for i := range int32(2) {
		transcript.Lead(&topic, i, i+1, -1)
	}
	s.now = transcript.Refresh(s.meta, s.now, 2, topic)
	return s
}

func describe(msg kmsg.Request) string {
	switch m := msg.(type) {
	case *kmsg.FindCoordinatorRequest:
		return fmt.Sprintf("FindCoordinator %s", m.CoordinatorKey)
	case *kmsg.InitProducerIDRequest:
		return fmt.Sprintf("InitProducerId %s id %d epoch %d", *m.TransactionalID, m.ProducerID, m.ProducerEpoch)
	case *kmsg.AddPartitionsToTxnRequest:
		return fmt.Sprintf("AddPartitionsToTxn epoch %d %s %v", m.ProducerEpoch, m.Topics[0].Topic, m.Topics[0].Partitions)
	case *kmsg.AddOffsetsToTxnRequest:
		return fmt.Sprintf("AddOffsetsToTxn epoch %d group %s", m.ProducerEpoch, m.Group)
	case *kmsg.TxnOffsetCommitRequest:
		s := fmt.Sprintf("TxnOffsetCommit epoch %d group %s", m.ProducerEpoch, m.Group)
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				s += fmt.Sprintf(" %s-%d=%d", t.Topic, p.Partition, p.Offset)
			}
		}
		return s
	case *kmsg.EndTxnRequest:
		return fmt.Sprintf("EndTxn epoch %d commit=%v", m.ProducerEpoch, m.Commit)
	case *kmsg.ProduceRequest:
		h, _ := wire.ReadBatchHeader(m.Topics[0].Partitions[0].Records)
		return fmt.Sprintf("Produce %s-%d epoch %d sequence %d", m.Topics[0].Topic, m.Topics[0].Partitions[0].Partition, h.ProducerEpoch, h.BaseSequence)
	}
	return fmt.Sprintf("%T", msg)
}

// poll gives the new requests.
func (s *stage) poll() string {
	var out strings.Builder
	note := func(req sent) {
		s.n++
		s.reqs[strconv.Itoa(s.n)] = req
		to := "any node"
		if req.Node != wire.NoNode {
			to = fmt.Sprint("node ", req.Node)
		}
		fmt.Fprintf(&out, "%d: %s -> %s", s.n, describe(req.Msg), to)
		if _, ok := req.Msg.(*kmsg.FindCoordinatorRequest); !ok {
			fmt.Fprintf(&out, ", versions to %d", req.MaxVersion)
		}
		out.WriteString("\n")
	}
	s.core.Notice()
	for _, r := range s.prod.Poll(s.now) {
		note(sent{r.Request, true})
	}
	for _, r := range s.core.Poll(s.now) {
		note(sent{r, false})
	}
	return out.String()
}

func (s *stage) answer(req sent, code int16) {
	msg := req.Msg
	msg.SetVersion(req.MaxVersion)
	resp := msg.ResponseKind()
	switch r := resp.(type) {
	case *kmsg.FindCoordinatorResponse:
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.Host, c.Port, c.ErrorCode = msg.(*kmsg.FindCoordinatorRequest).CoordinatorKey, 1, "host", 9092, code
		if c.Key == "t" {
			c.NodeID = 2
		}
		r.Coordinators = append(r.Coordinators, c)
	case *kmsg.InitProducerIDResponse:
		r.ProducerID, r.ProducerEpoch, r.ErrorCode = 7, s.epoch, code
		if code == 0 {
			s.epoch++
		}
	case *kmsg.AddPartitionsToTxnResponse:
		for _, t := range msg.(*kmsg.AddPartitionsToTxnRequest).Topics {
			rt := kmsg.NewAddPartitionsToTxnResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p, code
				rt.Partitions = append(rt.Partitions, rp)
			}
			r.Topics = append(r.Topics, rt)
		}
	case *kmsg.AddOffsetsToTxnResponse:
		r.ErrorCode = code
	case *kmsg.TxnOffsetCommitResponse:
		for _, t := range msg.(*kmsg.TxnOffsetCommitRequest).Topics {
			rt := kmsg.NewTxnOffsetCommitResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, code
				rt.Partitions = append(rt.Partitions, rp)
			}
			r.Topics = append(r.Topics, rt)
		}
	case *kmsg.EndTxnResponse:
		r.ProducerID, r.ProducerEpoch, r.ErrorCode = -1, -1, code
		if r.Version >= 5 && code == 0 {
			r.ProducerID, r.ProducerEpoch = 7, s.epoch
			s.epoch++
		}
	case *kmsg.ProduceResponse:
		for _, t := range msg.(*kmsg.ProduceRequest).Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, code
				rt.Partitions = append(rt.Partitions, rp)
			}
			r.Topics = append(r.Topics, rt)
		}
	}
	if req.records {
		s.prod.OnResponse(s.now, req.ID, resp)
	} else {
		s.core.OnResponse(s.now, req.ID, resp)
	}
}

// news tells what users learned.
func (s *stage) news(before State) string {
	var out strings.Builder
	for _, r := range s.prod.Results() {
		fmt.Fprintf(&out, "record %d: %v", r.Token, r.Outcome)
		if r.Err != nil {
			fmt.Fprintf(&out, " (%v)", r.Err)
		}
		out.WriteString("\n")
	}
	for _, e := range s.core.Events() {
		if e.Fenced {
			out.WriteString("fenced\n")
		} else {
			fmt.Fprintf(&out, "id %d epoch %d\n", e.Session.ID, e.Session.Epoch)
		}
	}
	var left []named
	for _, n := range s.ops {
		if !n.op.Done {
			left = append(left, n)
			continue
		}
		n.op.Taken = true
		fmt.Fprintf(&out, "%s: %v", n.name, n.op.End.Outcome)
		if n.op.End.Err != nil {
			fmt.Fprintf(&out, " (%v)", n.op.End.Err)
		}
		out.WriteString("\n")
	}
	s.ops = left
	if s.core.State() != before {
		fmt.Fprintf(&out, "now %v\n", s.core.State())
	}
	return out.String()
}

// TestTranscripts plays testdata:
//
//	new version=1|2              the finalised transaction.version
//	init | begin | commit | abort | close
//	send PARTITION               a record
//	offsets N                    of a-0, for group g
//	poll                         gives the requests made
//	answer N [CODE]              and lose N: its connection is lost
//	upgrade                      transaction.version 2 is finalised
//	pass DURATION
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s *stage
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			arg := func(i int) string {
				if i < len(d.CmdArgs) {
					return d.CmdArgs[i].Key
				}
				return ""
			}
			take := func() sent {
				req, ok := s.reqs[arg(0)]
				if !ok {
					d.Fatalf(t, "no request %s", arg(0))
				}
				delete(s.reqs, arg(0))
				return req
			}
			if d.Cmd == "new" {
				var version int64
				d.ScanArgs(t, "version", &version)
				s = newStage(t, version)
				return ""
			}
			before := s.core.State()
			out := ""
			op := func(o *Operation) { s.ops = append(s.ops, named{d.Cmd, o}) }
			switch d.Cmd {
			case "init":
				op(s.core.Init())
			case "begin":
				if err := s.core.Begin(); err != nil {
					out = err.Error() + "\n"
				}
			case "commit":
				op(s.core.Commit())
			case "abort":
				op(s.core.Abort())
			case "close":
				s.core.Close()
				s.prod.Close()
			case "send":
				p := transcript.Number(arg(0))
				s.prod.Send(s.now, 5, producer.Record{Topic: "a", Partition: int32(p), Value: []byte("v")})
			case "offsets":
				n := transcript.Number(arg(0))
				tp := wire.TopicPartition{Topic: "a"}
				op(s.core.SendOffsets(AnyMember("g"), map[wire.TopicPartition]Offset{tp: {Offset: wire.Offset(n)}}))
			case "poll":
				out = s.poll()
			case "answer":
				s.answer(take(), transcript.Code(arg(1)))
			case "lose":
				if req := take(); req.records {
					s.prod.OnFailure(s.now, req.ID, attempt.ErrLost)
				} else {
					s.core.OnFailure(s.now, req.ID, attempt.ErrLost)
				}
			case "upgrade":
				s.core.Protocol(true)
			case "pass":
				s.now += transcript.Duration(arg(0))
			default:
				d.Fatalf(t, "what is %s?", d.Cmd)
			}
			return out + s.news(before)
		})
	})
}

// Whatever code a coordinator answers with, the core knows what to do, and certainty is
// claimed only of refusals.
func TestEveryCodeHasAVerdict(t *testing.T) {
	for code := int16(-1); code < 150; code++ {
		v := judge(code)
		if (v == done) != (code == 0) {
			t.Errorf("%s is %v", attempt.CodeName(code), v)
		}
		if certainly(code) && (v == done || v == again || v == moved) {
			t.Errorf("%s is certain and tried again", attempt.CodeName(code))
		}
	}
	for _, err := range []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.RequestTimedOut, kerr.UnknownServerError} {
		if certainly(err.Code) {
			t.Errorf("%v is certain", err)
		}
	}
}

func TestIllegalTransitionsPanic(t *testing.T) {
	s := newStage(t, 1)
	defer func() {
		if recover() == nil {
			t.Error("ready without a producer id")
		}
	}()
	s.core.enter(Ready)
}

func TestMethodsSayWhyTheyAreRefused(t *testing.T) {
	s := newStage(t, 1)
	for name, op := range map[string]*Operation{
		"commit": s.core.Commit(), "abort": s.core.Abort(), "offsets": s.core.SendOffsets(AnyMember("g"), nil),
	} {
		if !op.Done || op.End.Outcome != attempt.Failed || !errors.Is(op.End.Err, ErrState) {
			t.Errorf("%s: %+v", name, op)
		}
	}
}
