package raft_test

import (
	"encoding/binary"
	"fmt"
	"slices"

	"odradek/broker/failpoint"
	"odradek/broker/raft"
	"odradek/broker/wire"
)

// node is a decider and a shell around it.
type node struct {
	c      *cluster
	id     wire.NodeID
	voters []wire.NodeID
	cfg    raft.Config
	fail   failpoint.Registry
	up     bool
	hold   bool // the disk does not complete anything
	raft   *raft.Raft
	now    int64
	life   int // counts restarts
	tokens map[raft.Token]*message
	token  raft.Token

	mem, disk disk
	logOps    []diskOp // not yet durable, in order
	quorumOps []diskOp
	written   wire.Offset // reported as written

	hw    wire.Offset
	state raft.StateKind
}

// start brings a node up with what its disk has.
func (n *node) start() {
	n.mem = n.disk.clone()
	n.mem.partial = nil
	n.tokens = map[raft.Token]*message{}
	n.logOps, n.quorumOps = nil, nil
	n.hw = 0
	n.written = n.mem.end()
	restored := raft.Restored{Quorum: n.mem.quorum, Log: raft.RestoredLog{StartOffset: n.mem.start, EndOffset: n.mem.end()}}
	for i, r := range n.mem.records {
		if i == 0 || n.mem.records[i-1].epoch != r.epoch {
			restored.Log.Epochs = append(restored.Log.Epochs, raft.EpochStart{Epoch: r.epoch, StartOffset: n.mem.start + wire.Offset(i)})
		}
	}
	for id := range n.mem.snapshots {
		restored.Snapshots = append(restored.Snapshots, raft.Snapshot{ID: id, Size: snapshotSize})
	}
	slices.SortFunc(restored.Snapshots, func(a, b raft.Snapshot) int { return a.ID.Compare(b.ID) })
	r, err := raft.New(n.now, n.cfg, restored)
	if err != nil {
		panic(err)
	}
	n.raft, n.up = r, true
	n.life++
	n.state = raft.Unattached
	n.effects()
}

// crash stops a node. keep is how many of the operations under way had reached the
// disk; a crash of the process alone keeps them all.
func (n *node) crash(keepLog, keepQuorum int) {
	for i, op := range n.logOps {
		if i < keepLog {
			op.apply(&n.disk)
		}
	}
	for i, op := range n.quorumOps {
		if i < keepQuorum {
			op.apply(&n.disk)
		}
	}
	n.up, n.raft = false, nil
	n.logOps, n.quorumOps = nil, nil
	for _, m := range slices.Clone(n.c.net) { // its connections break
		if m.from == n.id || m.to == n.id {
			n.c.drop(m)
		}
	}
}

// input hands one input to the decider and executes what it decides.
func (n *node) input(f func(now int64, r *raft.Raft)) {
	if !n.up {
		return
	}
	f(n.now, n.raft)
	n.effects()
}

func (n *node) tick() {
	n.input(func(now int64, r *raft.Raft) { r.Tick(now) })
	if n.up && n.raft.Deadline() <= n.now {
		panic(fmt.Sprintf("node %d: deadline %d is not after now %d in state %+v", n.id, n.raft.Deadline(), n.now, n.raft.Status()))
	}
}

func (n *node) effects() {
	for _, e := range n.raft.Take() {
		n.execute(e)
	}
	st := n.raft.Status()
	if st.State != n.state {
		n.c.trace("%d: %v -> %v in epoch %d", n.id, n.state, st.State, st.Quorum.LeaderEpoch)
		n.state = st.State
	}
}

func (n *node) execute(effect raft.Effect) {
	c := n.c
	switch e := effect.(type) {
	case raft.Persist:
		n.mem.quorum = e.State
		n.quorumOps = append(n.quorumOps, diskOp{
			apply: func(d *disk) { d.quorum = e.State },
			done:  func() { n.input(func(now int64, r *raft.Raft) { r.Persisted(now, e.Seq) }) },
		})
	case raft.SendRequest:
		c.net = append(c.net, &message{from: n.id, to: e.To, id: e.ID, req: e.Request, life: n.life})
	case raft.SendResponse:
		n.answer(e.Token, e.Response)
	case raft.ReadLog:
		e.Response.Records = n.read(e.Offset)
		n.answer(e.Token, e.Response)
	case raft.ReadSnapshot:
		s, ok := n.mem.snapshots[e.Response.SnapshotID]
		if !ok {
			panic(fmt.Sprintf("node %d: no snapshot %v", n.id, e.Response.SnapshotID))
		}
		b := s.bytes()[e.Response.Position:]
		e.Response.Bytes = b[:min(len(b), int(e.MaxBytes))]
		n.answer(e.Token, e.Response)
	case raft.AppendLeaderChange:
		n.append(e.BaseOffset, e.Epoch, 1)
	case raft.AppendFetched:
		n.appendRecords(e.Batches[0].BaseOffset, decodeRecords(e.Records))
	case raft.TruncateTo:
		c.trace("%d: truncates to %d", n.id, e.Offset)
		n.mem.truncate(e.Offset)
		n.written = min(n.written, e.Offset)
		n.logOps = append(n.logOps, diskOp{apply: func(d *disk) { d.truncate(e.Offset) }})
	case raft.StartSnapshot:
		c.trace("%d: fetches snapshot %v", n.id, e.ID)
		n.mem.partial = nil
	case raft.WriteSnapshot:
		if int64(len(n.mem.partial)) != e.Position {
			panic(fmt.Sprintf("node %d: snapshot bytes at %d, have %d", n.id, e.Position, len(n.mem.partial)))
		}
		n.mem.partial = append(n.mem.partial, e.Bytes...)
	case raft.AbortSnapshot:
		n.mem.partial = nil
	case raft.InstallSnapshot:
		n.install(e.ID)
	case raft.DeleteLogPrefix:
		c.trace("%d: deletes its log before %d", n.id, e.Offset)
		n.deletePrefix(e.Offset)
	case raft.DeleteSnapshot:
		delete(n.mem.snapshots, e.ID)
		n.logOps = append(n.logOps, diskOp{apply: func(d *disk) { delete(d.snapshots, e.ID) }})
	case raft.AdvanceHighWatermark:
		c.advanced(n, e.Offset)
	case raft.LeaderChanged:
		if e.LeaderID == n.id {
			c.elected(n, e.LeaderEpoch)
		}
	case raft.LeaderReady:
		c.trace("%d: ready to lead in epoch %d", n.id, e.Epoch)
		if n.hw < wire.Offset(len(c.committed)) {
			c.violation("stale leader: node %d serves at %d, %d is committed", n.id, n.hw, len(c.committed))
		}
	case raft.Halt:
		c.trace("%d: halts: %s", n.id, e.Reason)
		if len(c.violations) == 0 {
			c.violation("node %d halts: %s", n.id, e.Reason)
		}
	default:
		panic(fmt.Sprintf("effect %T", effect))
	}
}

func (n *node) answer(token raft.Token, resp raft.Response) {
	m := n.tokens[token]
	if m == nil {
		return
	}
	delete(n.tokens, token)
	n.c.net = append(n.c.net, &message{from: n.id, to: m.from, id: m.id, resp: resp, life: m.life})
}

// append writes one batch of n new records.
func (n *node) append(base wire.Offset, epoch wire.LeaderEpoch, count int) {
	rs := make([]record, count)
	prev, ok := n.mem.chainAt(base)
	if !ok {
		panic("append after nothing")
	}
	for i := range rs {
		n.c.payload++
		prev = mix(prev, uint64(epoch), n.c.payload)
		rs[i] = record{epoch: epoch, base: base, value: n.c.payload, chain: prev}
	}
	n.appendRecords(base, rs)
}

func (n *node) appendRecords(base wire.Offset, rs []record) {
	prev, ok := n.mem.chainAt(base)
	for i := range rs {
		offset := base + wire.Offset(i)
		if ok {
			rs[i].chain = mix(prev, uint64(rs[i].epoch), rs[i].value)
			prev = rs[i].chain
		}
		// Log matching: one record at an offset and epoch, and one log before it.
		at := raft.OffsetAndEpoch{Offset: offset, Epoch: rs[i].epoch}
		if h, known := n.c.chain[at]; known && h != rs[i].chain {
			n.c.violation("log matching: node %d has another log up to record %v", n.id, at)
		}
		n.c.chain[at] = rs[i].chain
	}
	n.mem.append(base, rs)
	end := n.mem.end()
	kept := slices.Clone(rs)
	n.logOps = append(n.logOps, diskOp{
		apply: func(d *disk) { d.append(base, kept) },
		done:  func() { n.input(func(now int64, r *raft.Raft) { r.Flushed(now, end) }) },
	})
}

func (n *node) install(id raft.OffsetAndEpoch) {
	s, ok := n.mem.snapshots[id] // there already after a restart
	if !ok {
		if len(n.mem.partial) != snapshotSize {
			panic(fmt.Sprintf("node %d: snapshot of %d bytes installed", n.id, len(n.mem.partial)))
		}
		s = snapshot{chain: binary.BigEndian.Uint64(n.mem.partial[snapshotSize-8:])}
	}
	add := func(d *disk) {
		if d.snapshots == nil {
			d.snapshots = map[raft.OffsetAndEpoch]snapshot{}
		}
		d.snapshots[id] = s
	}
	reset := func(d *disk) { d.start, d.records = id.Offset, nil }
	n.logOps = append(n.logOps, diskOp{apply: add}, diskOp{
		apply: reset,
		done: func() {
			n.c.trace("%d: installed snapshot %v", n.id, id)
			add(&n.mem)
			reset(&n.mem)
			n.written = id.Offset
			n.input(func(now int64, r *raft.Raft) { r.SnapshotInstalled(now, id) })
		},
	})
}

func (n *node) deletePrefix(offset wire.Offset) {
	drop := func(d *disk) { d.records, d.start = slices.Clone(d.records[offset-d.start:]), offset }
	drop(&n.mem)
	n.logOps = append(n.logOps, diskOp{apply: drop})
}

// takeSnapshot writes a snapshot at the node's high watermark or below.
func (n *node) takeSnapshot(offset wire.Offset) {
	chain, ok := n.mem.chainAt(offset)
	if !ok || offset == 0 {
		return
	}
	id := n.raft.SnapshotID(offset)
	if _, have := n.mem.snapshots[id]; have {
		return
	}
	add := func(d *disk) {
		if d.snapshots == nil {
			d.snapshots = map[raft.OffsetAndEpoch]snapshot{}
		}
		d.snapshots[id] = snapshot{chain: chain}
	}
	// The snapshot is another file: durable before the log, perhaps.
	add(&n.mem)
	add(&n.disk)
	n.input(func(now int64, r *raft.Raft) { r.SnapshotCreated(now, raft.Snapshot{ID: id, Size: snapshotSize}) })
}

// read returns whole batches from offset on that were reported as written.
func (n *node) read(offset wire.Offset) []byte {
	var out []byte
	end := offset
	for offset < n.written {
		r := n.mem.records[offset-n.mem.start]
		if r.base == offset && offset >= end+wire.Offset(n.cfg.FetchMaxBytes) {
			break
		}
		out = appendRecord(out, offset, r)
		offset++
	}
	return out
}

func (n *node) propose(count int) bool {
	if !n.up || n.raft.Status().State != raft.Leader {
		return false
	}
	epoch := n.raft.Status().Quorum.LeaderEpoch
	base, err := n.raft.Append(n.now, epoch, int32(count))
	if err != nil {
		panic(err)
	}
	n.append(base, epoch, count)
	n.c.trace("%d: appends [%d, %d) in epoch %d", n.id, base, base+wire.Offset(count), epoch)
	return true
}

// reportWritten tells the decider that everything in memory can be read.
func (n *node) reportWritten() {
	if n.up && n.written < n.mem.end() {
		n.written = n.mem.end()
		n.input(func(now int64, r *raft.Raft) { r.Written(now, n.written) })
	}
}

func (n *node) completeLog() {
	op := n.logOps[0]
	n.logOps = n.logOps[1:]
	op.apply(&n.disk)
	if op.done != nil {
		n.written = max(n.written, min(n.disk.end(), n.mem.end()))
		op.done()
	}
}

func (n *node) completeQuorum() {
	op := n.quorumOps[0]
	n.quorumOps = n.quorumOps[1:]
	op.apply(&n.disk)
	op.done()
}
