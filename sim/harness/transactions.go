package harness

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/checker/invariant"
	"odradek/sim/cluster"
)

// transactions follows transactions through the logs of all nodes: what __transaction_state
// says of them once it is committed, and the markers in their partitions.
type transactions struct {
	v       *invariants
	checker *invariant.Transactions
	shards  map[*partition]*shardLog

	records, markers int // seen
}

// shardLog is a partition of __transaction_state, as far as replicas have told of it.
type shardLog struct {
	read wire.Offset // below which the checker knows every record
	// ahead is what is in batches from there on. What only a disk has told of is not here.
	ahead map[invariant.Batch][]invariant.TransactionRecord
}

func newTransactions(v *invariants) *transactions {
	return &transactions{v: v, checker: invariant.NewTransactions(), shards: make(map[*partition]*shardLog)}
}

func (t *transactions) shard(p *partition) *shardLog {
	s := t.shards[p]
	if s == nil {
		s = &shardLog{ahead: make(map[invariant.Batch][]invariant.TransactionRecord)}
		t.shards[p] = s
	}
	return s
}

// appended takes a batch that a node has written.
func (t *transactions) appended(node wire.NodeID, l *replicaLog, batch []byte) {
	if l.part == nil {
		return
	}
	h, err := wire.ReadBatchHeader(batch)
	if err != nil {
		panic(fmt.Sprintf("harness: a batch that was appended to %v: %v", l.name, err))
	}
	if l.name.Topic == history.TransactionsTopic && !h.Control() {
		if s := t.shard(l.part); h.LastOffset() >= s.read {
			if b := batchOf(&h); s.ahead[b] == nil {
				s.ahead[b] = t.decode(l.name.TopicPartition, batch)
			}
		}
		return
	}
	if !h.Transactional() {
		return
	}
	if m, ok := l.undecided.append(&h, func() []byte { return batch }); ok {
		t.markers++
		m.Partition, m.Node = l.name.TopicPartition, node
		t.judge(l.part, t.checker.Marked(m))
	}
}

// advanced follows the high watermark and the last stable offset of a replica.
func (t *transactions) advanced(l *replicaLog) {
	hw, node := l.told.HighWatermark, l.told.Node
	if l.name.Topic == history.TransactionsTopic && hw > t.shard(l.part).read {
		t.read(l, hw)
	}
	u := &l.undecided
	if len(u.open)+len(u.ended) == 0 {
		return
	}
	for len(u.ended) > 0 && u.ended[0].marker.Offset < hw {
		m := u.ended[0].marker
		m.Partition, m.Node = l.name.TopicPartition, node
		t.checker.MarkerCommitted(m)
		u.ended = u.ended[1:]
	}
	if first, ok := u.first(); ok && hw >= 0 && l.told.LastStable > max(first.from, l.told.LogStart) {
		t.v.report(StableDecided, l.part.name.String(), fmt.Sprintf("node %d has its last stable offset at %d, but the transaction of producer id %d from offset %d on is undecided below its high watermark, %d",
			node, l.told.LastStable, first.producerID, first.from, hw))
	}
}

// read has the checker judge what is committed of __transaction_state.
func (t *transactions) read(l *replicaLog, hw wire.Offset) {
	s := t.shard(l.part)
	for _, b := range l.batches[l.index(s.read):] {
		if b.Last >= hw {
			break
		}
		list, told := s.ahead[b]
		if !told {
			list = t.onDisk(l, b)
		}
		delete(s.ahead, b)
		for _, r := range list {
			t.records++
			t.judge(l.part, t.checker.Committed(r))
		}
	}
	s.read = hw
	for b := range s.ahead { //odradek:unordered each on its own
		if b.Last < hw {
			delete(s.ahead, b) // truncated
		}
	}
}

// onDisk reads the records of a batch that no process has told of: the one that wrote it
// crashed first.
func (t *transactions) onDisk(l *replicaLog, b invariant.Batch) (list []invariant.TransactionRecord) {
	i := slices.IndexFunc(t.v.c.Nodes, func(n *cluster.Node) bool { return n.ID == l.told.Node })
	d := t.v.c.Nodes[i].Disk
	for _, name := range segments(d, l.name.TopicPartition) {
		eachBatch(d, name, func(h *wire.BatchHeader, bytes func() []byte) bool {
			if batchOf(h) != b {
				return h.BaseOffset < b.Base
			}
			if !h.Control() {
				list = t.decode(l.name.TopicPartition, bytes())
			}
			return false
		})
	}
	return list
}

// granted takes what a client was told.
func (t *transactions) granted(client string, p *history.Producer) {
	for _, x := range t.checker.Granted(invariant.Grant{TransactionalID: p.TransactionalID, Client: client, ProducerID: p.ID, Epoch: p.Epoch}) {
		t.v.report(string(x.Invariant), x.Subject, x.Sentence)
	}
}

// decode reads a batch of __transaction_state.
func (t *transactions) decode(shard wire.TopicPartition, batch []byte) []invariant.TransactionRecord {
	var list []invariant.TransactionRecord
	eachRecord(t.v.codec, batch, func(r *wire.Record) {
		var k kmsg.TxnMetadataKey
		if err := k.ReadFrom(r.Key); err != nil || k.Version != 0 {
			return // of somebody newer
		}
		x := invariant.TransactionRecord{Shard: shard, Offset: r.Offset, ID: k.TransactionalID, ProducerID: wire.NoProducerID, State: invariant.TransactionNone}
		if r.Value != nil {
			var v kmsg.TxnMetadataValue
			if err := v.ReadFrom(r.Value); err != nil {
				panic(fmt.Sprintf("harness: record %d of %v: %v", r.Offset, shard, err))
			}
			x.ProducerID, x.Epoch, x.State, x.Version = v.ProducerID, v.ProducerEpoch, invariant.TransactionState(v.State), v.ClientTransactionVersion
			for _, topic := range v.Topics {
				for _, p := range topic.Partitions {
					x.Partitions = append(x.Partitions, wire.TopicPartition{Topic: topic.Topic, Partition: p})
				}
			}
		}
		list = append(list, x)
	})
	return list
}

// eachRecord visits the records of a batch that a node has written.
func eachRecord(codec *wire.Codec, batch []byte, visit func(r *wire.Record)) {
	records, err := codec.Records(batch)
	if err != nil {
		panic(fmt.Sprintf("harness: a batch in a log: %v", err))
	}
	var r wire.Record
	for records.Next(&r) {
		visit(&r)
	}
	if err := records.Err(); err != nil {
		panic(fmt.Sprintf("harness: a batch in a log: %v", err))
	}
}

// lost: the faults explain that a partition loses what it had committed.
func (t *transactions) lost(p *partition) {
	t.checker.Lost(p.id.TopicPartition)
	if s := t.shards[p]; s != nil {
		t.checker.Excuse(p.id.TopicPartition)
		// Another history may follow from the end of a leader's log.
		for _, n := range t.v.c.Nodes {
			if l := t.v.nodes[n.ID].byName[p.id]; l != nil && l.told.Leader {
				s.read = min(s.read, l.end())
			}
		}
	}
}

func (t *transactions) judge(p *partition, list []invariant.Violation) {
	for _, x := range list {
		if p.excused {
			t.v.counts.excused++
			continue
		}
		t.v.report(string(x.Invariant), x.Subject, x.Sentence)
	}
}

// undecided is what one log has of transactions, in the order of its offsets: those that are
// open, and those whose markers are not known to be below the high watermark.
type undecided struct {
	open  []begun
	ended []ended
}

type begun struct {
	producerID int64
	from       wire.Offset
}

type ended struct {
	begun  // from is wire.NoOffset if nothing of the transaction is in the log
	marker invariant.Marker
	// reloaded: the log was opened, or truncated, since the marker came, and its replica has
	// forgotten that it does not know whether the marker is replicated (Kafka forgets with
	// a restart only). It may let readers see what the marker ends, which does no harm: the
	// outcome is decided.
	reloaded bool
}

// append takes a batch of a transaction; ok says that it is a marker.
func (u *undecided) append(h *wire.BatchHeader, bytes func() []byte) (m invariant.Marker, ok bool) {
	i := slices.IndexFunc(u.open, func(b begun) bool { return b.producerID == h.ProducerID })
	if !h.Control() {
		if i < 0 {
			u.open = append(u.open, begun{h.ProducerID, h.BaseOffset})
		}
		return m, false
	}
	end, ok, err := wire.ReadEndMarker(h, bytes())
	if err != nil {
		panic(fmt.Sprintf("harness: the marker at offset %d: %v", h.BaseOffset, err))
	}
	if !ok {
		return m, false
	}
	e := ended{begun: begun{h.ProducerID, wire.NoOffset}, marker: invariant.Marker{Offset: h.BaseOffset, ProducerID: h.ProducerID, Epoch: h.ProducerEpoch, Commit: end.Commit}}
	if i >= 0 {
		e.begun = u.open[i]
		u.open = slices.Delete(u.open, i, i+1)
	}
	u.ended = append(u.ended, e)
	return e.marker, true
}

// truncate takes away everything from an offset on.
func (u *undecided) truncate(to wire.Offset) {
	if len(u.open)+len(u.ended) == 0 {
		return
	}
	k := len(u.ended)
	for ; k > 0 && u.ended[k-1].marker.Offset >= to; k-- {
		if e := &u.ended[k-1]; e.from != wire.NoOffset {
			u.open = append(u.open, e.begun)
		}
	}
	u.ended = u.ended[:k]
	u.reloaded()
	u.open = slices.DeleteFunc(u.open, func(b begun) bool { return b.from >= to })
	slices.SortFunc(u.open, func(a, b begun) int { return int(a.from - b.from) })
}

// reloaded follows the replica's reading of its log anew.
func (u *undecided) reloaded() {
	for i := range u.ended {
		u.ended[i].reloaded = true
	}
}

// first is the one that begins first; false if there is none.
func (u *undecided) first() (f begun, ok bool) {
	if len(u.open) > 0 {
		f, ok = u.open[0], true
	}
	for i := range u.ended {
		if e := &u.ended[i]; e.from != wire.NoOffset && !e.reloaded && (!ok || e.from < f.from) {
			f, ok = e.begun, true
		}
	}
	return f, ok
}
