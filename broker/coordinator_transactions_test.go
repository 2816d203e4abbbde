package broker_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// inTransaction is a TxnOffsetCommit of orders-0 by nobody in particular.
func inTransaction(id string, producer int64, epoch int16, offset int64) *kmsg.TxnOffsetCommitRequest {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = id, "g", producer, epoch
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset, p.LeaderEpoch, p.Metadata = offset, -1, kmsg.StringPtr("")
	req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "orders", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{p}}}
	return req
}

func inTransactionCode(r kmsg.Response) int16 {
	return r.(*kmsg.TxnOffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
}

// transactional is a producer with a transactional id, and how to end its transactions.
type transactional struct {
	l        *lab
	id       string
	at       wire.NodeID // its coordinator
	conn     *rawConn    // to that
	producer int64
	epoch    int16
}

func (l *lab) transactional(task *env.Task, id string) *transactional {
	l.t.Helper()
	tx := &transactional{l: l, id: id}
	conn := l.dial(task, 1)
	for range 100 {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorType, req.CoordinatorKeys = 1, []string{id}
		c := conn.call(task, req, 4).(*kmsg.FindCoordinatorResponse).Coordinators[0]
		if c.ErrorCode == 0 {
			tx.at = wire.NodeID(c.NodeID)
			tx.conn = l.dial(task, tx.at)
			break
		}
		task.Sleep(l.env.Clock, 50*time.Millisecond)
	}
	tx.init(task)
	return tx
}

func (tx *transactional) init(task *env.Task) {
	tx.l.t.Helper()
	for range 100 {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = &tx.id, 60000
		r := tx.conn.call(task, req, 4).(*kmsg.InitProducerIDResponse)
		if r.ErrorCode == 0 {
			tx.producer, tx.epoch = r.ProducerID, r.ProducerEpoch
			return
		}
		if code := r.ErrorCode; code != kerr.CoordinatorLoadInProgress.Code && code != kerr.ConcurrentTransactions.Code {
			tx.l.t.Fatalf("init: %v", kerr.ErrorForCode(code))
		}
		task.Sleep(tx.l.env.Clock, 20*time.Millisecond)
	}
	tx.l.t.Fatal("the producer gets no id")
}

func (tx *transactional) addOffsets(task *env.Task) {
	tx.l.t.Helper()
	for range 100 {
		req := kmsg.NewPtrAddOffsetsToTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = tx.id, tx.producer, tx.epoch, "g"
		r := tx.conn.call(task, req, 3).(*kmsg.AddOffsetsToTxnResponse)
		if r.ErrorCode != kerr.ConcurrentTransactions.Code {
			wantCode(tx.l.t, "add offsets", r.ErrorCode, nil)
			return
		}
		task.Sleep(tx.l.env.Clock, 10*time.Millisecond)
	}
}

func (tx *transactional) end(task *env.Task, commit bool) {
	tx.l.t.Helper()
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = tx.id, tx.producer, tx.epoch, commit
	wantCode(tx.l.t, "end", tx.conn.call(task, req, 3).(*kmsg.EndTxnResponse).ErrorCode, nil)
}

func TestOffsetsOfATransaction(t *testing.T) {
	l := newLab(t, 3, map[string]string{
		"transaction.state.log.replication.factor": "3", "transaction.state.log.min.isr": "1", "transaction.state.log.num.partitions": "2",
	})
	l.do(func(task *env.Task) {
		l.createTopic(task, "orders", nil, []int32{1, 2, 3})
		at, resp, _ := l.settled(task, 1, "g", commitOf("g", "", -1, "orders", 1), 6, commitCode)
		wantCode(t, "plain commit", commitCode(resp), nil)
		tx := l.transactional(task, "tx")
		commit := func(epoch int16, offset int64) int16 {
			t.Helper()
			var resp kmsg.Response
			at, resp, _ = l.settled(task, at, "g", inTransaction("tx", tx.producer, epoch, offset), 3, inTransactionCode)
			return inTransactionCode(resp)
		}
		// stable is the offset that is read once no transaction is open.
		stable := func() []int64 {
			t.Helper()
			req := offsetsOf("g")
			req.RequireStable = true
			for range 300 {
				_, resp, _ := l.settled(task, at, "g", req, 8, fetchCode)
				if p := resp.(*kmsg.OffsetFetchResponse).Groups[0].Topics[0].Partitions[0]; p.ErrorCode != kerr.UnstableOffsetCommit.Code {
					return fetched(resp)
				}
				task.Sleep(l.env.Clock, 10*time.Millisecond)
			}
			return nil
		}
		wantCode(t, "a partition that the transaction does not have", commit(tx.epoch, 2), kerr.InvalidTxnState)

		tx.addOffsets(task)
		wantCode(t, "commit in the transaction", commit(tx.epoch, 2), nil)
		_, resp, _ = l.settled(task, at, "g", offsetsOf("g"), 8, fetchCode)
		if diff := cmp.Diff([]int64{1}, fetched(resp)); diff != "" {
			t.Errorf("while the transaction is open: %s", diff)
		}
		tx.end(task, true)
		if diff := cmp.Diff([]int64{2}, stable()); diff != "" {
			t.Errorf("after the commit: %s", diff)
		}

		tx.addOffsets(task)
		wantCode(t, "commit in the next transaction", commit(tx.epoch, 3), nil)
		tx.end(task, false)
		if diff := cmp.Diff([]int64{2}, stable()); diff != "" {
			t.Errorf("after the abort: %s", diff)
		}

		// The group's coordinator dies in mid-transaction: the next one knows of it.
		tx.addOffsets(task)
		wantCode(t, "commit before the coordinator dies", commit(tx.epoch, 4), nil)
		dead := at
		if tx.at == dead {
			t.Fatal("the transaction's coordinator is the group's: choose another transactional id")
		}
		l.c.Node(dead).Crash()
		for at == dead {
			task.Sleep(l.env.Clock, 50*time.Millisecond)
			at, _ = l.find(task, tx.at, "g")
		}
		tx.end(task, true)
		if diff := cmp.Diff([]int64{4}, stable()); diff != "" {
			t.Errorf("after the coordinator died: %s", diff)
		}

		// A new life of the producer fences the old one.
		old := tx.epoch
		tx.init(task)
		tx.addOffsets(task)
		wantCode(t, "the new life", commit(tx.epoch, 5), nil)
		wantCode(t, "the old life", commit(old, 6), kerr.InvalidProducerEpoch)
		wantCode(t, "no producer at all", func() int16 {
			_, resp, _ := l.settled(task, at, "g", inTransaction("tx", -1, -1, 7), 3, inTransactionCode)
			return inTransactionCode(resp)
		}(), kerr.InvalidProducerIDMapping)
		tx.end(task, true)
		if diff := cmp.Diff([]int64{5}, stable()); diff != "" {
			t.Errorf("after the fencing: %s", diff)
		}

		// From version 5 on the commit itself takes the partition into the transaction (KIP-890).
		_, resp, _ = l.settled(task, at, "g", inTransaction("tx", tx.producer, tx.epoch, 8), 5, inTransactionCode)
		wantCode(t, "version 5", inTransactionCode(resp), nil)
		end := kmsg.NewPtrEndTxnRequest()
		end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = "tx", tx.producer, tx.epoch, true
		e := tx.conn.call(task, end, 5).(*kmsg.EndTxnResponse)
		if e.ErrorCode != 0 || e.ProducerID != tx.producer || e.ProducerEpoch != tx.epoch+1 {
			t.Errorf("end in version 5: %+v", e)
		}
		if diff := cmp.Diff([]int64{8}, stable()); diff != "" {
			t.Errorf("after version 5: %s", diff)
		}
	})
}
