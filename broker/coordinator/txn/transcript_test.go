package txn

import (
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator/coordinatortest"
	"odradek/broker/wire"
)

// TestTranscripts tells stories of one shard each, and of producers that talk to it. Every
// directive is one thing that happens; its output shows the records decided ("+"), the
// answers that left ("<"), what the shell is to do (">") and what is noted for the trace
// ("!"). What is not answered waits. Records commit at once unless the story holds commits.
// A producer remembers the id and epoch that it was told last, and goes by them unless the
// directive says otherwise. The transactional id is x, and the topics are t and u, of four
// partitions, unless said otherwise.
//
//	init p [timeout=60s] [producer=1000 epoch=0 | again] [version=4] [id=x]   again: by what it knows
//	add p t-0 u-1 [epoch=0] [producer=1000] [version=3] [id=x]       as a producer does
//	write p t-0 [epoch=0]                              as a leader does on the first record, in version 2
//	verify p t-0 [version=5]                           as a leader does on the first record, in version 1
//	commit p, abort p [version=5] [epoch=0] [producer=1000]
//	written t-0 u-1 [back=1]                           markers of the last transaction, or an earlier one
//	describe [id=x], list [states=(Empty)] [producers=(1000)] [longer=5s] [pattern=x.*]
//	reload                                             a new coordinator replays the log
//	no-ids, id, no-id                                  keep producer ids back; give one; refuse one
//	level 1                                            of transaction.version
//
// and those of [coordinatortest.Story.Do].
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := newStory(t)
		datadriven.RunTest(t, path, s.do)
	})
}

func (s *story) do(t *testing.T, d *datadriven.TestData) string {
	s.TB = t
	s.Out.Reset()
	a := coordinatortest.Args{TB: t, TestData: d}
	if !s.clientDoes(a) && !s.coordinatorDoes(a) && !s.Do(a) {
		t.Fatalf("unknown directive %s", d.Cmd)
	}
	s.supply()
	return s.Out.String()
}

// clientDoes is what clients and leaders of partitions ask for, false if it is something else.
func (s *story) clientDoes(a coordinatortest.Args) bool {
	who := a.Who()
	c := s.clients[who]
	if c == nil {
		c = &storyClient{noProducerID, noEpoch}
	}
	id := a.Text("id", "x")
	producerID, epoch := coordinatortest.Number(a, "producer", c.producerID), coordinatortest.Number(a, "epoch", c.epoch)
	version := func(otherwise int16) int16 { return coordinatortest.Number(a, "version", otherwise) }
	switch a.Cmd {
	case "init":
		req := kmsg.NewPtrInitProducerIDRequest()
		req.Version, req.TransactionalID, req.TransactionTimeoutMillis = version(4), &id, a.Millis("timeout", "60s")
		if a.HasArg("again") || a.HasArg("producer") || a.HasArg("epoch") {
			req.ProducerID, req.ProducerEpoch = producerID, epoch
		}
		s.ask(who, "init", req)
	case "add":
		s.ask(who, "add", addRequest(version(3), id, producerID, epoch, a.Partitions(), false))
	case "write", "verify":
		s.ask(who, a.Cmd, addRequest(version(5), id, producerID, epoch, a.Partitions(), a.Cmd == "verify"))
	case "commit", "abort":
		req := kmsg.NewPtrEndTxnRequest()
		req.Version, req.Commit = version(5), a.Cmd == "commit"
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = id, producerID, epoch
		s.ask(who, a.Cmd, req)
	case "describe":
		req := kmsg.NewPtrDescribeTransactionsRequest()
		req.TransactionalIDs = []string{id}
		s.ask("admin", "describe", req)
	case "list":
		req := kmsg.NewPtrListTransactionsRequest()
		req.Version, req.DurationFilterMillis = 2, -1
		if a.HasArg("longer") {
			req.DurationFilterMillis = a.Duration("longer", "").Milliseconds()
		}
		req.TransactionalIDPattern, req.StateFilters = a.Pointer("pattern"), a.List("states")
		for _, p := range a.List("producers") {
			req.ProducerIDFilters = append(req.ProducerIDFilters, a.ParseNumber(p))
		}
		s.ask("admin", "list", req)
	default:
		return false
	}
	return true
}

// coordinatorDoes is what the coordinator's node does, false if it is something else.
func (s *story) coordinatorDoes(a coordinatortest.Args) bool {
	switch a.Cmd {
	case "written":
		for _, tp := range a.Partitions() {
			s.written(coordinatortest.Number(a, "back", 0), tp)
		}
	case "reload":
		s.Take(s.Shard.Unload(kerr.NotCoordinator))
		s.Held = false
		s.load()
	case "no-ids":
		s.withheld = true
	case "id", "no-id":
		s.withheld = false
		s.wanted--
		code := int16(0)
		if a.Cmd == "no-id" {
			code = kerr.CoordinatorNotAvailable.Code
		}
		s.give(code)
	case "level":
		s.level(int16(a.ParseNumber(a.Who())))
	default:
		return false
	}
	return true
}

func addRequest(version int16, id string, producerID int64, epoch int16, tps []wire.TopicPartition, verify bool) *kmsg.AddPartitionsToTxnRequest {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.Version = version
	if version < 4 {
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = id, producerID, epoch
		for _, tp := range tps {
			req.Topics = append(req.Topics, kmsg.AddPartitionsToTxnRequestTopic{Topic: tp.Topic, Partitions: []int32{tp.Partition}})
		}
		return req
	}
	x := kmsg.AddPartitionsToTxnRequestTransaction{TransactionalID: id, ProducerID: producerID, ProducerEpoch: epoch, VerifyOnly: verify}
	for _, tp := range tps {
		x.Topics = append(x.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: tp.Topic, Partitions: []int32{tp.Partition}})
	}
	req.Transactions = append(req.Transactions, x)
	return req
}
