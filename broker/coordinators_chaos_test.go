package broker_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// try asks a node that may be down, or die meanwhile; nil if there is no answer.
func (l *lab) try(task *env.Task, node wire.NodeID, req kmsg.Request, version int16) kmsg.Response {
	c := l.tryDial(task, node)
	if c == nil {
		return nil
	}
	defer c.c.Close()
	c.send(req, version)
	body := env.Await(task, func(done func([]byte)) {
		var late env.Timer
		ended := false
		end := func(b []byte) {
			if !ended {
				ended = true
				late.Stop()
				done(b)
			}
		}
		late = l.env.Clock.After(8*time.Second, func() { end(nil) })
		head := make([]byte, 4)
		c.c.Read(head, 4, func(_ int, err error) {
			if err != nil {
				end(nil)
				return
			}
			body := make([]byte, binary.BigEndian.Uint32(head))
			c.c.Read(body, len(body), func(_ int, err error) {
				if err != nil {
					body = nil
				}
				end(body)
			})
		})
	})
	if body == nil {
		return nil
	}
	resp := req.ResponseKind()
	resp.SetVersion(version)
	if err := wire.DecodeResponse(body, c.corr, resp); err != nil {
		l.t.Fatal(err)
	}
	return resp
}

// persist asks the coordinator of a group, whoever it is, until the answer is no error.
func (l *lab) persist(task *env.Task, group string, req kmsg.Request, version int16, codeOf func(kmsg.Response) int16) kmsg.Response {
	for i := range 1000 {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorKey = group
		if f, ok := l.try(task, wire.NodeID(i%3+1), find, 3).(*kmsg.FindCoordinatorResponse); ok && f.ErrorCode == 0 {
			if resp := l.try(task, wire.NodeID(f.NodeID), req, version); resp != nil {
				switch code := codeOf(resp); code {
				case 0:
					return resp
				case kerr.NotCoordinator.Code, kerr.CoordinatorNotAvailable.Code, kerr.CoordinatorLoadInProgress.Code:
				default:
					l.t.Fatalf("%T: %v", resp, kerr.ErrorForCode(code))
				}
			}
		}
		task.Sleep(l.env.Clock, 20*time.Millisecond)
	}
	l.t.Fatalf("no answer from a coordinator of %s", group)
	return nil
}

// Nodes crash and lose their power, one after the other, while clients commit. What was
// acknowledged is what is read, from whichever coordinator.
func TestCommitsOutliveCrashes(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			l := newSeededLab(t, seed, 3, map[string]string{"min.insync.replicas": "2", "offsets.topic.num.partitions": "2", "offsets.load.buffer.size": "2000"})
			l.do(func(task *env.Task) { l.createTopic(task, "orders", nil, []int32{1, 2, 3}) })
			quiet, open, commits := false, 0, 0
			for _, group := range []string{"a", "b", "c"} {
				open++
				l.host.Do(func() {
					l.env.Tasks.Go(func(task *env.Task) {
						for i := int64(1); !quiet; i++ {
							l.persist(task, group, commitOf(group, "", -1, "orders", i), 6, commitCode)
							if got := fetched(l.persist(task, group, offsetsOf(group), 8, fetchCode)); len(got) != 1 || got[0] != i {
								t.Errorf("group %s: %d is committed, but %v is read", group, i, got)
								break
							}
							commits++
							task.Sleep(l.env.Clock, 20*time.Millisecond)
						}
						open--
					})
				})
			}
			rng := l.env.Rand.Stream("chaos")
			for range 6 {
				l.k.RunFor(time.Duration(500+rng.IntN(1500)) * time.Millisecond)
				image, _ := l.c.Node(1).Broker.Image()
				n := l.c.Node(image.Partition("__consumer_offsets", rng.Int32N(2)).Leader)
				if rng.IntN(2) == 0 {
					n.Crash()
				} else {
					n.CutPower()
				}
				l.k.RunFor(time.Duration(rng.IntN(3000)) * time.Millisecond)
				n.Up()
				for range 300 { // at most one replica at a time may be behind
					l.k.RunFor(100 * time.Millisecond)
					if l.inSync(offsets(2, "a")) == 3 && l.inSync(wire.TopicPartition{Topic: "__consumer_offsets", Partition: 1}) == 3 && l.unfenced() == 3 {
						break
					}
				}
			}
			quiet = true
			for i := 0; open > 0 && i < 600; i++ {
				l.k.RunFor(100 * time.Millisecond)
			}
			if open > 0 {
				t.Errorf("%d clients are stuck", open)
			}
			if commits < 500 {
				t.Errorf("only %d commits", commits)
			}
			if l.count("coordinator-loaded") < 5 {
				t.Errorf("only %d coordinators loaded", l.count("coordinator-loaded"))
			}
		})
	}
}
