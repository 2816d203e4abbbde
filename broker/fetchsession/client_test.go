package fetchsession

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"pgregory.net/rapid"

	"odradek/broker/wire"
)

func partitions(names ...string) (ps []Partition) {
	for _, n := range names {
		ps = append(ps, parse(n))
	}
	return ps
}

func keys(names ...string) (ks []Key) {
	for _, n := range names {
		ks = append(ks, parse(n).Key)
	}
	return ks
}

func TestClientSendsWhatChanged(t *testing.T) {
	c := NewClient()
	check := func(want []Partition, exp ClientRequest) {
		t.Helper()
		if diff := cmp.Diff(exp, c.Build(want)); diff != "" {
			t.Fatal(diff)
		}
	}
	check(partitions("a-0@0", "a-1@0"), ClientRequest{Partitions: partitions("a-0@0", "a-1@0")})
	if !c.OnResponse(77, nil, keys("a-0", "a-1")) {
		t.Fatal("full response refused")
	}
	check(partitions("a-0@5", "a-1@0"), ClientRequest{SessionID: 77, Epoch: 1, Partitions: partitions("a-0@5")})
	c.OnResponse(77, nil, nil)
	check(partitions("b-0@0", "a-0@5"), ClientRequest{SessionID: 77, Epoch: 2, Partitions: partitions("b-0@0"), Forgotten: keys("a-1")})
	c.OnResponse(77, nil, keys("b-0"))
	// The topic was made anew: another id, another partition.
	check(partitions("B-0@0", "a-0@5"), ClientRequest{SessionID: 77, Epoch: 3, Partitions: partitions("B-0@0"), Forgotten: keys("b-0")})
}

func TestClientBeginsAnew(t *testing.T) {
	for _, c := range []struct {
		name      string
		sessionID int32
		err       *kerr.Error
		got       []Key
		use       bool
		next      int32 // session id of the next request
	}{
		{"the session is unknown", 0, kerr.FetchSessionIDNotFound, nil, false, 0},
		{"the epoch is wrong", 0, kerr.InvalidFetchSessionEpoch, nil, false, 77},
		{"names and ids are mixed", 0, kerr.FetchSessionTopicIDError, nil, false, 77},
		{"a partition that was not asked for", 77, nil, keys("x-0"), false, 77},
		{"another session", 78, nil, nil, false, 77},
		{"the session was closed", 0, nil, keys("a-0"), true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := NewClient()
			cl.Build(partitions("a-0@0"))
			cl.OnResponse(77, nil, keys("a-0"))
			cl.Build(partitions("a-0@1"))
			if use := cl.OnResponse(c.sessionID, c.err, c.got); use != c.use {
				t.Fatalf("used: %v", use)
			}
			want := ClientRequest{SessionID: c.next, Epoch: NewSession, Partitions: partitions("a-0@1")}
			if diff := cmp.Diff(want, cl.Build(partitions("a-0@1"))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFullResponseMustBeWhole(t *testing.T) {
	c := NewClient()
	c.Build(partitions("a-0@0", "a-1@0"))
	if c.OnResponse(77, nil, keys("a-0")) {
		t.Fatal("a full response without a-1 was taken")
	}
}

func TestClientCloses(t *testing.T) {
	c := NewClient()
	if _, ok := c.Close(); ok {
		t.Fatal("nothing to close")
	}
	c.Build(partitions("a-0@0"))
	c.OnResponse(77, nil, keys("a-0"))
	r, ok := c.Close()
	if diff := cmp.Diff(ClientRequest{SessionID: 77, Epoch: NoSession}, r); !ok || diff != "" {
		t.Fatal(ok, diff)
	}
}

// Whatever is lost, delayed or evicted: the server reads exactly what the client wants,
// and after each response that the client uses, it knows the state of every partition.
func TestClientAndServerAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBroker(1)
		c, rival := NewClient(), NewClient()
		told := map[Key]Result{}
		want := partitions("a-0@0")
		all := partitions("a-0@0", "a-1@0", "a-2@0", "b-0@0", "b-1@0")
		exchange := func(c *Client, want []Partition, follower bool) (used, lost bool) {
			req := c.Build(want)
			x, err := b.cache.Begin(b.now, Request{
				SessionID: req.SessionID, Epoch: req.Epoch, Partitions: req.Partitions, Forgotten: req.Forgotten, Follower: follower,
			})
			if err != nil {
				return c.OnResponse(0, err, nil), false
			}
			read := map[Key]Partition{}
			results := make([]Result, x.Len())
			for i := range x.Len() {
				p := x.Partition(i)
				read[p.Key] = p
				s := b.at(p.Key)
				results[i] = Result{Err: s.err, HighWatermark: s.hw, LogStart: s.start}
			}
			for _, p := range want {
				if diff := cmp.Diff(p, read[p.Key]); diff != "" {
					t.Fatalf("the server reads something else: %s", diff)
				}
			}
			if len(read) != len(want) {
				t.Fatalf("the server reads %v, the client wants %v", read, want)
			}
			r := x.Respond(b.now, results)
			if rapid.IntRange(0, 4).Draw(t, "lost") == 0 {
				c.Forget()
				return false, true
			}
			var got []Key
			for _, i := range r.Include {
				got = append(got, x.Partition(i).Key)
			}
			if !c.OnResponse(r.SessionID, r.Err, got) {
				t.Fatalf("response %v refused", r)
			}
			if !follower {
				for _, i := range r.Include {
					told[x.Partition(i).Key] = results[i]
				}
			}
			return true, false
		}
		for range 30 {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				want = nil
				for i, p := range all {
					if rapid.Bool().Draw(t, fmt.Sprint("want ", i)) {
						p.FetchOffset = wire.Offset(rapid.IntRange(0, 3).Draw(t, "offset"))
						want = append(want, p)
					}
				}
			case 1:
				s := b.at(all[rapid.IntRange(0, len(all)-1).Draw(t, "partition")].Key)
				s.hw = wire.Offset(rapid.IntRange(0, 3).Draw(t, "hw"))
				s.err = int16(rapid.IntRange(0, 1).Draw(t, "err"))
			case 2:
				exchange(rival, all[:rapid.IntRange(1, 5).Draw(t, "rival")], true)
			case 3:
				b.now += int64(b.cache.cfg.Eviction)
			default:
				if used, _ := exchange(c, want, false); !used {
					continue
				}
				for _, p := range want {
					s := b.at(p.Key)
					if diff := cmp.Diff(Result{Err: s.err, HighWatermark: s.hw, LogStart: s.start}, told[p.Key]); diff != "" {
						t.Fatalf("the client was not told of %s: %s", p.Key, diff)
					}
				}
			}
		}
	})
}
