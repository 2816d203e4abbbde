package broker

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/replica"
	"odradek/broker/wire"
)

// alterISR sends the leaders' ISR proposals to the controller (KIP-497), those of
// many partitions together, one request at a time.
type alterISR struct {
	n       *Node
	waiting []proposal
	busy    bool
	queued  bool // send runs on a later turn
}

type proposal struct {
	p      *partition
	leader *replica.Leader
	alter  replica.AlterPartition
}

const versionAlterPartition = 3

func (a *alterISR) propose(p *partition, alter replica.AlterPartition) {
	a.waiting = append(a.waiting, proposal{p, p.leader, alter})
	if !a.busy && !a.queued {
		// What else this turn of the loop proposes goes with it.
		a.queued = true
		a.n.env.Clock.After(0, a.send)
	}
}

func (a *alterISR) send() {
	a.queued = false
	batch := slices.DeleteFunc(a.waiting, func(w proposal) bool { return w.p.leader != w.leader })
	a.waiting = nil
	if len(batch) == 0 || a.n.stopped {
		return
	}
	a.busy = true
	slices.SortStableFunc(batch, func(x, y proposal) int {
		return cmp.Or(bytes.Compare(x.p.id.TopicID[:], y.p.id.TopicID[:]), cmp.Compare(x.p.id.Partition, y.p.id.Partition))
	})
	req := kmsg.NewPtrAlterPartitionRequest()
	req.Version = versionAlterPartition
	req.BrokerID, req.BrokerEpoch = int32(a.n.cfg.NodeID), int64(a.n.brokerEpoch)
	for _, w := range batch {
		if k := len(req.Topics); k == 0 || req.Topics[k-1].TopicID != w.p.id.TopicID {
			t := kmsg.NewAlterPartitionRequestTopic()
			t.TopicID = w.p.id.TopicID
			req.Topics = append(req.Topics, t)
		}
		t := &req.Topics[len(req.Topics)-1]
		part := kmsg.NewAlterPartitionRequestTopicPartition()
		part.Partition, part.LeaderEpoch, part.PartitionEpoch = w.p.id.Partition, int32(w.alter.LeaderEpoch), int32(w.alter.PartitionEpoch)
		for _, m := range w.alter.ISR {
			e := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
			e.BrokerID, e.BrokerEpoch = int32(m.Node), int64(m.Epoch)
			part.NewEpochISR = append(part.NewEpochISR, e)
		}
		t.Partitions = append(t.Partitions, part)
	}
	a.n.toController(req, a.n.requestTimeout(), func(resp kmsg.Response, err error) {
		a.busy = false
		results := make(map[wire.TopicIDPartition]replica.AlterPartitionResult)
		whole := kerr.NetworkException
		if err == nil {
			r := resp.(*kmsg.AlterPartitionResponse)
			whole = kerr.TypedErrorForCode(r.ErrorCode)
			for _, t := range r.Topics {
				for _, part := range t.Partitions {
					res := replica.AlterPartitionResult{
						Err:         kerr.TypedErrorForCode(part.ErrorCode),
						LeaderEpoch: wire.LeaderEpoch(part.LeaderEpoch), PartitionEpoch: wire.PartitionEpoch(part.PartitionEpoch),
					}
					for _, id := range part.ISR {
						res.ISR = append(res.ISR, wire.NodeID(id))
					}
					results[wire.TopicIDPartition{TopicID: t.TopidID, Partition: part.Partition}] = res
				}
			}
		}
		for _, w := range batch {
			if w.p.leader != w.leader {
				continue
			}
			res, ok := results[w.p.id]
			if !ok {
				if res.Err = whole; res.Err == nil {
					res.Err = kerr.UnknownServerError
				}
			}
			w.p.apply(w.leader.OnAlterPartitionResult(w.p.now(), w.alter.ID, res))
		}
		if len(a.waiting) > 0 && !a.queued {
			a.send()
		}
	})
}
