package coordinatortest

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/coordinator"
	"odradek/broker/failpoint"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// Start is when every story begins, ms on the wall clock.
const Start = 1_000_000_000_000

// TB is a test, or a round of a property.
type TB interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Shell is told what comes of the shard's outputs, once each, in their order.
type Shell interface {
	// Appended follows a record, or a marker, that went to the log.
	Appended(e Entry)
	Answered(r coordinator.Reply)
	Marked(m coordinator.Marked)
	Happened(effect any)
}

// Entry is one record or marker of the log.
type Entry struct {
	coordinator.Entry
	Marker *coordinator.Marker
	Inner  bool // it is not the first of its batch
}

// Story is a shard and its world.
type Story struct {
	TB
	Shell  Shell
	Broker *config.Broker // the one that the machine reads
	Fail   *failpoint.Registry
	Image  *metadata.Image
	Shard  *coordinator.Shard
	Log    []Entry
	Now    int64
	Held   bool              // nothing commits
	Token  coordinator.Token // the last that was used
	// Committed is how much of the log has.
	Committed wire.Offset
	// Out is what the story tells.
	Out strings.Builder

	machine func(*Story) coordinator.Machine
	configs config.Values
	topics  int
	epoch   int32
}

// New is a world of the topics t and u, with four partitions each. The shard comes with
// Load, as often as that is called.
func New(t TB, shell Shell, machine func(*Story) coordinator.Machine) *Story {
	s := &Story{
		TB: t, Shell: shell, machine: machine, Broker: new(config.Broker), Fail: new(failpoint.Registry), Image: metadata.NewImage(),
		configs: config.Values{"node.id": "1", "process.roles": "broker", "log.dirs": "/data",
			"controller.quorum.voters": "2@localhost:9093", "controller.listener.names": "CONTROLLER"},
	}
	s.Configure("log.dirs", "/data")
	s.CreateTopic("t")
	s.CreateTopic("u")
	return s
}

// Moment is now.
func (s *Story) Moment() coordinator.Moment {
	return coordinator.Moment{Now: s.Now, Wall: Start + s.Now/int64(time.Millisecond), Image: s.Image, NextOffset: wire.Offset(len(s.Log))}
}

// Load starts a new shard on the log, all of which has committed.
func (s *Story) Load() {
	s.Shard = coordinator.New(s.machine(s), coordinator.Config{CommitTimeout: 5 * time.Second})
	for _, e := range s.Log {
		if e.Marker != nil {
			s.Shard.LoadMarker(*e.Marker, e.Offset)
		} else {
			s.Shard.Load(e.Entry)
		}
	}
	s.epoch++
	s.Committed = 0
	s.Take(s.Shard.Start(s.Moment(), s.epoch))
	s.Commit()
}

// Take does what the node does with an output. Unless commits are held, what was appended
// commits at once.
func (s *Story) Take(out coordinator.Output) {
	for _, b := range out.Batches {
		if b.Marker != nil {
			s.append(Entry{Marker: b.Marker})
		}
		for i, r := range b.Records {
			s.append(Entry{Entry: coordinator.Entry{Record: r, Timestamp: s.Moment().Wall, Transaction: b.Transaction}, Inner: i > 0})
		}
	}
	for _, r := range out.Replies {
		s.Shell.Answered(r)
	}
	for _, m := range out.Marked {
		s.Shell.Marked(m)
	}
	for _, e := range out.Effects {
		s.Shell.Happened(e)
	}
	if len(out.Batches) > 0 && !s.Held {
		s.Commit()
	}
}

func (s *Story) append(e Entry) {
	e.Offset = wire.Offset(len(s.Log))
	s.Log = append(s.Log, e)
	s.Shell.Appended(e)
}

// Commit has the whole log commit.
func (s *Story) Commit() {
	s.Committed = wire.Offset(len(s.Log))
	s.Take(s.Shard.Committed(s.Committed))
}

// Ask has the shard decide a request.
func (s *Story) Ask(client string, req kmsg.Request) coordinator.Token {
	s.Token++
	token := s.Token
	s.Take(s.Shard.Handle(s.Moment(), coordinator.Request{Token: token, ClientID: client, ClientHost: "/10.0.0.1", Msg: req}))
	return token
}

// Mark ends a transaction in the log.
func (s *Story) Mark(m coordinator.Marker) {
	s.Token++
	s.Take(s.Shard.Mark(s.Moment(), s.Token, m))
}

// Tell hands the shard an input without an answer.
func (s *Story) Tell(input any) { s.Take(s.Shard.Handle(s.Moment(), coordinator.Request{Msg: input})) }

// Pass lets time go by.
func (s *Story) Pass(d time.Duration) {
	for until := s.Now + int64(d); ; {
		s.Now = max(s.Now, min(until, s.Shard.Deadline()))
		if s.Shard.Deadline() > s.Now {
			return
		}
		s.Take(s.Shard.Tick(s.Moment()))
		if at := s.Shard.Deadline(); at <= s.Now {
			s.Fatalf("after Tick at %d the deadline is %d", s.Now, at)
		}
	}
}

// Say adds a line to what the story tells.
func (s *Story) Say(format string, args ...any) { fmt.Fprintf(&s.Out, format+"\n", args...) }

// Encodable fails unless the answer can be read by who asked.
func (s *Story) Encodable(resp kmsg.Response) {
	s.Helper()
	again := kmsg.ResponseForKey(resp.Key())
	again.SetVersion(resp.GetVersion())
	if err := again.ReadFrom(resp.AppendTo(nil)); err != nil {
		s.Fatalf("%T does not survive its encoding: %v", resp, err)
	}
}

// ErrorName is the protocol's name of an error code.
func ErrorName(code int16) string {
	if code == 0 {
		return "ok"
	}
	return kerr.TypedErrorForCode(code).Message
}
