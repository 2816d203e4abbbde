package coordinator

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
)

func newFinder(kind Kind) (*Finder, *cluster.Metadata) {
	rng := rand.New(rand.NewPCG(1, 1))
	meta := cluster.New(cluster.Config{}, rng)
	return New(kind, "k", meta, attempt.Backoff{Initial: 100 * time.Millisecond, Max: time.Second}, rng), meta
}

func answer(version int16, node int32, code int16) *kmsg.FindCoordinatorResponse {
	resp := kmsg.NewPtrFindCoordinatorResponse()
	resp.Version = version
	if version < 4 {
		resp.NodeID, resp.Host, resp.Port, resp.ErrorCode = node, "h", 7, code
		return resp
	}
	resp.Coordinators = []kmsg.FindCoordinatorResponseCoordinator{{Key: "k", NodeID: node, Host: "h", Port: 7, ErrorCode: code}}
	return resp
}

func TestFindsInEveryVersion(t *testing.T) {
	for version := int16(0); version <= 6; version++ {
		f, meta := newFinder(Group)
		if _, ok := f.Poll(0, 1); ok {
			t.Error("looks up what nobody wants")
		}
		f.Want()
		req, ok := f.Poll(0, 1)
		msg := req.Msg.(*kmsg.FindCoordinatorRequest)
		if !ok || msg.CoordinatorKey != "k" || msg.CoordinatorKeys[0] != "k" || req.Node != wire.NoNode {
			t.Fatalf("%+v", req)
		}
		if _, again := f.Poll(0, 2); again {
			t.Error("two lookups at a time")
		}
		f.OnResponse(0, answer(version, 3, 0))
		if node, ok := f.Node(); !ok || node != 3 {
			t.Errorf("version %d: node %d", version, node)
		}
		if addr, _ := meta.Addr(3); addr != "h:7" {
			t.Errorf("version %d: address %q", version, addr)
		}
	}
}

func TestTransactionalIDsAreNotLookedUpInVersion0(t *testing.T) {
	f, _ := newFinder(Transaction)
	f.Want()
	req, _ := f.Poll(0, 1)
	if req.MinVersion != 1 || req.Msg.(*kmsg.FindCoordinatorRequest).CoordinatorType != 1 {
		t.Errorf("%+v", req)
	}
}

func TestFailedLookupsBackOff(t *testing.T) {
	f, _ := newFinder(Group)
	f.Want()
	now := int64(0)
	var pauses []time.Duration
	for i := range 6 {
		if _, ok := f.Poll(now, attempt.ID(i)); !ok {
			t.Fatalf("no lookup %d at its deadline", i)
		}
		if i%2 == 0 {
			f.OnFailure(now)
		} else {
			f.OnResponse(now, answer(6, -1, kerr.CoordinatorNotAvailable.Code))
		}
		if _, ok := f.Poll(f.Deadline()-1, 0); ok {
			t.Error("a lookup before the back-off is over")
		}
		pauses = append(pauses, time.Duration(f.Deadline()-now))
		now = f.Deadline()
	}
	if pauses[0] > 120*time.Millisecond || pauses[5] < 800*time.Millisecond {
		t.Errorf("pauses %v", pauses)
	}
	if f.Err() != nil {
		t.Errorf("what may pass is final: %v", f.Err())
	}
}

func TestARefusalForGoodIsTold(t *testing.T) {
	f, _ := newFinder(Group)
	f.Want()
	f.Poll(0, 1)
	f.OnResponse(0, answer(6, -1, kerr.InvalidGroupID.Code))
	if !errors.Is(f.Err(), kerr.InvalidGroupID) {
		t.Errorf("%v", f.Err())
	}
}

func TestALostCoordinatorIsLookedUpAgain(t *testing.T) {
	f, _ := newFinder(Group)
	f.Want()
	f.Poll(0, 1)
	f.OnResponse(0, answer(6, 3, 0))
	f.Lost(2)
	if _, ok := f.Node(); !ok {
		t.Error("what was lost is another one")
	}
	f.Lost(3)
	if _, ok := f.Node(); ok {
		t.Error("lost, and still known")
	}
	f.Want()
	if _, ok := f.Poll(0, 2); !ok {
		t.Error("not looked up again at once")
	}
	// An answer that leaves the key out is no answer.
	resp := answer(6, 3, 0)
	resp.Coordinators[0].Key = "other"
	f.OnResponse(0, resp)
	if _, ok := f.Node(); ok || f.Deadline() == cluster.Never {
		t.Error("took an answer for another key")
	}
}
