package txn

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/coordinator"
	"odradek/broker/failpoint"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// start is when every story begins, on the wall clock.
const start = 1_000_000_000_000

// story is a shard, its log, and clients that talk to it.
type story struct {
	t       testing.TB
	broker  *config.Broker
	configs config.Values
	fail    *failpoint.Registry
	image   *metadata.Image
	topics  int
	shard   *coordinator.Shard
	epoch   int32
	now     int64
	log     []coordinator.Entry
	held    bool

	token   coordinator.Token
	asked   map[coordinator.Token]question
	clients map[string]*storyClient
	// sent are the markers that the machine wants sent, the oldest first. nextID is the
	// producer id that is given out next; withheld stops that.
	sent     []SendMarkers
	nextID   int64
	withheld bool
	wanted   int
	out      strings.Builder
}

type question struct{ who, what string }

// storyClient remembers what it was told, as clients do.
type storyClient struct {
	producerID int64
	epoch      int16
}

func newStory(t testing.TB) *story {
	s := &story{
		t: t, broker: new(config.Broker), fail: new(failpoint.Registry), image: metadata.NewImage(),
		asked: make(map[coordinator.Token]question), clients: make(map[string]*storyClient), nextID: 1000,
	}
	s.configs = config.Values{"node.id": "1", "process.roles": "broker", "log.dirs": "/data",
		"controller.quorum.voters": "2@localhost:9093", "controller.listener.names": "CONTROLLER"}
	s.configure("log.dirs", "/data")
	s.level(2)
	s.createTopic("t")
	s.createTopic("u")
	s.load()
	return s
}

func (s *story) configure(name, value string) {
	s.configs[name] = value
	layers := config.Layers{Static: s.configs}
	b, err := layers.BrokerConfig()
	if err != nil {
		s.t.Fatal(err)
	}
	*s.broker = *b
}

func (s *story) level(v int16) {
	s.apply(&metadata.FeatureLevelRecord{Name: metadata.TransactionVersion, Level: v})
}

func (s *story) createTopic(name string) {
	s.topics++
	id := wire.UUID{15: byte(s.topics)}
	s.apply(&metadata.TopicRecord{Name: name, TopicID: id})
	for i := range int32(4) {
		s.apply(&metadata.PartitionRecord{TopicID: id, PartitionID: i, Replicas: []wire.NodeID{1}, ISR: []wire.NodeID{1}, Leader: 1})
	}
}

func (s *story) apply(r metadata.Record) {
	if err := s.image.Apply(r); err != nil {
		s.t.Fatal(err)
	}
}

func (s *story) moment() coordinator.Moment {
	return coordinator.Moment{Now: s.now, Wall: start + s.now/int64(time.Millisecond), Image: s.image, NextOffset: wire.Offset(len(s.log))}
}

// load starts a shard on the log.
func (s *story) load() {
	s.shard = coordinator.New(New(Config{Broker: s.broker, Fail: s.fail}), coordinator.Config{CommitTimeout: 5 * time.Second})
	for _, e := range s.log {
		s.shard.Load(e)
	}
	s.epoch++
	s.sent = nil
	s.take(s.shard.Start(s.moment(), s.epoch))
	s.take(s.shard.Committed(wire.Offset(len(s.log))))
}

func (s *story) machine() *Machine { return s.shard.Machine().(*Machine) }

// take does what the shell does with an output, and tells of it.
func (s *story) take(out coordinator.Output) {
	for _, b := range out.Batches {
		for _, r := range b.Records {
			e := coordinator.Entry{Record: r, Offset: wire.Offset(len(s.log)), Timestamp: s.moment().Wall}
			s.log = append(s.log, e)
			s.say("+ %s", showRecord(s.t, e))
		}
	}
	for _, r := range out.Replies {
		q := s.asked[r.Token]
		delete(s.asked, r.Token)
		s.say("< %s %s: %s", q.who, q.what, s.showResponse(q.who, r.Response))
	}
	for _, e := range out.Effects {
		switch e := e.(type) {
		case Event:
			s.say("! %s %s", e.Kind, e.TransactionalID)
		case SendMarkers:
			s.sent = append(s.sent, e)
			s.say("> %s, to be written to%s", showMarkers(&e), showPartitions(e.Partitions))
		case WantProducerID:
			s.wanted++
			s.say("> a producer id is wanted")
		}
	}
	if len(out.Batches) > 0 && !s.held {
		s.take(s.shard.Committed(wire.Offset(len(s.log))))
	}
	for s.wanted > 0 && !s.withheld {
		s.wanted--
		s.give(0)
	}
}

// give answers a demand for a producer id.
func (s *story) give(code int16) {
	input := FreshProducerID{ID: s.nextID, Code: code}
	if code == 0 {
		s.nextID++
	}
	s.take(s.shard.Handle(s.moment(), coordinator.Request{Msg: input}))
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

// ask has the shard decide a request.
func (s *story) ask(who, what string, req kmsg.Request) {
	s.token++
	s.asked[s.token] = question{who, what}
	s.take(s.shard.Handle(s.moment(), coordinator.Request{Token: s.token, ClientID: who, Msg: req}))
}

// written reports the marker of a partition, of the i-th transaction from the last.
func (s *story) written(back int, tp wire.TopicPartition) {
	if back >= len(s.sent) {
		s.t.Fatalf("no markers of %d transactions", back+1)
	}
	e := s.sent[len(s.sent)-1-back]
	s.take(s.shard.Handle(s.moment(), coordinator.Request{Msg: Written{Completion: e.Completion, Partition: tp}}))
}

// pass lets time go by.
func (s *story) pass(d time.Duration) {
	until := s.now + int64(d)
	for {
		s.now = max(s.now, min(until, s.shard.Deadline()))
		if s.shard.Deadline() > s.now {
			return
		}
		s.take(s.shard.Tick(s.moment()))
		if d := s.shard.Deadline(); d <= s.now {
			s.t.Fatalf("after Tick at %d the deadline is %d", s.now, d)
		}
	}
}

func showRecord(t testing.TB, e coordinator.Entry) string {
	id, ok := readKey(e.Key)
	if !ok {
		t.Fatalf("key %x", e.Key)
	}
	if e.Value == nil {
		return id + " forgotten"
	}
	x, ok := readValue(id, e.Value)
	if !ok {
		t.Fatalf("value %x", e.Value)
	}
	return x.String()
}

func showMarkers(e *SendMarkers) string {
	kind := "abort"
	if e.Commit {
		kind = "commit"
	}
	return fmt.Sprintf("%s of %d epoch %d by coordinator epoch %d", kind, e.ProducerID, e.Epoch, e.CoordinatorEpoch)
}

func showError(code int16) string {
	if code == 0 {
		return "ok"
	}
	return kerr.TypedErrorForCode(code).Message
}

func (s *story) showResponse(who string, resp kmsg.Response) string {
	fresh := kmsg.ResponseForKey(resp.Key())
	fresh.SetVersion(resp.GetVersion())
	if err := fresh.ReadFrom(resp.AppendTo(nil)); err != nil {
		s.t.Fatalf("%T does not survive its encoding: %v", resp, err)
	}
	switch resp := resp.(type) {
	case *kmsg.InitProducerIDResponse:
		if resp.ErrorCode != 0 {
			return showError(resp.ErrorCode)
		}
		s.clients[who] = &storyClient{resp.ProducerID, resp.ProducerEpoch}
		return fmt.Sprintf("producer %d epoch %d", resp.ProducerID, resp.ProducerEpoch)
	case *kmsg.EndTxnResponse:
		if resp.ErrorCode != 0 || resp.Version < 5 {
			return showError(resp.ErrorCode)
		}
		s.clients[who] = &storyClient{resp.ProducerID, resp.ProducerEpoch}
		return fmt.Sprintf("ok, producer %d epoch %d", resp.ProducerID, resp.ProducerEpoch)
	case *kmsg.AddPartitionsToTxnResponse:
		return showAdded(resp)
	case *kmsg.DescribeTransactionsResponse:
		d := resp.TransactionStates[0]
		if d.ErrorCode != 0 {
			return showError(d.ErrorCode)
		}
		text := fmt.Sprintf("%s, producer %d epoch %d, %dms", d.State, d.ProducerID, d.ProducerEpoch, d.TimeoutMillis)
		if d.StartTimestamp >= 0 {
			text += fmt.Sprintf(", since %ds", (d.StartTimestamp-start)/1000)
		}
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				text += fmt.Sprintf(" %s-%d", t.Topic, p)
			}
		}
		return text
	case *kmsg.ListTransactionsResponse:
		if resp.ErrorCode != 0 {
			return showError(resp.ErrorCode)
		}
		var b []string
		for _, l := range resp.TransactionStates {
			b = append(b, fmt.Sprintf("%s %s of %d", l.TransactionalID, l.TransactionState, l.ProducerID))
		}
		if len(resp.UnknownStateFilters) > 0 {
			b = append(b, fmt.Sprintf("unknown %v", resp.UnknownStateFilters))
		}
		return strings.Join(b, ", ")
	}
	s.t.Fatalf("cannot show %T", resp)
	return ""
}

// showAdded names the partitions by their error, or says it once if it is the same.
func showAdded(resp *kmsg.AddPartitionsToTxnResponse) string {
	var each, codes []string
	one := func(topic string, partition int32, code int16) {
		each = append(each, fmt.Sprintf("%s-%d %s", topic, partition, showError(code)))
		codes = append(codes, showError(code))
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			one(t.Topic, p.Partition, p.ErrorCode)
		}
	}
	for _, x := range resp.Transactions {
		for _, t := range x.Topics {
			for _, p := range t.Partitions {
				one(t.Topic, p.Partition, p.ErrorCode)
			}
		}
	}
	if slices.Sort(codes); len(slices.Compact(codes)) == 1 {
		return codes[0]
	}
	return strings.Join(each, ", ")
}
