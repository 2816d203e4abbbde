package controller

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/failpoint"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// TestTranscripts tells stories of one cluster each. Every directive is one thing
// that happens; its output shows the records decided ("+"), the answers given
// ("<"), and answers that wait for a commit ("..."). Unless the story holds
// commits, records commit at once.
//
//	lead [without-elr], resign      the controller takes or loses office
//	hold, commit                    stop committing; commit everything held
//	restart                         a new controller replays what is committed
//	fail name=...                   arms a failpoint
//	register broker=1 [old] [rack=a] [incarnation=2] [previous=epoch] [dir=9] [cluster=x]
//	heartbeat broker=1 [at=offset] [fence] [shutdown]     at defaults to "all replayed"
//	live brokers=(1,2)              register and unfence, without output
//	pass time=5s [alive=(1,2)]      time passes while the named brokers heartbeat
//	unregister broker=1
//	create topic=t [partitions=1] [factor=2] [replicas=(1,2)] [config=(a,b)] [validate]
//	delete, grow, set, elect, producer-ids
//	reassign topic=t-0 [to=(1,2)] [same-factor]     without "to", cancels
//	isr topic=t-0 from=1 isr=(1,2) [epochs=(3,4)] [leader-epoch=] [partition-epoch=] [recovering]
//	feature name=f level=1 [downgrade] [validate] [version=2]
//	show                            brokers and partitions as decided
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := newStory(t)
		datadriven.RunTest(t, path, s.do)
	})
}

const testCluster = "test-cluster"

// story is a controller, a metadata log that commits at will, and a clock.
type story struct {
	t         *testing.T
	cfg       Config
	fail      *failpoint.Registry
	c         *Controller
	now       int64
	log       []metadata.Record
	committed *metadata.Image
	applied   int
	held      bool
	token     Token
	names     map[Token]string
}

func newStory(t *testing.T) *story {
	s := &story{t: t, fail: new(failpoint.Registry), committed: metadata.NewImage(), names: make(map[Token]string)}
	s.cfg = Config{
		ClusterID: testCluster, NumPartitions: 1, ReplicationFactor: 1, DeleteTopics: true,
		SessionTimeout: 9 * time.Second, RebalanceInterval: 300 * time.Second, UncleanInterval: 300 * time.Second,
		Features: DefaultFeatures()[:2], Supported: SupportedFeatures(),
		Rand: rand.New(rand.NewPCG(1, 2)), Fail: s.fail,
	}
	s.c = New(s.cfg)
	return s
}

func (s *story) moment() Moment { return Moment{Now: s.now, NextOffset: wire.Offset(len(s.log))} }

// take appends an output's records, commits unless held, and tells what happened.
func (s *story) take(out Output) string {
	var b strings.Builder
	for _, r := range out.Records {
		// The log holds bytes: every record must survive its encoding.
		decoded, err := metadata.Decode(metadata.Append(nil, r))
		if err != nil {
			s.t.Fatalf("record %#v: %v", r, err)
		}
		fmt.Fprintf(&b, "+ %d %s\n", len(s.log), s.record(decoded))
		s.log = append(s.log, decoded)
	}
	s.replies(&b, out.Replies)
	if !s.held {
		b.WriteString(s.commit())
	} else if len(s.c.parked) > 0 {
		fmt.Fprintf(&b, "... %d answer(s) parked\n", len(s.c.parked))
	}
	s.check()
	return b.String()
}

func (s *story) commit() string {
	var b strings.Builder
	for ; s.applied < len(s.log); s.applied++ {
		if err := s.committed.Apply(s.log[s.applied]); err != nil {
			s.t.Fatalf("record %d: %v", s.applied, err)
		}
	}
	s.replies(&b, s.c.Committed(wire.Offset(len(s.log))))
	return b.String()
}

func (s *story) check() {
	if s.c.Active() {
		if err := checkDecided(s.c); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *story) request(req kmsg.Request) string {
	s.token++
	return s.take(s.c.Handle(s.moment(), s.token, req))
}

func (s *story) do(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	switch d.Cmd {
	case "lead":
		if d.HasArg("without-elr") {
			s.cfg.Features = s.cfg.Features[:1]
			s.c = New(s.cfg)
		}
		return s.take(s.c.Lead(s.moment(), s.committed))
	case "resign":
		s.log = s.log[:s.applied] // what did not commit is lost
		var b strings.Builder
		s.replies(&b, s.c.Resign())
		return b.String()
	case "hold":
		s.held = true
		return ""
	case "commit":
		s.held = false
		return s.commit()
	case "restart":
		s.log = s.log[:s.applied]
		s.c = New(s.cfg)
		return s.take(s.c.Lead(s.moment(), s.committed))
	case "fail":
		var name string
		d.ScanArgs(t, "name", &name)
		if err := s.fail.Arm(failpoint.Name(name), "return(true)"); err != nil {
			t.Fatal(err)
		}
		return ""
	case "register":
		return s.request(s.registration(d))
	case "heartbeat":
		return s.request(s.heartbeat(d))
	case "live":
		for _, id := range ids(d, "brokers") {
			s.makeLive(id)
		}
		return ""
	case "pass":
		return s.pass(d)
	case "unregister":
		req := kmsg.NewPtrUnregisterBrokerRequest()
		req.BrokerID = int32(number(d, "broker", -1))
		return s.request(req)
	case "create", "delete", "grow", "set", "elect":
		return s.request(topicRequest(d))
	case "producer-ids":
		req := kmsg.NewPtrAllocateProducerIDsRequest()
		req.BrokerID = int32(number(d, "broker", -1))
		req.BrokerEpoch = number(d, "epoch", s.epoch(req.BrokerID))
		return s.request(req)
	case "isr":
		return s.request(s.isrRequest(d))
	case "reassign":
		return s.request(reassignment(d))
	case "reassignments":
		return s.request(kmsg.NewPtrListPartitionReassignmentsRequest())
	case "feature":
		return s.request(featureUpdate(d))
	case "show":
		return s.show(s.c.Image())
	}
	t.Fatalf("no directive %q", d.Cmd)
	return ""
}

func (s *story) epoch(broker int32) int64 {
	if b := s.c.Image().Broker(wire.NodeID(broker)); b != nil {
		return int64(b.Epoch)
	}
	return -1
}

// pass lets time go by in steps of a second; the brokers that are alive report in
// each, and what they are told is left out.
func (s *story) pass(d *datadriven.TestData) string {
	v, _ := argument(d, "time")
	total, err := time.ParseDuration(v)
	if err != nil {
		d.Fatalf(s.t, "time: %v", err)
	}
	var b strings.Builder
	for end := s.now + int64(total); s.now < end; {
		s.now = min(end, s.now+int64(time.Second))
		for _, id := range ids(d, "alive") {
			s.alive(id)
		}
		if at, ok := s.c.Deadline(); ok && at <= s.now {
			b.WriteString(s.take(s.c.Tick(s.moment())))
		}
	}
	return b.String()
}
