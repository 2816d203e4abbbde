package group

import (
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/wire"
)

// OffsetCommit (key 8, versions 2-9) and TxnOffsetCommit (key 28, versions 0-5; KIP-98,
// KIP-447). A commit is one batch: all its partitions or none.
//
// Generation -1 with no member is somebody outside of the group, who may commit only while
// it is empty; a group that does not exist begins to. Members commit with their
// generation, but not between JoinGroup and SyncGroup (REBALANCE_IN_PROGRESS). A
// transaction may commit at any time, and from version 3 on says which member it is.
// A retention time (versions 2-4) makes the offsets expire on their own.
//
// Differences from Kafka: what is in excess of a batch is INVALID_COMMIT_OFFSET_SIZE here
// before anything is written. A transaction with an older producer epoch than that of the
// pending offsets is INVALID_PRODUCER_EPOCH; where there are none, the partition's
// producer state has to refuse it before it comes here.
func (t *turn) offsetCommit(r coordinator.Request, req *kmsg.OffsetCommitRequest) {
	by := committer{member: req.MemberID, instance: req.InstanceID, generation: req.Generation, version: req.Version}
	if err := t.mayCommit(req.Group, by); err != nil {
		t.refuse(r, err)
		return
	}
	if g := t.m.groups[req.Group]; g != nil && by.generation >= 0 {
		g.active(t, req.MemberID)
	}
	expires := int64(noExpiry)
	if req.Version <= 4 && req.RetentionTimeMillis != -1 {
		expires = addClamped(t.at.Wall, req.RetentionTimeMillis)
	}
	var records []coordinator.Record
	resp := wire.AnswerOffsetCommit(req, func(tp wire.TopicPartition, p *kmsg.OffsetCommitRequestTopicPartition) int16 {
		o := offset{at: p.Offset, leaderEpoch: p.LeaderEpoch, metadata: text(p.Metadata), committed: t.at.Wall, expires: expires}
		return t.commitOffset(req.Group, tp, o, &records)
	})
	t.committed(r, resp, coordinator.Batch{Records: records})
}

func (t *turn) txnOffsetCommit(r coordinator.Request, req *kmsg.TxnOffsetCommitRequest) {
	by := committer{member: req.MemberID, instance: req.InstanceID, generation: req.Generation, transactional: true, version: req.Version}
	err := t.mayCommit(req.Group, by)
	if p := t.m.offsets.pending[req.ProducerID]; err == nil && p != nil && req.ProducerEpoch < p.epoch {
		err = kerr.InvalidProducerEpoch
	}
	if err != nil {
		t.refuse(r, err)
		return
	}
	var records []coordinator.Record
	resp := wire.AnswerTxnOffsetCommit(req, func(tp wire.TopicPartition, p *kmsg.TxnOffsetCommitRequestTopicPartition) int16 {
		o := offset{at: p.Offset, leaderEpoch: p.LeaderEpoch, metadata: text(p.Metadata), committed: t.at.Wall, expires: noExpiry}
		return t.commitOffset(req.Group, tp, o, &records)
	})
	t.committed(r, resp, coordinator.Batch{
		Records: records, Transaction: &coordinator.Transaction{ProducerID: req.ProducerID, Epoch: req.ProducerEpoch},
	})
}

// commitOffset adds the record of an offset, or is the error code that it has.
func (t *turn) commitOffset(group string, tp wire.TopicPartition, o offset, records *[]coordinator.Record) int16 {
	err := t.checkOffset(tp, o)
	if err == nil {
		*records = append(*records, offsetRecord(group, tp, o))
	}
	return code(err)
}

// committed writes the offsets of a commit, and answers it.
func (t *turn) committed(r coordinator.Request, resp kmsg.Response, b coordinator.Batch) {
	if coordinator.SizeOf(b.Records...) > t.batchLimit() {
		t.refuse(r, kerr.InvalidCommitOffsetSize)
		return
	}
	if len(b.Records) > 0 {
		t.out.Batches = append(t.out.Batches, b)
	}
	t.reply(waiting{r.Token, resp.GetVersion()}, resp)
}

// mayCommit is why the sender may not commit to a group, or nil.
func (t *turn) mayCommit(id string, by committer) *kerr.Error {
	switch g := t.m.groups[id]; {
	case len(id) > maxString:
		return kerr.InvalidGroupID
	case g != nil:
		return g.checkCommit(by)
	case by.generation < 0:
		return nil
	case !by.transactional && by.version >= 9: // KIP-848
		return kerr.GroupIDNotFound
	}
	return kerr.IllegalGeneration
}

// checkOffset is why an offset cannot be committed, or nil.
func (t *turn) checkOffset(tp wire.TopicPartition, o offset) *kerr.Error {
	topic := t.at.Image.Topic(tp.Topic)
	switch {
	case !hasPartition(t.at.Image, tp.Topic, tp.Partition):
		return kerr.UnknownTopicOrPartition
	case len(o.metadata) > min(t.m.cfg.Broker.OffsetMetadataMaxBytes, maxString):
		return kerr.OffsetMetadataTooLarge
	}
	t.m.offsets.saw(tp.Topic, topic.ID)
	return nil
}

// saw notes that the metadata have a topic for which an offset is about to be replayed.
func (os *offsets) saw(topic string, id wire.UUID) {
	if u := os.topics[topic]; u == nil {
		os.topics[topic] = &topicUse{id: id}
	} else if u.id.IsZero() {
		u.id = id
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// addClamped is a time ms after another, not before 0 and not beyond the last there is.
func addClamped(at, ms int64) int64 {
	if ms > 0 && at > math.MaxInt64-ms {
		return math.MaxInt64
	}
	return max(at+ms, 0)
}
