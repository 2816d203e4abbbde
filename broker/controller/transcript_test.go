package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
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

// TestTranscripts tells stories of one cluster each. Every directive is one thing
// that happens; its output shows the records decided ("+"), the answers given
// ("<"), and answers that wait for a commit ("..."). Unless the story holds
// commits, records commit at once.
//
//	lead [without-elr], resign      the controller takes or loses office
//	hold, commit                    stop committing; commit everything held
//	restart                         a new controller replays what is committed
//	fail name=...                   arms a failpoint
//	register broker=1 [rack=a] [incarnation=2] [previous=epoch] [cluster=x]
//	heartbeat broker=1 [at=offset] [fence] [shutdown]     at defaults to "all replayed"
//	live brokers=(1,2)              register and unfence, without output
//	pass time=5s [alive=(1,2)]      time passes while the named brokers heartbeat
//	unregister broker=1
//	create topic=t [partitions=1] [factor=2] [replicas=(1,2)] [config=(a,b)] [validate]
//	delete, grow, set, elect, producer-ids
//	reassign topic=t-0 [to=(1,2)] [same-factor]     without "to", cancels
//	isr topic=t-0 from=1 isr=(1,2) [epochs=(3,4)] [leader-epoch=] [partition-epoch=] [recovering]
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
		Features: DefaultFeatures(),
		Rand:     rand.New(rand.NewPCG(1, 2)), Fail: s.fail,
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

func (s *story) registration(d *datadriven.TestData) *kmsg.BrokerRegistrationRequest {
	id := int32(number(d, "broker", -1))
	req := registrationOf(id, byte(number(d, "incarnation", 1)))
	req.PreviousBrokerEpoch = number(d, "previous", -1)
	if v, ok := argument(d, "cluster"); ok {
		req.ClusterID = v
	}
	if v, ok := argument(d, "rack"); ok {
		req.Rack = &v
	}
	return req
}

// registrationOf builds the registration of an incarnation of a broker.
func registrationOf(id int32, incarnation byte) *kmsg.BrokerRegistrationRequest {
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.Version = 4
	req.BrokerID, req.ClusterID = id, testCluster
	req.IncarnationID = [16]byte{0: byte(id), 1: incarnation}
	req.LogDirs = [][16]byte{{0: 1, 1: byte(id)}}
	l := kmsg.NewBrokerRegistrationRequestListener()
	l.Name, l.Host, l.Port = "PLAINTEXT", fmt.Sprintf("b%d", id), 9092
	req.Listeners = append(req.Listeners, l)
	for _, f := range DefaultFeatures() {
		rf := kmsg.NewBrokerRegistrationRequestFeature()
		rf.Name, rf.MinSupportedVersion, rf.MaxSupportedVersion = f.Name, 1, f.Level
		req.Features = append(req.Features, rf)
	}
	req.PreviousBrokerEpoch = -1
	return req
}

func (s *story) heartbeat(d *datadriven.TestData) *kmsg.BrokerHeartbeatRequest {
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.BrokerID = int32(number(d, "broker", -1))
	req.BrokerEpoch = number(d, "epoch", s.epoch(req.BrokerID))
	req.CurrentMetadataOffset = number(d, "at", int64(s.applied)-1)
	req.WantFence = d.HasArg("fence")
	req.WantShutdown = d.HasArg("shutdown")
	return req
}

func (s *story) makeLive(id int32) {
	s.request(registrationOf(id, 1))
	s.alive(id)
}

func (s *story) alive(id int32) string {
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.BrokerID, req.BrokerEpoch, req.CurrentMetadataOffset = id, s.epoch(id), int64(s.applied)-1
	return s.request(req)
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

func (s *story) isrRequest(d *datadriven.TestData) *kmsg.AlterPartitionRequest {
	name, index := partitionName(d)
	req := kmsg.NewPtrAlterPartitionRequest()
	req.Version = 3
	req.BrokerID = int32(number(d, "from", -1))
	req.BrokerEpoch = number(d, "epoch", s.epoch(req.BrokerID))
	topic := kmsg.NewAlterPartitionRequestTopic()
	part := kmsg.NewAlterPartitionRequestTopicPartition()
	part.Partition = index
	if t := s.c.Image().Topic(name); t != nil {
		topic.TopicID = t.ID
	}
	if p := s.c.Image().Partition(name, index); p != nil {
		part.LeaderEpoch, part.PartitionEpoch = int32(p.LeaderEpoch), int32(p.Epoch)
	}
	part.LeaderEpoch = int32(number(d, "leader-epoch", int64(part.LeaderEpoch)))
	part.PartitionEpoch = int32(number(d, "partition-epoch", int64(part.PartitionEpoch)))
	if d.HasArg("recovering") {
		part.LeaderRecoveryState = 1
	}
	epochs := ids(d, "epochs")
	for n, id := range ids(d, "isr") {
		m := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
		m.BrokerID, m.BrokerEpoch = id, s.epoch(id)
		if n < len(epochs) {
			m.BrokerEpoch = int64(epochs[n])
		}
		part.NewEpochISR = append(part.NewEpochISR, m)
	}
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	return req
}

// partitionName splits the argument topic=name-index.
func partitionName(d *datadriven.TestData) (string, int32) {
	name, _ := argument(d, "topic")
	i := strings.LastIndexByte(name, '-')
	index, err := strconv.Atoi(name[i+1:])
	if err != nil {
		panic(err)
	}
	return name[:i], int32(index)
}

func reassignment(d *datadriven.TestData) kmsg.Request {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.Version, req.AllowReplicationFactorChange = 1, !d.HasArg("same-factor")
	topic := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	part := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	topic.Topic, part.Partition = partitionName(d)
	part.Replicas = ids(d, "to")
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	return req
}

func topicRequest(d *datadriven.TestData) kmsg.Request {
	name, _ := argument(d, "topic")
	switch d.Cmd {
	case "create":
		req := kmsg.NewPtrCreateTopicsRequest()
		req.Version, req.ValidateOnly = 7, d.HasArg("validate")
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic = name
		topic.NumPartitions = int32(number(d, "partitions", -1))
		topic.ReplicationFactor = int16(number(d, "factor", -1))
		if replicas := ids(d, "replicas"); replicas != nil {
			a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			a.Replicas = replicas
			topic.ReplicaAssignment = append(topic.ReplicaAssignment, a)
		}
		for _, line := range strings.Fields(d.Input) {
			k, v, _ := strings.Cut(line, "=")
			cfg := kmsg.NewCreateTopicsRequestTopicConfig()
			cfg.Name, cfg.Value = k, &v
			topic.Configs = append(topic.Configs, cfg)
		}
		req.Topics = append(req.Topics, topic)
		return req
	case "delete":
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.Version = 6
		topic := kmsg.NewDeleteTopicsRequestTopic()
		topic.Topic = &name
		req.Topics = append(req.Topics, topic)
		return req
	case "grow":
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.Version = 3
		topic := kmsg.NewCreatePartitionsRequestTopic()
		topic.Topic, topic.Count = name, int32(number(d, "to", 0))
		req.Topics = append(req.Topics, topic)
		return req
	case "set":
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		res := kmsg.NewIncrementalAlterConfigsRequestResource()
		res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, name
		if broker, ok := argument(d, "broker"); ok {
			res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeBroker, strings.Trim(broker, "*")
		}
		for _, line := range strings.Fields(d.Input) {
			cfg := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			k, v, _ := strings.Cut(line, "=")
			cfg.Value = &v
			switch {
			case strings.HasSuffix(k, "+"):
				cfg.Op = kmsg.IncrementalAlterConfigOpAppend
			case strings.HasPrefix(k, "-"):
				cfg.Op, cfg.Value = kmsg.IncrementalAlterConfigOpDelete, nil
			}
			cfg.Name = strings.Trim(k, "+-")
			res.Configs = append(res.Configs, cfg)
		}
		req.Resources = append(req.Resources, res)
		return req
	}
	req := kmsg.NewPtrElectLeadersRequest()
	req.Version = 2
	if d.HasArg("unclean") {
		req.ElectionType = 1
	}
	if name != "" {
		topic := kmsg.NewElectLeadersRequestTopic()
		topic.Topic, topic.Partitions = name, ids(d, "partitions")
		req.Topics = append(req.Topics, topic)
	}
	return req
}

func argument(d *datadriven.TestData, key string) (string, bool) {
	for _, a := range d.CmdArgs {
		if a.Key == key && len(a.Vals) > 0 {
			return a.Vals[0], true
		}
	}
	return "", false
}

func number(d *datadriven.TestData, key string, otherwise int64) int64 {
	v, ok := argument(d, key)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func ids(d *datadriven.TestData, key string) []int32 {
	for _, a := range d.CmdArgs {
		if a.Key == key {
			list := []int32{}
			for _, v := range a.Vals {
				if v == "" { // "()"
					continue
				}
				n, err := strconv.Atoi(v)
				if err != nil {
					panic(err)
				}
				list = append(list, int32(n))
			}
			return list
		}
	}
	return nil
}

// errorName is the protocol's name of an error code.
func errorName(code int16) string {
	if code == 0 {
		return "ok"
	}
	return strings.SplitN(kerr.ErrorForCode(code).Error(), ":", 2)[0]
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return ": " + *s
}

// replies writes one line per answer.
func (s *story) replies(b *strings.Builder, replies []Reply) {
	for _, r := range replies {
		for _, line := range answer(r.Response) {
			fmt.Fprintf(b, "< %s\n", line)
		}
	}
}

func answer(resp kmsg.Response) []string {
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	switch r := resp.(type) {
	case *kmsg.BrokerRegistrationResponse:
		say("%s, broker epoch %d", errorName(r.ErrorCode), r.BrokerEpoch)
	case *kmsg.BrokerHeartbeatResponse:
		say("%s, caught up %t, fenced %t, stop %t", errorName(r.ErrorCode), r.IsCaughtUp, r.IsFenced, r.ShouldShutdown)
	case *kmsg.UnregisterBrokerResponse:
		say("%s", errorName(r.ErrorCode))
	case *kmsg.CreateTopicsResponse:
		for _, t := range r.Topics {
			say("%s: %s%s", t.Topic, errorName(t.ErrorCode), text(t.ErrorMessage))
			for _, e := range t.Configs {
				if e.Source != 5 {
					say("%s: %s=%s from source %d", t.Topic, e.Name, *e.Value, e.Source)
				}
			}
		}
	case *kmsg.DeleteTopicsResponse:
		for _, t := range r.Topics {
			say("%s%s", errorName(t.ErrorCode), text(t.ErrorMessage))
		}
	case *kmsg.CreatePartitionsResponse:
		for _, t := range r.Topics {
			say("%s: %s%s", t.Topic, errorName(t.ErrorCode), text(t.ErrorMessage))
		}
	case *kmsg.IncrementalAlterConfigsResponse:
		for _, t := range r.Resources {
			say("%s%s", errorName(t.ErrorCode), text(t.ErrorMessage))
		}
	case *kmsg.AlterPartitionResponse:
		if r.ErrorCode != 0 {
			say("%s", errorName(r.ErrorCode))
		}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					say("partition %d: %s", p.Partition, errorName(p.ErrorCode))
					continue
				}
				say("partition %d: ok, leader %d isr %v epochs %d/%d", p.Partition, p.LeaderID, p.ISR, p.LeaderEpoch, p.PartitionEpoch)
			}
		}
	case *kmsg.ElectLeadersResponse:
		if r.ErrorCode != 0 {
			say("%s", errorName(r.ErrorCode))
		}
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				say("%s-%d: %s", t.Topic, p.Partition, errorName(p.ErrorCode))
			}
		}
	case *kmsg.AllocateProducerIDsResponse:
		say("%s, %d ids from %d", errorName(r.ErrorCode), r.ProducerIDLen, r.ProducerIDStart)
	case *kmsg.ListPartitionReassignmentsResponse:
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				say("%s-%d: replicas %v, adding %v, removing %v", t.Topic, p.Partition, p.Replicas, p.AddingReplicas, p.RemovingReplicas)
			}
		}
	case *kmsg.AlterPartitionAssignmentsResponse:
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				say("%s-%d: %s%s", t.Topic, p.Partition, errorName(p.ErrorCode), text(p.ErrorMessage))
			}
		}
	default:
		say("%T", resp)
	}
	return lines
}

// record writes a record in words. Topic ids are told as names.
func (s *story) record(r metadata.Record) string {
	topic := func(id wire.UUID) string {
		for _, old := range s.log {
			if t, ok := old.(*metadata.TopicRecord); ok && t.TopicID == id {
				return t.Name
			}
		}
		return "new topic"
	}
	switch r := r.(type) {
	case *metadata.FeatureLevelRecord:
		return fmt.Sprintf("feature %s at level %d", r.Name, r.Level)
	case *metadata.RegisterBrokerRecord:
		return fmt.Sprintf("broker %d registered, epoch %d, fenced %t", r.BrokerID, r.BrokerEpoch, r.Fenced)
	case *metadata.UnregisterBrokerRecord:
		return fmt.Sprintf("broker %d unregistered", r.BrokerID)
	case *metadata.BrokerRegistrationChangeRecord:
		switch {
		case r.InControlledShutdown == metadata.SetTrue:
			return fmt.Sprintf("broker %d in controlled shutdown", r.BrokerID)
		case r.Fenced == metadata.SetTrue:
			return fmt.Sprintf("broker %d fenced", r.BrokerID)
		}
		return fmt.Sprintf("broker %d unfenced", r.BrokerID)
	case *metadata.TopicRecord:
		return fmt.Sprintf("topic %s", r.Name)
	case *metadata.RemoveTopicRecord:
		return fmt.Sprintf("topic %s removed", topic(r.TopicID))
	case *metadata.PartitionRecord:
		return fmt.Sprintf("%s-%d: replicas %v, isr %v, leader %d", topic(r.TopicID), r.PartitionID, r.Replicas, r.ISR, r.Leader)
	case *metadata.PartitionChangeRecord:
		var parts []string
		add := func(name string, ids []wire.NodeID) {
			if ids != nil {
				parts = append(parts, fmt.Sprintf("%s %v", name, ids))
			}
		}
		if r.Leader != metadata.NoLeaderChange {
			parts = append(parts, fmt.Sprintf("leader %d", r.Leader))
		}
		add("isr", r.ISR)
		add("elr", r.ELR)
		add("last known", r.LastKnownELR)
		add("replicas", r.Replicas)
		add("adding", r.AddingReplicas)
		add("removing", r.RemovingReplicas)
		if r.LeaderRecoveryState != metadata.NoRecoveryChange {
			parts = append(parts, r.LeaderRecoveryState.String())
		}
		if r.Empty() {
			parts = append(parts, "new partition epoch")
		}
		return fmt.Sprintf("%s-%d: %s", topic(r.TopicID), r.PartitionID, strings.Join(parts, ", "))
	case *metadata.ConfigRecord:
		if r.Value == nil {
			return fmt.Sprintf("config %s %q: %s deleted", r.Resource.Type, r.Resource.Name, r.Name)
		}
		return fmt.Sprintf("config %s %q: %s=%s", r.Resource.Type, r.Resource.Name, r.Name, *r.Value)
	case *metadata.ProducerIDsRecord:
		return fmt.Sprintf("next producer id %d", r.NextProducerID)
	case *metadata.NoOpRecord:
		return "nothing"
	}
	return fmt.Sprintf("%T", r)
}

func (s *story) show(m *metadata.Image) string {
	var b strings.Builder
	for _, br := range m.Brokers() {
		state := "live"
		switch {
		case br.Fenced:
			state = "fenced"
		case br.InControlledShutdown:
			state = "stopping"
		}
		fmt.Fprintf(&b, "broker %d: epoch %d, %s\n", br.ID, br.Epoch, state)
	}
	for _, t := range m.Topics() {
		for _, p := range t.Partitions {
			fmt.Fprintf(&b, "%s-%d: leader %d, isr %v", t.Name, p.Index, p.Leader, p.ISR)
			for _, l := range []struct {
				name string
				ids  []wire.NodeID
			}{{"replicas", p.Replicas}, {"elr", p.ELR}, {"last known", p.LastKnownELR}, {"adding", p.Adding}, {"removing", p.Removing}} {
				if len(l.ids) > 0 {
					fmt.Fprintf(&b, ", %s %v", l.name, l.ids)
				}
			}
			if p.RecoveryState != metadata.Recovered {
				fmt.Fprintf(&b, ", %s", p.RecoveryState)
			}
			fmt.Fprintf(&b, ", epochs %d/%d\n", p.LeaderEpoch, p.Epoch)
		}
	}
	return b.String()
}

// checkDecided holds what must be true of everything that a controller decides.
func checkDecided(c *Controller) error {
	m := c.Image()
	elrOn := m.FeatureLevel(metadata.ELRVersion) > 0
	for _, t := range m.Topics() {
		for _, p := range t.Partitions {
			bad := func(format string, args ...any) error {
				return fmt.Errorf("%s-%d %+v: %s", t.Name, p.Index, *p, fmt.Sprintf(format, args...))
			}
			if p.Leader != wire.NoNode && (!p.InISR(p.Leader) || !m.Broker(p.Leader).Active()) {
				return bad("leader is not a live ISR member")
			}
			for _, id := range p.ISR {
				switch {
				case !p.HasReplica(id):
					return bad("ISR member %d is no replica", id)
				case p.InELR(id):
					return bad("%d is in ISR and ELR", id)
				case elrOn && !m.Broker(id).Active():
					return bad("ISR member %d is not live", id)
				}
			}
			for i, id := range p.ELR {
				if !p.HasReplica(id) || slices.Contains(p.ELR[:i], id) || !elrOn {
					return bad("ELR member %d", id)
				}
			}
			if minISR := c.changeOf(p).minISR; len(p.ELR) > 0 && len(p.ISR) >= minISR {
				return bad("ELR although the ISR has the %d members needed to commit", minISR)
			}
			if elrOn && (p.Leader == wire.NoNode) != (len(p.ISR) == 0) {
				return bad("without a leader exactly if the ISR is empty")
			}
			if len(p.LastKnownELR) > 1 || len(p.LastKnownELR) == 1 && p.Leader != wire.NoNode {
				return bad("last known leader")
			}
		}
	}
	return nil
}
