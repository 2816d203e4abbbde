package client

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// Reassignment gives a partition other replicas; nil stops moving it.
type Reassignment struct {
	wire.TopicPartition
	Replicas []int32
}

// AlterReassignments starts, replaces or stops the moving of partitions
// (AlterPartitionReassignments, KIP-455). It is done when the controller has taken note,
// long before the replicas have moved: see ListReassignments. The first partition that
// is refused is the error; others may have been accepted.
func (a *Admin) AlterReassignments(t *env.Task, moves []Reassignment) error {
	return a.run(t, operation{
		to: a.toController, minVersion: 0, maxVersion: 1,
		request: func(wait time.Duration) kmsg.Request {
			req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
			req.TimeoutMillis = int32(wait / time.Millisecond)
			for _, m := range moves {
				if k := len(req.Topics); k == 0 || req.Topics[k-1].Topic != m.Topic {
					rt := kmsg.NewAlterPartitionAssignmentsRequestTopic()
					rt.Topic = m.Topic
					req.Topics = append(req.Topics, rt)
				}
				rp := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
				rp.Partition, rp.Replicas = m.Partition, m.Replicas
				rt := &req.Topics[len(req.Topics)-1]
				rt.Partitions = append(rt.Partitions, rp)
			}
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.AlterPartitionAssignmentsResponse)
			if resp.ErrorCode != 0 {
				return resp.ErrorCode, resp.ErrorMessage
			}
			for i := range resp.Topics {
				for _, p := range resp.Topics[i].Partitions {
					if p.ErrorCode != 0 {
						return p.ErrorCode, p.ErrorMessage
					}
				}
			}
			return 0, nil
		},
	})
}

// OngoingReassignment is a partition that is being moved.
type OngoingReassignment struct {
	wire.TopicPartition
	Replicas, Adding, Removing []wire.NodeID
}

// ListReassignments lists the partitions that are being moved, sorted.
func (a *Admin) ListReassignments(t *env.Task) ([]OngoingReassignment, error) {
	var ongoing []OngoingReassignment
	err := a.run(t, operation{
		to: a.toController, minVersion: 0, maxVersion: 0,
		request: func(wait time.Duration) kmsg.Request {
			req := kmsg.NewPtrListPartitionReassignmentsRequest()
			req.TimeoutMillis = int32(wait / time.Millisecond)
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.ListPartitionReassignmentsResponse)
			ongoing = nil
			for i := range resp.Topics {
				rt := &resp.Topics[i]
				for _, p := range rt.Partitions {
					ongoing = append(ongoing, OngoingReassignment{
						TopicPartition: wire.TopicPartition{Topic: rt.Topic, Partition: p.Partition},
						Replicas:       nodeIDs(p.Replicas), Adding: nodeIDs(p.AddingReplicas), Removing: nodeIDs(p.RemovingReplicas),
					})
				}
			}
			return resp.ErrorCode, resp.ErrorMessage
		},
	})
	slices.SortFunc(ongoing, func(a, b OngoingReassignment) int { return a.Compare(b.TopicPartition) })
	return ongoing, err
}

// UnregisterBroker has the cluster forget a broker for good.
func (a *Admin) UnregisterBroker(t *env.Task, node wire.NodeID) error {
	return a.run(t, operation{
		to: a.toController, minVersion: 0, maxVersion: 0,
		request: func(time.Duration) kmsg.Request {
			req := kmsg.NewPtrUnregisterBrokerRequest()
			req.BrokerID = int32(node)
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.UnregisterBrokerResponse)
			return resp.ErrorCode, resp.ErrorMessage
		},
	})
}

// toNode asks one broker in particular.
func (o *office) toNode(node wire.NodeID) route {
	return func() (wire.NodeID, bool) {
		_, known := o.net.meta.Addr(node)
		return node, known
	}
}

// everywhere asks every broker that is not fenced; one that does not answer is an error.
func (a *Admin) everywhere(t *env.Task, ask func(wire.NodeID) operation) error {
	info, err := a.DescribeCluster(t)
	for i := 0; i < len(info.Brokers) && err == nil; i++ {
		if b := &info.Brokers[i]; !b.Fenced {
			op := ask(b.Node)
			op.to = a.toNode(b.Node)
			err = a.run(t, op)
		}
	}
	return err
}

// ElectionType is which leader an election is for (KIP-460).
type ElectionType int8

const (
	// PreferredLeader is the first replica, if it is in sync.
	PreferredLeader ElectionType = 0
	// UncleanLeader is any live replica of a partition without a leader. What it lacks is
	// lost.
	UncleanLeader ElectionType = 1
)

// ElectLeaders has leaders elected of some partitions, or of all with nil, and lists those
// that have got one. The first partition that is refused is the error, among them one that
// needs no election (ELECTION_NOT_NEEDED); others may have changed.
func (a *Admin) ElectLeaders(t *env.Task, kind ElectionType, tps []wire.TopicPartition) ([]wire.TopicPartition, error) {
	var elected []wire.TopicPartition
	err := a.run(t, operation{
		to: a.toController, minVersion: 1, maxVersion: 2,
		request: func(wait time.Duration) kmsg.Request {
			req := kmsg.NewPtrElectLeadersRequest()
			req.TimeoutMillis, req.ElectionType = int32(wait/time.Millisecond), int8(kind)
			for _, tp := range tps {
				if k := len(req.Topics); k == 0 || req.Topics[k-1].Topic != tp.Topic {
					req.Topics = append(req.Topics, kmsg.ElectLeadersRequestTopic{Topic: tp.Topic})
				}
				rt := &req.Topics[len(req.Topics)-1]
				rt.Partitions = append(rt.Partitions, tp.Partition)
			}
			return req
		},
		read: func(r kmsg.Response) (code int16, message *string) {
			resp := r.(*kmsg.ElectLeadersResponse)
			code, elected = resp.ErrorCode, nil
			for i := range resp.Topics {
				rt := &resp.Topics[i]
				for _, p := range rt.Partitions {
					switch {
					case p.ErrorCode == 0:
						elected = append(elected, wire.TopicPartition{Topic: rt.Topic, Partition: p.Partition})
					case code == 0:
						code, message = p.ErrorCode, p.ErrorMessage
					}
				}
			}
			return code, message
		},
	})
	slices.SortFunc(elected, wire.TopicPartition.Compare)
	return elected, err
}
