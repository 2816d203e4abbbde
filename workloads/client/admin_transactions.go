package client

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/coordinator"
)

// ProducerState is what the leader of a partition knows about a producer.
type ProducerState struct {
	ProducerID    int64
	Epoch         int16
	LastSequence  int32
	LastTimestamp int64 // ms
	// CoordinatorEpoch of the last marker, -1 if there was none.
	CoordinatorEpoch int32
	// TransactionStart is the first offset of the open transaction, NoOffset without one.
	TransactionStart wire.Offset
}

// DescribeProducers lists the producers that a partition's leader knows, by id.
func (a *Admin) DescribeProducers(t *env.Task, tp wire.TopicPartition) ([]ProducerState, error) {
	defer a.useTopic(tp.Topic)()
	var states []ProducerState
	err := a.run(t, operation{
		to: a.toLeader(tp), minVersion: 0, maxVersion: 0,
		request: func(time.Duration) kmsg.Request {
			req := kmsg.NewPtrDescribeProducersRequest()
			rt := kmsg.NewDescribeProducersRequestTopic()
			rt.Topic, rt.Partitions = tp.Topic, []int32{tp.Partition}
			req.Topics = append(req.Topics, rt)
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.DescribeProducersResponse)
			if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
				return missing()
			}
			p := &resp.Topics[0].Partitions[0]
			states = nil
			for _, s := range p.ActiveProducers {
				states = append(states, ProducerState{
					ProducerID: s.ProducerID, Epoch: int16(s.ProducerEpoch), LastSequence: s.LastSequence,
					LastTimestamp: s.LastTimestamp, CoordinatorEpoch: s.CoordinatorEpoch,
					TransactionStart: wire.Offset(s.CurrentTxnStartOffset),
				})
			}
			return p.ErrorCode, p.ErrorMessage
		},
	})
	slices.SortFunc(states, func(x, y ProducerState) int { return cmp.Compare(x.ProducerID, y.ProducerID) })
	return states, err
}

// TransactionDescription is what the coordinator knows about a transactional id.
type TransactionDescription struct {
	TransactionalID string
	// State is Kafka's name: Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit,
	// CompleteAbort, Dead.
	State      string
	ProducerID int64
	Epoch      int16
	Timeout    time.Duration
	// Started is when the open transaction began, in ms since the epoch; -1 without one.
	Started int64
	// Partitions of the open transaction, sorted.
	Partitions []wire.TopicPartition
}

// DescribeTransaction asks the coordinator about a transactional id.
func (a *Admin) DescribeTransaction(t *env.Task, id string) (TransactionDescription, error) {
	var d TransactionDescription
	err := a.run(t, operation{
		of: coordinated{coordinator.Transaction, id}, minVersion: 0, maxVersion: 0,
		request: func(time.Duration) kmsg.Request {
			req := kmsg.NewPtrDescribeTransactionsRequest()
			req.TransactionalIDs = []string{id}
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.DescribeTransactionsResponse)
			if len(resp.TransactionStates) != 1 {
				return missing()
			}
			s := &resp.TransactionStates[0]
			d = TransactionDescription{
				TransactionalID: s.TransactionalID, State: s.State, ProducerID: s.ProducerID, Epoch: s.ProducerEpoch,
				Timeout: time.Duration(s.TimeoutMillis) * time.Millisecond, Started: s.StartTimestamp,
			}
			for _, st := range s.Topics {
				for _, p := range st.Partitions {
					d.Partitions = append(d.Partitions, wire.TopicPartition{Topic: st.Topic, Partition: p})
				}
			}
			slices.SortFunc(d.Partitions, wire.TopicPartition.Compare)
			return s.ErrorCode, nil
		},
	})
	return d, err
}

// TransactionListing is a transactional id as listed.
type TransactionListing struct {
	TransactionalID string
	ProducerID      int64
	State           string
	Coordinator     wire.NodeID
}

// ListTransactions lists the transactional ids of all coordinators, by id: those in one
// of the states and of one of the producer ids, if any are given. A broker that does not
// answer makes it fail.
func (a *Admin) ListTransactions(t *env.Task, states []string, producerIDs []int64) ([]TransactionListing, error) {
	var all []TransactionListing
	err := a.everywhere(t, func(node wire.NodeID) operation {
		return operation{
			minVersion: 0, maxVersion: 0,
			request: func(time.Duration) kmsg.Request {
				req := kmsg.NewPtrListTransactionsRequest()
				req.StateFilters, req.ProducerIDFilters = states, producerIDs
				return req
			},
			read: func(r kmsg.Response) (int16, *string) {
				resp := r.(*kmsg.ListTransactionsResponse)
				if resp.ErrorCode != 0 {
					return resp.ErrorCode, nil
				}
				for _, s := range resp.TransactionStates {
					all = append(all, TransactionListing{
						TransactionalID: s.TransactionalID, ProducerID: s.ProducerID, State: s.TransactionState, Coordinator: node,
					})
				}
				return 0, nil
			},
		}
	})
	slices.SortFunc(all, func(x, y TransactionListing) int {
		return cmp.Or(cmp.Compare(x.TransactionalID, y.TransactionalID), cmp.Compare(x.Coordinator, y.Coordinator))
	})
	return all, err
}

// FenceProducer makes the coordinator end the transaction of a transactional id and
// refuse its producer from now on, as a new producer would; it gives the id and epoch
// that a new producer would have got.
func (a *Admin) FenceProducer(t *env.Task, id string) (producerID int64, epoch int16, err error) {
	err = a.run(t, operation{
		of: coordinated{coordinator.Transaction, id}, minVersion: 0, maxVersion: 5,
		request: func(wait time.Duration) kmsg.Request {
			req := kmsg.NewPtrInitProducerIDRequest()
			req.TransactionalID = &id
			req.TransactionTimeoutMillis = int32(max(wait/time.Millisecond, 1))
			req.ProducerID, req.ProducerEpoch = wire.NoProducerID, wire.NoProducerEpoch
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.InitProducerIDResponse)
			producerID, epoch = resp.ProducerID, resp.ProducerEpoch
			return resp.ErrorCode, nil
		},
	})
	return producerID, epoch, err
}

// AbortTransaction writes an abort marker into one partition, past the coordinator, as
// kafka-transactions.sh does for a transaction that hangs: one that the coordinator does
// not know. coordinatorEpoch is the one of the producer's state (DescribeProducers), or
// 0 if that has none.
func (a *Admin) AbortTransaction(t *env.Task, tp wire.TopicPartition, producerID int64, epoch int16, coordinatorEpoch int32) error {
	defer a.useTopic(tp.Topic)()
	return a.run(t, operation{
		to: a.toLeader(tp), minVersion: 1, maxVersion: 1,
		request: func(time.Duration) kmsg.Request {
			req := kmsg.NewPtrWriteTxnMarkersRequest()
			m := kmsg.NewWriteTxnMarkersRequestMarker()
			m.ProducerID, m.ProducerEpoch, m.CoordinatorEpoch = producerID, epoch, max(coordinatorEpoch, 0)
			mt := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
			mt.Topic, mt.Partitions = tp.Topic, []int32{tp.Partition}
			m.Topics = append(m.Topics, mt)
			req.Markers = append(req.Markers, m)
			return req
		},
		read: func(r kmsg.Response) (int16, *string) {
			resp := r.(*kmsg.WriteTxnMarkersResponse)
			if len(resp.Markers) != 1 || len(resp.Markers[0].Topics) != 1 || len(resp.Markers[0].Topics[0].Partitions) != 1 {
				return missing()
			}
			return resp.Markers[0].Topics[0].Partitions[0].ErrorCode, nil
		},
	})
}
