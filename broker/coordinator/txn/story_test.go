package txn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/coordinator/coordinatortest"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// story is a shard and clients that talk to it.
type story struct {
	*coordinatortest.Story
	asked   map[coordinator.Token]question
	clients map[string]*storyClient
	// sent are the markers that the machine wants sent, the oldest first. nextID is the
	// producer id that is given out next; withheld stops that.
	sent     []SendMarkers
	nextID   int64
	withheld bool
	wanted   int
}

type question struct{ who, what string }

// storyClient remembers what it was told, as clients do.
type storyClient struct {
	producerID int64
	epoch      int16
}

func newStory(t coordinatortest.TB) *story {
	s := &story{asked: make(map[coordinator.Token]question), clients: make(map[string]*storyClient), nextID: 1000}
	s.Story = coordinatortest.New(t, s, func(s *coordinatortest.Story) coordinator.Machine {
		return New(Config{Broker: s.Broker, Fail: s.Fail})
	})
	s.level(2)
	s.load()
	return s
}

func (s *story) level(v int16) {
	s.Apply(&metadata.FeatureLevelRecord{Name: metadata.TransactionVersion, Level: v})
}

// load starts a shard on the log.
func (s *story) load() {
	s.sent = nil
	s.Load()
}

func (s *story) machine() *Machine { return s.Shard.Machine().(*Machine) }

func (s *story) Appended(e coordinatortest.Entry) { s.Say("+ %s", showRecord(s, e.Entry)) }

func (s *story) Answered(r coordinator.Reply) {
	q := s.asked[r.Token]
	delete(s.asked, r.Token)
	s.Say("< %s %s: %s", q.who, q.what, s.showResponse(q.who, r.Response))
}

func (s *story) Marked(coordinator.Marked) {}

func (s *story) Happened(effect any) {
	switch e := effect.(type) {
	case Event:
		s.Say("! %s %s", e.Kind, e.TransactionalID)
	case SendMarkers:
		s.sent = append(s.sent, e)
		s.Say("> %s, to be written to%s", showMarkers(&e), showPartitions(e.Partitions))
	case WantProducerID:
		s.Say("> a producer id is wanted")
		s.wanted++
	}
}

// supply answers every demand for a producer id.
func (s *story) supply() {
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
	s.Tell(input)
}

// ask has the shard decide a request.
func (s *story) ask(who, what string, req kmsg.Request) {
	s.asked[s.Token+1] = question{who, what}
	s.Ask(who, req)
}

// written reports the marker of a partition, of the i-th transaction from the last.
func (s *story) written(back int, tp wire.TopicPartition) {
	if back >= len(s.sent) {
		s.Fatalf("no markers of %d transactions", back+1)
	}
	e := s.sent[len(s.sent)-1-back]
	s.Tell(Written{Completion: e.Completion, Partition: tp})
}

func showRecord(t coordinatortest.TB, e coordinator.Entry) string {
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

func (s *story) showResponse(who string, resp kmsg.Response) string {
	s.Encodable(resp)
	switch resp := resp.(type) {
	case *kmsg.InitProducerIDResponse:
		if resp.ErrorCode != 0 {
			return coordinatortest.ErrorName(resp.ErrorCode)
		}
		s.clients[who] = &storyClient{resp.ProducerID, resp.ProducerEpoch}
		return fmt.Sprintf("producer %d epoch %d", resp.ProducerID, resp.ProducerEpoch)
	case *kmsg.EndTxnResponse:
		if resp.ErrorCode != 0 || resp.Version < 5 {
			return coordinatortest.ErrorName(resp.ErrorCode)
		}
		s.clients[who] = &storyClient{resp.ProducerID, resp.ProducerEpoch}
		return fmt.Sprintf("ok, producer %d epoch %d", resp.ProducerID, resp.ProducerEpoch)
	case *kmsg.AddPartitionsToTxnResponse:
		return showAdded(resp)
	case *kmsg.DescribeTransactionsResponse:
		d := resp.TransactionStates[0]
		if d.ErrorCode != 0 {
			return coordinatortest.ErrorName(d.ErrorCode)
		}
		text := fmt.Sprintf("%s, producer %d epoch %d, %dms", d.State, d.ProducerID, d.ProducerEpoch, d.TimeoutMillis)
		if d.StartTimestamp >= 0 {
			text += fmt.Sprintf(", since %ds", (d.StartTimestamp-coordinatortest.Start)/1000)
		}
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				text += fmt.Sprintf(" %s-%d", t.Topic, p)
			}
		}
		return text
	case *kmsg.ListTransactionsResponse:
		if resp.ErrorCode != 0 {
			return coordinatortest.ErrorName(resp.ErrorCode)
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
	s.Fatalf("cannot show %T", resp)
	return ""
}

// showAdded names the partitions by their error, or says it once if it is the same.
func showAdded(resp *kmsg.AddPartitionsToTxnResponse) string {
	var each, codes []string
	one := func(topic string, partition int32, code int16) {
		each = append(each, fmt.Sprintf("%s-%d %s", topic, partition, coordinatortest.ErrorName(code)))
		codes = append(codes, coordinatortest.ErrorName(code))
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
