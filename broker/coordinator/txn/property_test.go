package txn

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"odradek/broker/coordinator"
	"odradek/broker/coordinator/coordinatortest"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// identity is what a producer goes by.
type identity struct {
	producerID int64
	epoch      int16
}

// session is one life of a producer, from an InitProducerId that expects nothing.
type session struct {
	id      string // transactional
	number  int    // of those with this transactional id
	now     identity
	before  identity // the last but one
	version int16    // of its EndTxn
}

// tester drives a story at random and knows who was told what.
type tester struct {
	*story
	rt       *rapid.T
	sessions []*session
	last     map[string]int // the number of the last session of each transactional id that was told an identity
	owner    map[identity]*session
	// outcome of each end of a transaction, by the epoch of its markers, in version 2.
	outcome  map[identity]bool
	reply    kmsg.Response
	states   map[string]State
	loadedTo int // the log when it was last loaded
}

func (s *tester) Appended(e coordinatortest.Entry) { s.follow(e.Entry) }

func (s *tester) Answered(r coordinator.Reply) {
	if r.Token == s.Token { // else its client has given up
		s.reply = r.Response
	}
}

func (s *tester) Happened(effect any) {
	switch e := effect.(type) {
	case SendMarkers:
		s.sent = append(s.sent, e)
		who := identity{e.ProducerID, e.Epoch}
		if was, known := s.outcome[who]; known && was != e.Commit && e.Version >= 2 {
			s.Fatalf("%v is told to commit and to abort", who)
		}
		s.outcome[who] = e.Commit
	case WantProducerID:
		s.wanted++
	}
}

// legal are the transitions that the log may show, in either protocol.
var legal = map[State][]State{
	Empty:          {Empty, Ongoing, PrepareAbort},
	Ongoing:        {Ongoing, PrepareCommit, PrepareAbort},
	PrepareCommit:  {CompleteCommit},
	PrepareAbort:   {CompleteAbort},
	CompleteCommit: {Empty, Ongoing, PrepareAbort},
	CompleteAbort:  {Empty, Ongoing, PrepareAbort},
}

func (s *tester) follow(e coordinator.Entry) {
	id, _ := readKey(e.Key)
	from, known := s.states[id]
	if e.Value == nil {
		if !known || !from.idle() {
			s.Fatalf("%s is forgotten in state %v", id, from)
		}
		delete(s.states, id)
		delete(s.last, id) // nobody is fenced from what is forgotten
		return
	}
	x, ok := readValue(id, e.Value)
	if !ok {
		s.Fatalf("record %x cannot be read", e.Value)
	}
	if known && !slices.Contains(legal[from], x.state) || !known && x.state != Empty {
		s.Fatalf("%s went from %v (%v) to %v", id, from, known, x.state)
	}
	s.states[id] = x.state
}

func (s *tester) ask(req kmsg.Request) kmsg.Response {
	s.reply = nil
	s.Ask("", req)
	s.supply()
	return s.reply
}

// told notes that a session was given an identity, which nobody else may ever have had.
func (s *tester) told(who *session, is identity) {
	if owner := s.owner[is]; owner != nil && owner != who {
		s.Fatalf("%v was given to session %d of %s, and now to %d", is, owner.number, owner.id, who.number)
	}
	if s.last[who.id] > who.number {
		s.Fatalf("session %d of %s, which %d has fenced, is given %v", who.number, who.id, s.last[who.id], is)
	}
	s.owner[is] = who
	if who.now != is {
		who.before, who.now = who.now, is
	}
	s.last[who.id] = max(s.last[who.id], who.number)
}

// succeeded checks that a session that was fenced is refused.
func (s *tester) succeeded(who *session, what string, code int16) {
	if code == 0 && s.last[who.id] > who.number {
		s.Fatalf("%s of session %d of %s succeeded after session %d", what, who.number, who.id, s.last[who.id])
	}
}

func (s *tester) step() {
	t := s.rt
	ids := []string{"x", "y"}
	pick := func() *session {
		if len(s.sessions) == 0 {
			return nil
		}
		return rapid.SampledFrom(s.sessions[max(0, len(s.sessions)-4):]).Draw(t, "session")
	}
	tps := []wire.TopicPartition{{Topic: "t", Partition: 0}, {Topic: "t", Partition: 1}, {Topic: "u", Partition: 2}, {Topic: "u", Partition: 9}}
	switch rapid.SampledFrom([]string{"init", "again", "add", "add", "end", "end", "written", "written", "written", "pass", "reload", "hold", "metadata"}).Draw(t, "op") {
	case "init":
		who := &session{id: rapid.SampledFrom(ids).Draw(t, "id"), number: len(s.sessions) + 1, version: rapid.SampledFrom([]int16{4, 5}).Draw(t, "version")}
		req := kmsg.NewPtrInitProducerIDRequest()
		req.Version, req.TransactionalID, req.TransactionTimeoutMillis = 4, &who.id, rapid.SampledFrom([]int32{1, 60_000, 0}).Draw(t, "timeout")
		if r, ok := s.ask(req).(*kmsg.InitProducerIDResponse); ok && r.ErrorCode == 0 {
			s.sessions = append(s.sessions, who)
			s.told(who, identity{r.ProducerID, r.ProducerEpoch})
		}
	case "again":
		if who := pick(); who != nil {
			is := rapid.SampledFrom([]identity{who.now, who.before}).Draw(t, "expected")
			req := kmsg.NewPtrInitProducerIDRequest()
			req.Version, req.TransactionalID, req.TransactionTimeoutMillis = 4, &who.id, 60_000
			req.ProducerID, req.ProducerEpoch = is.producerID, is.epoch
			if is == (identity{}) {
				return // that is no retry of this session
			}
			if r, ok := s.ask(req).(*kmsg.InitProducerIDResponse); ok && r.ErrorCode == 0 {
				s.told(who, identity{r.ProducerID, r.ProducerEpoch})
			}
		}
	case "add":
		if who := pick(); who != nil {
			version := int16(3)
			if who.version >= 5 {
				version = 5
			}
			tp := rapid.SampledFrom(tps).Draw(t, "partition")
			req := addRequest(version, who.id, who.now.producerID, who.now.epoch, []wire.TopicPartition{tp}, rapid.Bool().Draw(t, "verify"))
			if r, ok := s.ask(req).(*kmsg.AddPartitionsToTxnResponse); ok {
				if version >= 4 {
					s.succeeded(who, "add", r.Transactions[0].Topics[0].Partitions[0].ErrorCode)
				} else {
					s.succeeded(who, "add", r.Topics[0].Partitions[0].ErrorCode)
				}
			}
		}
	case "end":
		if who := pick(); who != nil {
			is := rapid.SampledFrom([]identity{who.now, who.now, who.before}).Draw(t, "as")
			if is == (identity{}) {
				return
			}
			req := kmsg.NewPtrEndTxnRequest()
			req.Version, req.TransactionalID, req.Commit = who.version, who.id, rapid.Bool().Draw(t, "commit")
			req.ProducerID, req.ProducerEpoch = is.producerID, is.epoch
			if r, ok := s.ask(req).(*kmsg.EndTxnResponse); ok {
				s.succeeded(who, "end", r.ErrorCode)
				if r.ErrorCode == 0 && r.Version >= 5 {
					s.told(who, identity{r.ProducerID, r.ProducerEpoch})
				}
			}
		}
	case "written":
		if len(s.sent) > 0 {
			e := rapid.SampledFrom(s.sent[max(0, len(s.sent)-4):]).Draw(t, "markers")
			tp := rapid.SampledFrom(tps).Draw(t, "partition")
			s.Tell(Written{Completion: e.Completion, Partition: tp})
		}
	case "pass":
		s.Now += rapid.SampledFrom([]int64{0, 1e6, 11e9, 3700e9, 200 * 3600e9}).Draw(t, "time")
		s.Pass(0)
	case "hold":
		s.Held = !s.Held
		s.Commit()
	case "metadata":
		if rapid.IntRange(0, 9).Draw(t, "rarely") == 0 && s.Image.Topic("u") != nil {
			s.DropTopic("u")
		}
		s.MetadataChanged()
	case "reload":
		was := maps.Clone(s.machine().transactions)
		s.Take(s.Shard.Unload(kerr.NotCoordinator))
		s.Held = false
		s.loadedTo = len(s.Log)
		s.Load()
		if diff := cmp.Diff(was, s.replayed(), cmp.AllowUnexported(transaction{}), cmpopts.IgnoreFields(transaction{}, "lastEpoch")); diff != "" {
			t.Fatalf("the replay of the log is another state: %s", diff)
		}
	}
}

// replayed is the state that the log makes, before anybody decides more.
func (s *tester) replayed() map[string]*transaction {
	m := New(Config{Broker: s.Broker})
	for _, e := range s.Log[:s.loadedTo] {
		m.Replay(e.Entry)
	}
	return m.transactions
}

func newTester(rt *rapid.T) *tester {
	s := &tester{story: newStory(rt), rt: rt, last: make(map[string]int), owner: make(map[identity]*session),
		outcome: make(map[identity]bool), states: make(map[string]State)}
	s.Shell = s
	return s
}

func TestRandomHistoriesKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newTester(rt)
		s.level(rapid.SampledFrom([]int16{0, 1, 2}).Draw(rt, "level"))
		if rapid.Bool().Draw(rt, "near the end of the epochs") {
			if err := s.Fail.Arm(failpoint.TxnFirstEpoch, fmt.Sprintf(`return("%d")`, lastEpoch-2)); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			s.step()
		}
	})
}

// TestHostileRequestsAreAnswered: whatever a client or broker sends gets an answer.
func TestHostileRequestsAreAnswered(t *testing.T) {
	long := string(make([]byte, 40_000))
	rapid.Check(t, func(rt *rapid.T) {
		s := newTester(rt)
		for range 10 {
			id := rapid.SampledFrom([]string{"", "x", "y", long}).Draw(rt, "id")
			producerID := rapid.SampledFrom([]int64{-1, 0, 1000, -1 << 63, 1<<63 - 1}).Draw(rt, "producer")
			epoch := rapid.SampledFrom([]int16{-1, 0, 1, -32768, 32767}).Draw(rt, "epoch")
			topic := rapid.SampledFrom([]string{"t", "", long, "u"}).Draw(rt, "topic")
			tps := []wire.TopicPartition{{Topic: topic, Partition: rapid.SampledFrom([]int32{0, -1, 1<<31 - 1}).Draw(rt, "partition")}}
			var req kmsg.Request
			switch rapid.IntRange(0, 4).Draw(rt, "kind") {
			case 0:
				r := kmsg.NewPtrInitProducerIDRequest()
				r.Version, r.TransactionalID, r.ProducerID, r.ProducerEpoch = 5, &id, producerID, epoch
				r.TransactionTimeoutMillis = rapid.SampledFrom([]int32{1, -1, 1<<31 - 1, 900_000}).Draw(rt, "timeout")
				req = r
			case 1:
				req = addRequest(rapid.SampledFrom([]int16{0, 3, 4, 5}).Draw(rt, "version"), id, producerID, epoch, tps, rapid.Bool().Draw(rt, "verify"))
			case 2:
				r := kmsg.NewPtrEndTxnRequest()
				r.Version, r.TransactionalID, r.ProducerID, r.ProducerEpoch = rapid.SampledFrom([]int16{0, 5}).Draw(rt, "version"), id, producerID, epoch
				r.Commit = rapid.Bool().Draw(rt, "commit")
				req = r
			case 3:
				r := kmsg.NewPtrDescribeTransactionsRequest()
				r.TransactionalIDs = []string{id, id}
				req = r
			case 4:
				r := kmsg.NewPtrListTransactionsRequest()
				r.Version, r.TransactionalIDPattern, r.StateFilters = 2, &id, []string{topic}
				req = r
			}
			if s.ask(req) == nil {
				rt.Fatalf("%T is not answered", req)
			}
		}
	})
}
