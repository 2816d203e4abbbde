package broker_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
)

// beginTransactions has node 1 coordinate transactions, with a transactional id "versions"
// whose producer it returns.
func (l *lab) beginTransactions(task *env.Task) (producerID int64, epoch int16) {
	l.t.Helper()
	conn := l.dial(task, 1)
	defer conn.c.Close()
	for range 200 {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorType, find.CoordinatorKeys = 1, []string{"versions"}
		if conn.call(task, find, 4).(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode == 0 {
			init := kmsg.NewPtrInitProducerIDRequest()
			init.TransactionalID, init.TransactionTimeoutMillis = kmsg.StringPtr("versions"), 60_000
			if r := conn.call(task, init, 4).(*kmsg.InitProducerIDResponse); r.ErrorCode == 0 {
				return r.ProducerID, r.ProducerEpoch
			}
		}
		task.Sleep(l.env.Clock, 50*time.Millisecond)
	}
	l.t.Fatal("no coordinator of transactions")
	return 0, 0
}

// servedTransactions is what TestEveryVersionIsAnswered asks of transactions, after
// beginTransactions.
func servedTransactions(producerID int64, epoch int16) map[kmsg.Key]served {
	return map[kmsg.Key]served{
		kmsg.AddPartitionsToTxn: {0, 5, func(v int16) kmsg.Request {
			r := kmsg.NewPtrAddPartitionsToTxnRequest()
			r.TransactionalID, r.ProducerID, r.ProducerEpoch = "versions", producerID, epoch
			r.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "orders", Partitions: []int32{0, 9}}}
			for _, id := range []string{"versions", "unknown"} {
				r.Transactions = append(r.Transactions, kmsg.AddPartitionsToTxnRequestTransaction{
					TransactionalID: id, ProducerID: producerID, ProducerEpoch: epoch, VerifyOnly: true,
					Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: "orders", Partitions: []int32{0}}},
				})
			}
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			r := resp.(*kmsg.AddPartitionsToTxnResponse)
			switch {
			case v < 4:
				p := r.Topics[0].Partitions
				wantCode(t, "a partition that is", p[0].ErrorCode, kerr.OperationNotAttempted)
				wantCode(t, "a partition that is not", p[1].ErrorCode, kerr.UnknownTopicOrPartition)
			case len(r.Transactions) != 2 || r.Transactions[1].TransactionalID != "unknown":
				t.Errorf("answer %+v", r)
			default:
				missing := kerr.TransactionAbortable
				if v < 5 {
					missing = kerr.InvalidTxnState
				}
				wantCode(t, "a partition that was not added", r.Transactions[0].Topics[0].Partitions[0].ErrorCode, missing)
				wantCode(t, "an id that is not known", r.Transactions[1].Topics[0].Partitions[0].ErrorCode, kerr.InvalidProducerIDMapping)
			}
		}},
		kmsg.AddOffsetsToTxn: {0, 4, func(v int16) kmsg.Request {
			r := kmsg.NewPtrAddOffsetsToTxnRequest()
			r.TransactionalID, r.Group, r.ProducerID, r.ProducerEpoch = "versions", "versions", producerID, epoch+1
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			wantCode(t, "another epoch", resp.(*kmsg.AddOffsetsToTxnResponse).ErrorCode, fencedSince(2, v))
		}},
		kmsg.EndTxn: {0, 5, func(v int16) kmsg.Request {
			r := kmsg.NewPtrEndTxnRequest()
			r.TransactionalID, r.ProducerID, r.ProducerEpoch = "versions", producerID, epoch+2
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			r := resp.(*kmsg.EndTxnResponse)
			wantCode(t, "another epoch", r.ErrorCode, fencedSince(2, v))
			if v >= 5 && (r.ProducerID != -1 || r.ProducerEpoch != -1) {
				t.Errorf("answer %+v", r)
			}
		}},
		kmsg.WriteTxnMarkers: {1, 2, func(v int16) kmsg.Request {
			r := kmsg.NewPtrWriteTxnMarkersRequest()
			m := kmsg.NewWriteTxnMarkersRequestMarker()
			m.ProducerID, m.ProducerEpoch, m.TransactionVersion = 7777, 1, 2
			m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: "orders", Partitions: []int32{9}}}
			r.Markers = append(r.Markers, m)
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			m := resp.(*kmsg.WriteTxnMarkersResponse).Markers[0]
			if m.ProducerID != 7777 || m.Topics[0].Topic != "orders" || m.Topics[0].Partitions[0].Partition != 9 {
				t.Errorf("answer %+v", m)
			}
			wantCode(t, "a partition that does not exist", m.Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
		}},
		kmsg.TxnOffsetCommit: {0, 5, func(v int16) kmsg.Request {
			r := kmsg.NewPtrTxnOffsetCommitRequest()
			r.TransactionalID, r.Group, r.ProducerID, r.ProducerEpoch = "unknown", "versions", producerID, epoch
			r.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "orders", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Offset: 3, LeaderEpoch: -1}}}}
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			wantCode(t, "an id that is not known", resp.(*kmsg.TxnOffsetCommitResponse).Topics[0].Partitions[0].ErrorCode, kerr.InvalidProducerIDMapping)
		}},
		kmsg.DescribeTransactions: {0, 0, func(v int16) kmsg.Request {
			r := kmsg.NewPtrDescribeTransactionsRequest()
			r.TransactionalIDs = []string{"unknown", "versions"}
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			s := resp.(*kmsg.DescribeTransactionsResponse).TransactionStates
			wantCode(t, "an id that is not known", s[0].ErrorCode, kerr.TransactionalIDNotFound)
			if s[1].ErrorCode != 0 || s[1].State != "Empty" || s[1].ProducerID != producerID || s[1].TimeoutMillis != 60_000 {
				t.Errorf("answer %+v", s)
			}
		}},
		kmsg.ListTransactions: {0, 2, func(v int16) kmsg.Request {
			r := kmsg.NewPtrListTransactionsRequest()
			r.StateFilters, r.TransactionalIDPattern = []string{"Empty", "Lost"}, kmsg.StringPtr("ver.*")
			return r
		}, func(t *testing.T, v int16, resp kmsg.Response) {
			r := resp.(*kmsg.ListTransactionsResponse)
			if r.ErrorCode != 0 || len(r.UnknownStateFilters) != 1 || len(r.TransactionStates) != 1 || r.TransactionStates[0].TransactionalID != "versions" {
				t.Errorf("answer %+v", r)
			}
		}},
	}
}

// fencedSince is the error for an epoch that is over, which is PRODUCER_FENCED since a version.
func fencedSince(since, v int16) *kerr.Error {
	if v < since {
		return kerr.InvalidProducerEpoch
	}
	return kerr.ProducerFenced
}
