package cluster

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
)

const ms = int64(time.Millisecond)

type view struct {
	*Metadata
	t   *testing.T
	now int64
}

func newView(t *testing.T, topics ...string) *view {
	v := &view{t: t, now: int64(time.Second)}
	v.Metadata = New(Config{
		Backoff:   attempt.Backoff{Initial: 100 * time.Millisecond, Max: time.Second},
		MaxAge:    time.Minute,
		Bootstrap: []string{"boot:1", "boot:2"},
	}, rand.New(rand.NewPCG(1, 1)))
	for _, topic := range topics {
		v.Want(topic)
	}
	return v
}

// respond answers the refresh with topic "a" of an id, and leader/epoch for each
// partition, as in "1/5 2/0".
func (v *view) respond(id byte, partitions string) {
	v.t.Helper()
	v.RequestUpdate()
	v.now = max(v.now, v.Deadline())
	if _, ok := v.Poll(v.now); !ok {
		v.t.Fatal("no refresh is due")
	}
	v.OnResponse(v.now, response(id, partitions))
}

func response(id byte, partitions string) *kmsg.MetadataResponse {
	resp := kmsg.NewPtrMetadataResponse()
	resp.ControllerID = 2
	for n := int32(1); n <= 3; n++ {
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID, b.Host, b.Port = n, fmt.Sprint("host", n), 9092
		resp.Brokers = append(resp.Brokers, b)
	}
	t := kmsg.NewMetadataResponseTopic()
	t.Topic, t.TopicID = kmsg.StringPtr("a"), [16]byte{id}
	if partitions == "gone" {
		t.ErrorCode = kerr.UnknownTopicOrPartition.Code
	} else {
		for i, s := range strings.Fields(partitions) {
			p := kmsg.NewMetadataResponseTopicPartition()
			p.Partition = int32(i)
			fmt.Sscanf(s, "%d/%d", &p.Leader, &p.LeaderEpoch)
			t.Partitions = append(t.Partitions, p)
		}
	}
	resp.Topics = append(resp.Topics, t)
	return resp
}

func (v *view) leaders() string {
	var out []string
	t, _ := v.Topic("a")
	for _, p := range t.Partitions {
		out = append(out, fmt.Sprintf("%d/%d", p.Leader, p.Epoch))
	}
	return strings.Join(out, " ")
}

func (v *view) want(leaders string) {
	v.t.Helper()
	if got := v.leaders(); got != leaders {
		v.t.Fatalf("leaders %q, want %q", got, leaders)
	}
}

func TestOlderLeaderEpochIsIgnored(t *testing.T) {
	v := newView(t, "a")
	v.respond(1, "1/5 2/3")
	v.respond(1, "3/4 3/4")
	v.want("1/5 3/4")
	v.respond(1, "3/6 3/4")
	v.want("3/6 3/4")
}

func TestEpochsSurviveAnErrorAndBeginAnewWithTheTopic(t *testing.T) {
	v := newView(t, "a")
	v.respond(1, "1/5")
	v.respond(1, "gone")
	v.want("")
	if v.Deadline() == Never {
		t.Fatal("a topic without leaders is not asked for again")
	}
	v.respond(1, "2/4")
	v.want("-1/-1") // stale, and nothing newer is known
	v.respond(2, "2/0")
	v.want("2/0")
	if _, ok := v.TopicName(wire.UUID{1}); ok {
		t.Error("the old id is still known")
	}
	if name, _ := v.TopicName(wire.UUID{2}); name != "a" {
		t.Error("the new id is not")
	}
}

func TestHintIsTakenIfItIsNewer(t *testing.T) {
	v := newView(t, "a")
	v.respond(1, "1/5")
	a0 := wire.TopicPartition{Topic: "a"}
	if v.Hint(a0, 2, 5) || v.Hint(a0, 9, 6) || v.Hint(wire.TopicPartition{Topic: "a", Partition: 7}, 2, 6) {
		t.Error("a hint was taken that is not newer, or of an unknown broker or partition")
	}
	v.HintBroker(9, "::1", 9)
	if !v.Hint(a0, 9, 6) {
		t.Error("a newer leader was not taken")
	}
	v.want("9/6")
	if addr, _ := v.Addr(9); addr != "[::1]:9" {
		t.Errorf("address %q", addr)
	}
}

func TestRefreshPolicy(t *testing.T) {
	v := newView(t, "a")
	if v.Deadline() > v.now {
		t.Fatal("the first refresh waits")
	}
	req, _ := v.Poll(v.now)
	if len(req.Topics) != 1 || *req.Topics[0].Topic != "a" || req.AllowAutoTopicCreation {
		t.Fatalf("%+v", req)
	}
	v.RequestUpdate()
	if v.Deadline() != Never {
		t.Fatal("two refreshes in flight")
	}
	// Failures back off, more and more.
	v.OnFailure(v.now)
	var waits []int64
	for range 6 {
		wait := v.Deadline() - v.now
		waits = append(waits, wait/ms)
		v.now = v.Deadline()
		v.Poll(v.now)
		v.OnResponse(v.now, kmsg.NewPtrMetadataResponse()) // without brokers: no use
	}
	for i, base := range []int64{100, 200, 400, 800, 1000, 1000} {
		if waits[i] < base*3/4 || waits[i] > base*5/4 {
			t.Errorf("wait %d is %d ms, want about %d", i, waits[i], base)
		}
	}
	v.respond(1, "1/0")
	if d := v.Deadline() - v.now; d != int64(time.Minute) {
		t.Errorf("with a whole view the next refresh is in %v", time.Duration(d))
	}
	// On request, but not at once.
	v.RequestUpdate()
	if d := v.Deadline() - v.now; d < 75*ms || d > 125*ms {
		t.Errorf("a requested refresh is in %v", time.Duration(d))
	}
	// A new topic is asked for at once.
	v.Want("b")
	if v.Deadline() > v.now {
		t.Error("a new topic waits")
	}
}

func TestRequestDuringRefreshIsKept(t *testing.T) {
	v := newView(t, "a")
	v.Poll(v.now)
	v.RequestUpdate()
	v.OnResponse(v.now, response(1, "1/0"))
	if v.Deadline() > v.now+int64(time.Second) {
		t.Error("a request made while the answer was on its way was lost")
	}
}

func TestForgottenTopicIsNotTakenIn(t *testing.T) {
	v := newView(t, "a")
	v.Poll(v.now)
	v.Forget("a")
	v.OnResponse(v.now, response(1, "1/0"))
	if _, ok := v.Topic("a"); ok {
		t.Error("a forgotten topic came back")
	}
}

func TestNodesAndAddresses(t *testing.T) {
	v := newView(t, "a")
	want := []Broker{{Node: -2, Addr: "boot:1"}, {Node: -3, Addr: "boot:2"}}
	if diff := cmp.Diff(want, v.Bootstrap()); diff != "" {
		t.Error(diff)
	}
	v.respond(1, "1/0")
	if len(v.Brokers()) != 3 || v.Controller() != 2 {
		t.Error(v.Brokers(), v.Controller())
	}
	for node, want := range map[wire.NodeID]string{1: "host1:9092", -3: "boot:2", 7: "", -1: "", -4: ""} {
		if got, _ := v.Addr(node); got != want {
			t.Errorf("node %d is at %q, want %q", node, got, want)
		}
	}
}

func TestPartitionNumbersBeyondTheCountAreIgnored(t *testing.T) {
	v := newView(t, "a")
	v.Poll(v.now)
	resp := response(1, "1/0")
	resp.Topics[0].Partitions[0].Partition = 1 << 30
	v.OnResponse(v.now, resp)
	v.want("")
}
