package broker_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker"
	"odradek/broker/env"
	"odradek/broker/wire"
)

// storm is a cluster under attack: whatever is thrown at node 1, no node may give up
// or panic, others must be served, and nothing may be kept.
type storm struct {
	*lab
	seeds [][]byte // valid requests, as frames
}

func newStorm(t testing.TB) *storm {
	s := &storm{lab: newLab(t, 3, map[string]string{"socket.request.max.bytes": "1000000", "metadata.log.max.record.bytes.between.snapshots": "3000"})}
	s.do(func(task *env.Task) {
		s.createTopic(task, "victim", nil, []int32{1, 2, 3}, []int32{1, 3, 2})
		// Node 1 coordinates every group and transaction.
		s.createTopic(task, "__consumer_offsets", nil, []int32{1, 2, 3})
		s.createTopic(task, "__transaction_state", nil, []int32{1, 2, 3})
	})
	s.seeds = s.requests()
	return s
}

// requests are one valid request of every API in every version that node 1 serves.
func (s *storm) requests() [][]byte {
	id := s.topicID("victim")
	records := batch(s.t, wire.BatchOptions{Compression: wire.LZ4}, "a", "b", "c")
	conn := &rawConn{l: s.lab}
	var advertised []kmsg.ApiVersionsResponseApiKey
	s.do(func(task *env.Task) {
		advertised = s.dial(task, 1).call(task, kmsg.NewPtrApiVersionsRequest(), 0).(*kmsg.ApiVersionsResponse).ApiKeys
	})
	var frames [][]byte
	for _, api := range advertised {
		for v := api.MinVersion; v <= api.MaxVersion; v++ {
			req := kmsg.RequestForKey(api.ApiKey)
			if d, ok := req.(interface{ Default() }); ok {
				d.Default()
			}
			switch r := req.(type) {
			case *kmsg.ProduceRequest:
				*r = *produceTo("victim", 0, -1, records)
			case *kmsg.FetchRequest:
				*r = *fetchFrom("victim", id, 0, 0)
				r.SessionEpoch = 0
				r.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: "victim", TopicID: id, Partitions: []int32{1}}}
			case *kmsg.ListOffsetsRequest:
				*r = *listOffsets("victim", -1, -1)
			case *kmsg.MetadataRequest:
				*r = *metadataOf("victim", "other")
			case *kmsg.OffsetForLeaderEpochRequest:
				r.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "victim", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1}}}}
			case *kmsg.CreateTopicsRequest:
				topic := kmsg.NewCreateTopicsRequestTopic()
				topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "new", 1, 1
				topic.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: kmsg.StringPtr("100")}}
				r.Topics, r.ValidateOnly = []kmsg.CreateTopicsRequestTopic{topic}, true
			case *kmsg.DeleteTopicsRequest:
				r.TopicNames, r.Topics = []string{"other"}, []kmsg.DeleteTopicsRequestTopic{{Topic: kmsg.StringPtr("other")}}
			case *kmsg.CreatePartitionsRequest:
				r.Topics = []kmsg.CreatePartitionsRequestTopic{{Topic: "victim", Count: 3, Assignment: []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: []int32{1, 2, 3}}}}}
				r.ValidateOnly = true
			case *kmsg.DescribeConfigsRequest:
				r.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: 2, ResourceName: "victim", ConfigNames: []string{"retention.ms"}}}
			case *kmsg.IncrementalAlterConfigsRequest:
				r.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: 2, ResourceName: "victim",
					Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "flush.ms", Value: kmsg.StringPtr("9")}}}}
			case *kmsg.AlterConfigsRequest:
				r.Resources = []kmsg.AlterConfigsRequestResource{{ResourceType: 2, ResourceName: "victim",
					Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: "flush.ms", Value: kmsg.StringPtr("9")}}}}
			case *kmsg.ElectLeadersRequest:
				r.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: "victim", Partitions: []int32{0, 1}}}
			case *kmsg.AlterPartitionAssignmentsRequest:
				r.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: "victim", Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Replicas: []int32{2, 1, 3}}}}}
			case *kmsg.ListPartitionReassignmentsRequest:
				r.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: "victim", Partitions: []int32{0}}}
			case *kmsg.DescribeQuorumRequest:
				r.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
			case *kmsg.DescribeTopicPartitionsRequest:
				r.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "victim"}}
				r.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: "victim", Partition: 1}
			case *kmsg.FindCoordinatorRequest:
				r.CoordinatorKey, r.CoordinatorKeys = "g", []string{"g", "h"}
			case *kmsg.ApiVersionsRequest:
				r.ClientSoftwareName, r.ClientSoftwareVersion = "storm", "1"
			case *kmsg.VoteRequest:
				p := kmsg.NewVoteRequestTopicPartition()
				p.CandidateID, p.LastOffset = 2, 5
				r.Topics = []kmsg.VoteRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.VoteRequestTopicPartition{p}}}
			case *kmsg.BeginQuorumEpochRequest:
				r.Topics = []kmsg.BeginQuorumEpochRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.BeginQuorumEpochRequestTopicPartition{{LeaderID: 2}}}}
			case *kmsg.EndQuorumEpochRequest:
				r.Topics = []kmsg.EndQuorumEpochRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.EndQuorumEpochRequestTopicPartition{{LeaderID: 2, PreferredSuccessors: []int32{1, 3}}}}}
			case *kmsg.FetchSnapshotRequest:
				p := kmsg.NewFetchSnapshotRequestTopicPartition()
				p.CurrentLeaderEpoch, p.SnapshotID.EndOffset = 1, 3
				r.ReplicaID, r.MaxBytes = 2, 1000
				r.Topics = []kmsg.FetchSnapshotRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.FetchSnapshotRequestTopicPartition{p}}}
			case *kmsg.BrokerRegistrationRequest:
				r.BrokerID, r.Listeners = 2, []kmsg.BrokerRegistrationRequestListener{{Name: "PLAINTEXT", Host: "n2", Port: 9092}}
				r.Features = []kmsg.BrokerRegistrationRequestFeature{{Name: "metadata.version", MinSupportedVersion: 1, MaxSupportedVersion: 25}}
			case *kmsg.BrokerHeartbeatRequest:
				r.BrokerID, r.BrokerEpoch = 2, 1
			case *kmsg.AlterPartitionRequest:
				r.BrokerID = 2
				r.Topics = []kmsg.AlterPartitionRequestTopic{{TopicID: id, Partitions: []kmsg.AlterPartitionRequestTopicPartition{{NewISR: []int32{1}, NewEpochISR: []kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{{BrokerID: 1}}}}}}
			case *kmsg.AllocateProducerIDsRequest:
				r.BrokerID = 2
			case *kmsg.UnregisterBrokerRequest:
				r.BrokerID = 8
			case *kmsg.EnvelopeRequest:
				r.RequestData = conn.frame(metadataOf("victim"), 9)[4:]
			default:
				fillCoordinated(req)
			}
			frames = append(frames, conn.frame(req, v))
		}
		// The metadata log is fetched like any other.
		if api.ApiKey == kmsg.Fetch.Int16() {
			r := fetchFrom("__cluster_metadata", [16]byte{15: 1}, 0, 0)
			r.ReplicaState.ID, r.ReplicaID = 2, 2
			frames = append(frames, conn.frame(r, 12), conn.frame(r, 18))
		}
	}
	return frames
}

// interesting are numbers where mistakes live.
var interesting = []uint64{0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 1<<63 - 1, 1 << 63, 1<<64 - 1}

// mutate changes a frame in a few places. The size in front stays right mostly, so that
// what lies behind it is looked at; key and version mostly stay.
func mutate(r *rand.Rand, frame []byte, others [][]byte) []byte {
	f := append([]byte(nil), frame...)
	for range 1 + r.IntN(3) {
		body := 12
		if r.IntN(20) == 0 {
			body = 4
		}
		if len(f) <= body {
			continue
		}
		at := body + r.IntN(len(f)-body)
		switch r.IntN(7) {
		case 0:
			f[at] ^= 1 << r.IntN(8)
		case 1:
			f[at] = byte(r.Uint32())
		case 2: // a number
			width := []int{1, 2, 4, 8}[r.IntN(4)]
			var number [8]byte
			binary.BigEndian.PutUint64(number[:], interesting[r.IntN(len(interesting))])
			copy(f[at:], number[8-width:])
		case 3: // cut out
			f = append(f[:at], f[min(len(f), at+1+r.IntN(8)):]...)
		case 4: // repeat
			end := min(len(f), at+1+r.IntN(16))
			f = append(f[:end], f[at:]...)
		case 5: // cut off
			f = f[:at]
		case 6: // a piece of another request
			o := others[r.IntN(len(others))]
			if len(o) > 12 {
				from := 12 + r.IntN(len(o)-12)
				f = append(f[:at], o[from:]...)
			}
		}
	}
	if r.IntN(30) != 0 {
		binary.BigEndian.PutUint32(f, uint32(len(f)-4))
	}
	return f
}

// throw sends frames over connections of their own, gives the node a little time, and
// hangs up.
func (s *storm) throw(frames [][]byte) {
	s.do(func(task *env.Task) {
		conns := make([]*rawConn, len(frames))
		for i, f := range frames {
			conns[i] = s.dial(task, 1)
			conns[i].write(f)
		}
		task.Sleep(s.env.Clock, 5*time.Millisecond)
		for _, c := range conns {
			c.c.Close()
		}
	})
}

// serves fails the test unless every node takes and gives records.
func (s *storm) serves(topic string) {
	s.t.Helper()
	s.k.RunFor(5 * time.Second)
	s.do(func(task *env.Task) {
		s.createTopic(task, topic, nil, []int32{1, 2, 3}, []int32{2, 3, 1}, []int32{3, 1, 2})
		for p := range int32(3) {
			leads, _ := s.leaders(topic, p)
			conn := s.dial(task, leads)
			r := conn.call(task, produceTo(topic, p, -1, batch(s.t, wire.BatchOptions{}, "a")), 9).(*kmsg.ProduceResponse)
			wantCode(s.t, "produce after the storm", r.Topics[0].Partitions[0].ErrorCode, nil)
			f := conn.call(task, fetchFrom(topic, s.topicID(topic), p, 0), 13).(*kmsg.FetchResponse)
			if len(f.Topics[0].Partitions[0].RecordBatches) == 0 {
				s.t.Errorf("nothing to fetch after the storm: %+v", f)
			}
		}
	})
}

// attack is a request that is wrong in its bytes or in its meaning.
func (s *storm) attack(r *rand.Rand) []byte {
	for {
		seed := s.seeds[r.IntN(len(s.seeds))]
		frame := twist(r, seed)
		if r.IntN(2) == 0 {
			frame = mutate(r, seed, s.seeds)
		}
		if len(frame) > 8 && !forged(frame) {
			return frame
		}
	}
}

func TestMutatedRequestsHarmNobody(t *testing.T) {
	s := newStorm(t)
	r := rand.New(rand.NewPCG(3, 5))
	before := s.c.Node(1).Broker.Held()
	total := 6000
	if testing.Short() {
		total = 1000
	}
	for sent := 0; sent < total && !t.Failed(); {
		frames := make([][]byte, 50)
		for i := range frames {
			frames[i] = s.attack(r)
		}
		s.throw(frames)
		sent += len(frames)
	}
	s.serves("after")
	if h := s.c.Node(1).Broker.Held(); h.Conns > before.Conns+4 || h.Acks > 0 || h.Requests > before.Requests+4 || h.Buffers > before.Buffers+4*broker.ConnChunk {
		t.Errorf("after the storm %+v is held, before it %+v", h, before)
	}
}

// forged reports whether a frame is one of the quorum's own requests, which carry
// epochs. Without authentication a forged one can depose a leader, and an epoch that a
// voter believes in and its alleged leader does not stops that node on purpose.
func forged(frame []byte) bool {
	key := kmsg.Key(binary.BigEndian.Uint16(frame[4:]))
	return key == kmsg.Vote || key == kmsg.BeginQuorumEpoch || key == kmsg.EndQuorumEpoch
}

// Forged requests of the quorum may stop a node, but in an orderly way.
func TestForgedQuorumRequestsDoNotPanic(t *testing.T) {
	s := newStorm(t)
	s.c.Failed = nil
	r := rand.New(rand.NewPCG(7, 9))
	seeds := slices.DeleteFunc(slices.Clone(s.seeds), func(f []byte) bool { return !forged(f) })
	for range 40 {
		frames := make([][]byte, 20)
		for i := range frames {
			if seed := seeds[r.IntN(len(seeds))]; r.IntN(2) == 0 {
				frames[i] = twist(r, seed)
			} else {
				frames[i] = mutate(r, seed, seeds)
			}
		}
		if s.c.Node(1).Running() {
			s.throw(frames)
		}
		s.k.RunFor(time.Second)
	}
}

func TestRandomBytesHarmNobody(t *testing.T) {
	s := newStorm(t)
	r := rand.New(rand.NewPCG(4, 6))
	for range 40 {
		frames := make([][]byte, 50)
		for i := range frames {
			b := make([]byte, 1+r.IntN(300))
			for j := range b {
				b[j] = byte(r.Uint32())
			}
			if len(b) > 8 && r.IntN(4) > 0 { // a plausible beginning
				binary.BigEndian.PutUint32(b, uint32(len(b)-4))
				copy(b[4:8], s.seeds[r.IntN(len(s.seeds))][4:8])
			}
			frames[i] = b
		}
		s.throw(frames)
	}
	s.serves("after")
}

// FuzzRequest looks for a frame that makes a node give up:
// go test -fuzz FuzzRequest ./broker.
func FuzzRequest(f *testing.F) {
	for _, frame := range newStorm(f).seeds {
		f.Add(frame[4:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 1<<16 {
			return
		}
		s := newStorm(t)
		frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
		s.throw([][]byte{frame})
		s.k.RunFor(time.Second)
		for _, n := range s.c.Nodes {
			if n.Broker == nil {
				t.Fatal(fmt.Sprint("node ", n.ID, " gave up"))
			}
		}
	})
}
