package txn

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/failpoint"
	"odradek/broker/metadata"
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
//	pass 5s
//	hold, release                                      stop committing; commit everything held
//	reload                                             a new coordinator replays the log
//	no-ids, id, no-id                                  keep producer ids back; give one; refuse one
//	drop-topic t, level 1, config name=value, fail name [value]
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := newStory(t)
		datadriven.RunTest(t, path, s.do)
	})
}

func (s *story) do(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	s.out.Reset()
	who := ""
	if len(d.CmdArgs) > 0 && len(d.CmdArgs[0].Vals) == 0 {
		who = d.CmdArgs[0].Key
	}
	text := func(name, missing string) string {
		d.MaybeScanArgs(t, name, &missing)
		return missing
	}
	number := func(name string, missing int64) int64 {
		d.MaybeScanArgs(t, name, &missing)
		return missing
	}
	duration := func(name, missing string) int64 {
		v, err := time.ParseDuration(text(name, missing))
		if err != nil {
			t.Fatal(err)
		}
		return v.Milliseconds()
	}
	identity := func() (id string, producerID int64, epoch int16) {
		c := s.clients[who]
		if c == nil {
			c = &storyClient{noProducerID, noEpoch}
		}
		return text("id", "x"), number("producer", c.producerID), int16(number("epoch", int64(c.epoch)))
	}
	partitions := func() (tps []wire.TopicPartition) {
		for _, a := range d.CmdArgs {
			topic, index, ok := strings.Cut(a.Key, "-")
			if i, err := strconv.Atoi(index); ok && err == nil {
				tps = append(tps, wire.TopicPartition{Topic: topic, Partition: int32(i)})
			}
		}
		return tps
	}
	switch d.Cmd {
	case "init":
		req := kmsg.NewPtrInitProducerIDRequest()
		id, producerID, epoch := identity()
		req.Version, req.TransactionalID, req.TransactionTimeoutMillis = int16(number("version", 4)), &id, int32(duration("timeout", "60s"))
		if d.HasArg("again") || d.HasArg("producer") || d.HasArg("epoch") {
			req.ProducerID, req.ProducerEpoch = producerID, epoch
		}
		s.ask(who, "init", req)
	case "add":
		id, producerID, epoch := identity()
		s.ask(who, "add", addRequest(int16(number("version", 3)), id, producerID, epoch, partitions(), false))
	case "write", "verify":
		id, producerID, epoch := identity()
		s.ask(who, d.Cmd, addRequest(int16(number("version", 5)), id, producerID, epoch, partitions(), d.Cmd == "verify"))
	case "commit", "abort":
		req := kmsg.NewPtrEndTxnRequest()
		req.Version, req.Commit = int16(number("version", 5)), d.Cmd == "commit"
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = identity()
		s.ask(who, d.Cmd, req)
	case "written":
		for _, tp := range partitions() {
			s.written(int(number("back", 0)), tp)
		}
	case "describe":
		req := kmsg.NewPtrDescribeTransactionsRequest()
		req.TransactionalIDs = []string{text("id", "x")}
		s.ask("admin", "describe", req)
	case "list":
		req := kmsg.NewPtrListTransactionsRequest()
		req.Version, req.DurationFilterMillis = 2, -1
		if d.HasArg("longer") {
			req.DurationFilterMillis = duration("longer", "")
		}
		if d.HasArg("pattern") {
			req.TransactionalIDPattern = kmsg.StringPtr(text("pattern", ""))
		}
		for _, a := range d.CmdArgs {
			switch a.Key {
			case "states":
				req.StateFilters = a.Vals
			case "producers":
				for _, v := range a.Vals {
					p, err := strconv.ParseInt(v, 10, 64)
					if err != nil {
						t.Fatal(err)
					}
					req.ProducerIDFilters = append(req.ProducerIDFilters, p)
				}
			}
		}
		s.ask("admin", "list", req)
	case "pass":
		p, err := time.ParseDuration(who)
		if err != nil {
			t.Fatal(err)
		}
		s.pass(p)
	case "hold":
		s.held = true
	case "release":
		s.held = false
		s.take(s.shard.Committed(wire.Offset(len(s.log))))
	case "reload":
		s.take(s.shard.Unload(kerr.NotCoordinator))
		s.held = false
		s.load()
	case "no-ids":
		s.withheld = true
	case "id", "no-id":
		s.withheld = false
		s.wanted--
		code := int16(0)
		if d.Cmd == "no-id" {
			code = kerr.CoordinatorNotAvailable.Code
		}
		s.give(code)
	case "drop-topic":
		s.apply(&metadata.RemoveTopicRecord{TopicID: s.image.Topic(who).ID})
		s.take(s.shard.MetadataChanged(s.moment()))
	case "level":
		v, _ := strconv.Atoi(who)
		s.level(int16(v))
	case "config":
		for _, a := range d.CmdArgs {
			s.configure(a.Key, a.Vals[0])
		}
	case "fail":
		terms := "return"
		if len(d.CmdArgs) > 1 {
			terms = `return("` + d.CmdArgs[1].Key + `")`
		}
		if err := s.fail.Arm(failpoint.Name(who), terms); err != nil {
			t.Fatal(err)
		}
	default:
		t.Fatalf("unknown directive %s", d.Cmd)
	}
	return s.out.String()
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
