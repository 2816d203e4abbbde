package clienttest

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// Transaction is what the cluster knows about a transactional id. Markers are written in
// the moment in which a transaction ends.
type Transaction struct {
	ID         string
	ProducerID int64
	Epoch      int16
	Open       bool
	// Partitions and offsets by group of the open transaction.
	Partitions map[wire.TopicPartition]bool
	Offsets    map[string]map[wire.TopicPartition]Committed
	// Committed and Aborted count those that ended; last is how the last one did.
	Committed, Aborted int
	last               bool
	joined             map[string]bool
}

// Transaction finds a transactional id; nil if it is unknown.
func (c *Cluster) Transaction(id string) *Transaction { return c.transactions[id] }

// Expire aborts an open transaction as its coordinator does when it takes too long.
func (c *Cluster) Expire(id string) {
	t := c.transactions[id]
	t.Epoch++
	c.finish(t, false)
}

func (t *Transaction) clear() {
	t.Open = false
	t.Partitions = make(map[wire.TopicPartition]bool)
	t.Offsets = make(map[string]map[wire.TopicPartition]Committed)
	t.joined = make(map[string]bool)
}

// finish writes the markers, in the current epoch, and makes offsets final.
func (c *Cluster) finish(t *Transaction, commit bool) {
	for _, tp := range slices.SortedFunc(maps.Keys(t.Partitions), wire.TopicPartition.Compare) {
		if p := c.Partition(tp); p != nil {
			p.Append(wire.BuildEndMarker(t.ProducerID, t.Epoch, wire.EndMarker{Commit: commit}, 1))
		}
	}
	if commit {
		t.Committed++
		for group, offsets := range t.Offsets { //odradek:unordered independent
			maps.Copy(c.Group(group).Offsets, offsets)
		}
	} else {
		t.Aborted++
	}
	t.clear()
	t.last = commit
}

// owner finds the transactional id and checks who asks.
func (c *Cluster) owner(node wire.NodeID, id string, producer int64, epoch int16) (*Transaction, int16) {
	t := c.transactions[id]
	switch code := c.coordinates(node, id); {
	case code != 0:
		return nil, code
	case t == nil || t.ProducerID != producer:
		return nil, kerr.InvalidProducerIDMapping.Code
	case t.Epoch != epoch:
		return nil, kerr.ProducerFenced.Code
	}
	return t, 0
}

func (c *Cluster) initProducerID(node wire.NodeID, req *kmsg.InitProducerIDRequest, f Fault) kmsg.Response {
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	resp.ErrorCode = f.code(func() int16 {
		if req.TransactionalID == nil {
			c.producers++
			resp.ProducerID, resp.ProducerEpoch = c.producers, 0
			return 0
		}
		id := *req.TransactionalID
		if code := c.coordinates(node, id); code != 0 {
			return code
		}
		t := c.transactions[id]
		switch {
		case t == nil:
			c.producers++
			t = &Transaction{ID: id, ProducerID: c.producers, Epoch: -1}
			t.clear()
			c.transactions[id] = t
		case req.ProducerID >= 0 && (req.ProducerID != t.ProducerID || req.ProducerEpoch != t.Epoch):
			return kerr.ProducerFenced.Code
		}
		t.Epoch++
		if t.Open {
			c.finish(t, false)
		}
		resp.ProducerID, resp.ProducerEpoch = t.ProducerID, t.Epoch
		return 0
	})
	if resp.ErrorCode != 0 {
		resp.ProducerID, resp.ProducerEpoch = -1, -1
	}
	return resp
}

func (c *Cluster) enlist(node wire.NodeID, req *kmsg.AddPartitionsToTxnRequest, f Fault) kmsg.Response {
	resp := kmsg.NewPtrAddPartitionsToTxnResponse()
	code := f.code(func() int16 {
		t, code := c.owner(node, req.TransactionalID, req.ProducerID, req.ProducerEpoch)
		if code != 0 {
			return code
		}
		t.Open = true
		for _, rt := range req.Topics {
			for _, p := range rt.Partitions {
				t.Partitions[wire.TopicPartition{Topic: rt.Topic, Partition: p}] = true
			}
		}
		return 0
	})
	for _, rt := range req.Topics {
		at := kmsg.NewAddPartitionsToTxnResponseTopic()
		at.Topic = rt.Topic
		for _, p := range rt.Partitions {
			ap := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
			ap.Partition, ap.ErrorCode = p, code
			at.Partitions = append(at.Partitions, ap)
		}
		resp.Topics = append(resp.Topics, at)
	}
	return resp
}

func (c *Cluster) addOffsets(node wire.NodeID, req *kmsg.AddOffsetsToTxnRequest, f Fault) kmsg.Response {
	resp := kmsg.NewPtrAddOffsetsToTxnResponse()
	resp.ErrorCode = f.code(func() int16 {
		t, code := c.owner(node, req.TransactionalID, req.ProducerID, req.ProducerEpoch)
		if code == 0 {
			t.Open = true
			t.joined[req.Group] = true
		}
		return code
	})
	return resp
}

func (c *Cluster) commitOffsets(node wire.NodeID, req *kmsg.TxnOffsetCommitRequest, f Fault) kmsg.Response {
	resp := kmsg.NewPtrTxnOffsetCommitResponse()
	code := f.code(func() int16 {
		if code := c.coordinates(node, req.Group); code != 0 {
			return code
		}
		t := c.transactions[req.TransactionalID]
		switch {
		case t == nil || t.ProducerID != req.ProducerID:
			return kerr.InvalidProducerIDMapping.Code
		case t.Epoch != req.ProducerEpoch:
			return kerr.InvalidProducerEpoch.Code
		case req.Version < 5 && !t.joined[req.Group]:
			return kerr.InvalidTxnState.Code
		}
		t.Open = true
		if t.Offsets[req.Group] == nil {
			t.Offsets[req.Group] = make(map[wire.TopicPartition]Committed)
		}
		for _, rt := range req.Topics {
			for _, p := range rt.Partitions {
				t.Offsets[req.Group][wire.TopicPartition{Topic: rt.Topic, Partition: p.Partition}] = committed(p.Offset, p.LeaderEpoch, p.Metadata)
			}
		}
		return 0
	})
	for _, rt := range req.Topics {
		ct := kmsg.NewTxnOffsetCommitResponseTopic()
		ct.Topic = rt.Topic
		for _, p := range rt.Partitions {
			cp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			cp.Partition, cp.ErrorCode = p.Partition, code
			ct.Partitions = append(ct.Partitions, cp)
		}
		resp.Topics = append(resp.Topics, ct)
	}
	return resp
}

func (c *Cluster) endTransaction(node wire.NodeID, req *kmsg.EndTxnRequest, f Fault) kmsg.Response {
	resp := kmsg.NewPtrEndTxnResponse()
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	bumps := req.Version >= 5
	resp.ErrorCode = f.code(func() int16 {
		t := c.transactions[req.TransactionalID]
		again := t != nil && !t.Open && t.last == req.Commit && t.Committed+t.Aborted > 0
		if bumps && again && t.ProducerID == req.ProducerID && t.Epoch == req.ProducerEpoch+1 &&
			c.coordinates(node, t.ID) == 0 {
			resp.ProducerID, resp.ProducerEpoch = t.ProducerID, t.Epoch
			return 0
		}
		t, code := c.owner(node, req.TransactionalID, req.ProducerID, req.ProducerEpoch)
		switch {
		case code != 0:
			return code
		case !bumps && again:
			return 0
		case !t.Open && (!bumps || req.Commit):
			return kerr.InvalidTxnState.Code
		}
		if bumps {
			t.Epoch++
			resp.ProducerID, resp.ProducerEpoch = t.ProducerID, t.Epoch
		}
		c.finish(t, req.Commit)
		return 0
	})
	return resp
}

// verify tells whether a transactional batch may be written, and in the second protocol
// adds its partition to the transaction.
func (c *Cluster) verify(req *kmsg.ProduceRequest, tp wire.TopicPartition, h *wire.BatchHeader) int16 {
	if !h.Transactional() {
		return 0
	}
	if req.TransactionID == nil {
		return kerr.InvalidRequest.Code
	}
	t := c.transactions[*req.TransactionID]
	switch {
	case t == nil || t.ProducerID != h.ProducerID:
		return kerr.InvalidProducerIDMapping.Code
	case t.Epoch != h.ProducerEpoch:
		return kerr.InvalidProducerEpoch.Code
	case req.Version >= 12:
		t.Open = true
		t.Partitions[tp] = true
	case !t.Partitions[tp]:
		return kerr.InvalidTxnState.Code
	}
	return 0
}

// transact serves the requests of transactional producers.
func (c *Cluster) transact(node wire.NodeID, req kmsg.Request, f Fault) (kmsg.Response, bool) {
	switch req := req.(type) {
	case *kmsg.FindCoordinatorRequest:
		return c.findCoordinator(req, f), true
	case *kmsg.InitProducerIDRequest:
		return c.initProducerID(node, req, f), true
	case *kmsg.AddPartitionsToTxnRequest:
		return c.enlist(node, req, f), true
	case *kmsg.AddOffsetsToTxnRequest:
		return c.addOffsets(node, req, f), true
	case *kmsg.TxnOffsetCommitRequest:
		return c.commitOffsets(node, req, f), true
	case *kmsg.EndTxnRequest:
		return c.endTransaction(node, req, f), true
	}
	return nil, false
}
