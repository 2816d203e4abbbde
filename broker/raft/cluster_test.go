package raft_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"odradek/broker/failpoint"
	"odradek/broker/raft"
	"odradek/broker/wire"
)

// A cluster is a whole quorum in memory: deciders, and for each a shell with a log
// and files of which only what was synced survives a power loss. Nothing happens
// by itself: the transcript or the random schedule delivers messages, completes
// disk operations and moves the clocks. The invariants are checked all the time.
type cluster struct {
	nodes []*node // by id, from 1
	net   []*message
	cut   map[[2]wire.NodeID]bool
	rand  *rand.Rand
	trace func(format string, args ...any)

	// What is known about the whole history.
	leaders    map[wire.LeaderEpoch]wire.NodeID
	chain      map[raft.OffsetAndEpoch]uint64 // record (offset, epoch) -> hash of the log up to it
	committed  []uint64                       // hash of the log up to each committed record
	violations []string
	payload    uint64
}

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

	hw      wire.Offset
	state   raft.StateKind
	leading wire.LeaderEpoch // told LeaderReady of this epoch and not revoked
}

// disk is a log and what is beside it.
type disk struct {
	start     wire.Offset
	records   []record // from start on
	quorum    raft.QuorumState
	snapshots map[raft.OffsetAndEpoch]snapshot
	partial   []byte
}

type record struct {
	epoch wire.LeaderEpoch
	base  wire.Offset // of its batch
	value uint64
	chain uint64 // hash of the log up to this record
}

// snapshot is the state up to a record: the hash of the log.
type snapshot struct{ chain uint64 }

const snapshotSize = 20

func (s snapshot) bytes() []byte {
	return binary.BigEndian.AppendUint64(make([]byte, snapshotSize-8, snapshotSize), s.chain)
}

type diskOp struct {
	apply func(d *disk)
	done  func()
}

type message struct {
	from, to wire.NodeID
	id       raft.RequestID
	req      raft.Request
	resp     raft.Response // set on the way back
	life     int           // of the asker when it asked: its connections die with it
}

func (d disk) clone() disk {
	d.records = slices.Clone(d.records)
	snapshots := map[raft.OffsetAndEpoch]snapshot{}
	for id, s := range d.snapshots {
		snapshots[id] = s
	}
	d.snapshots = snapshots
	d.partial = slices.Clone(d.partial)
	return d
}

func (d *disk) end() wire.Offset { return d.start + wire.Offset(len(d.records)) }

// chainAt is the hash of the log before offset; ok is false if it is not known.
func (d *disk) chainAt(offset wire.Offset) (uint64, bool) {
	if offset == 0 {
		return 0, true
	}
	if offset > d.start && offset <= d.end() {
		return d.records[offset-d.start-1].chain, true
	}
	for id, s := range d.snapshots {
		if id.Offset == offset {
			return s.chain, true
		}
	}
	return 0, false
}

func (d *disk) append(base wire.Offset, rs []record) {
	if base != d.end() {
		panic(fmt.Sprintf("append at %d to a log that ends at %d", base, d.end()))
	}
	d.records = append(d.records, rs...)
}

func (d *disk) truncate(to wire.Offset) { d.records = d.records[:to-d.start] }

func newCluster(seed uint64, voters, observers int) *cluster {
	c := &cluster{
		cut:     map[[2]wire.NodeID]bool{},
		rand:    rand.New(rand.NewPCG(seed, 1)),
		trace:   func(string, ...any) {},
		leaders: map[wire.LeaderEpoch]wire.NodeID{},
		chain:   map[raft.OffsetAndEpoch]uint64{},
	}
	ids := make([]wire.NodeID, voters)
	for i := range ids {
		ids[i] = wire.NodeID(i + 1)
	}
	for i := range voters + observers {
		n := &node{c: c, id: wire.NodeID(i + 1), voters: ids, disk: disk{quorum: raft.EmptyQuorumState()}}
		n.cfg = raft.DefaultConfig()
		n.cfg.NodeID, n.cfg.Voters = n.id, ids
		n.cfg.FetchMaxBytes = 4
		n.cfg.SnapshotMaxBytes = 8
		n.cfg.Rand = rand.New(rand.NewPCG(seed, uint64(100+i)))
		n.cfg.Fail = &n.fail
		c.nodes = append(c.nodes, n)
	}
	return c
}

func (c *cluster) start() {
	for _, n := range c.nodes {
		n.start()
	}
}

func (c *cluster) node(id wire.NodeID) *node { return c.nodes[id-1] }

func (c *cluster) violation(format string, args ...any) {
	c.violations = append(c.violations, fmt.Sprintf(format, args...))
	c.trace("VIOLATION: "+format, args...)
}

// start brings a node up with what its disk has.
func (n *node) start() {
	n.mem = n.disk.clone()
	n.mem.partial = nil
	n.tokens = map[raft.Token]*message{}
	n.logOps, n.quorumOps = nil, nil
	n.hw, n.leading = 0, -1
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
		if e.LeaderID != n.id || e.LeaderEpoch != n.leading {
			n.leading = -1
		}
	case raft.LeaderReady:
		c.trace("%d: ready to lead in epoch %d", n.id, e.Epoch)
		n.leading = e.Epoch
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

// deliver takes one message from the network to its receiver.
func (c *cluster) deliver(m *message) {
	i := slices.Index(c.net, m)
	c.net = slices.Delete(c.net, i, i+1)
	to := c.node(m.to)
	if m.resp != nil && m.life != to.life {
		return
	}
	if !to.up || c.cut[[2]wire.NodeID{m.from, m.to}] {
		c.net = append(c.net, m)
		c.drop(m)
		return
	}
	c.trace("%s", m)
	if m.resp == nil {
		to.token++
		token := to.token
		to.tokens[token] = m
		to.input(func(now int64, r *raft.Raft) { r.Request(now, token, m.req) })
		return
	}
	if f, ok := m.resp.(raft.FetchResponse); ok {
		f.Batches = describe(f.Records)
		m.resp = f
	}
	to.input(func(now int64, r *raft.Raft) { r.Response(now, m.id, m.resp) })
}

// drop loses a message; the node that waits for an answer learns that the
// connection broke.
func (c *cluster) drop(m *message) {
	if i := slices.Index(c.net, m); i >= 0 {
		c.net = slices.Delete(c.net, i, i+1)
	}
	asker := m.from
	if m.resp != nil {
		asker = m.to
	}
	n := c.node(asker)
	if n.life != m.life {
		return
	}
	n.input(func(now int64, r *raft.Raft) { r.RequestFailed(now, m.id) })
}

// elected checks election safety and leader completeness.
func (c *cluster) elected(n *node, epoch wire.LeaderEpoch) {
	if other, ok := c.leaders[epoch]; ok {
		c.violation("election safety: nodes %d and %d both lead epoch %d", other, n.id, epoch)
	}
	c.leaders[epoch] = n.id
	if k := wire.Offset(len(c.committed)); k > 0 {
		chain, ok := n.mem.chainAt(k)
		if k <= n.mem.start { // a snapshot of committed records covers it
			return
		}
		if !ok || chain != c.committed[k-1] {
			c.violation("leader completeness: node %d leads epoch %d without record %d", n.id, epoch, k-1)
		}
	}
}

// advanced checks that what a node takes for committed is, and stays so.
func (c *cluster) advanced(n *node, hw wire.Offset) {
	if hw <= n.hw {
		c.violation("monotonic high watermark: node %d goes from %d to %d", n.id, n.hw, hw)
	}
	n.hw = hw
	c.trace("%d: high watermark %d", n.id, hw)
	if hw > n.written {
		c.violation("node %d: high watermark %d, readable up to %d", n.id, hw, n.written)
	}
	chain, ok := n.mem.chainAt(hw)
	if !ok {
		c.violation("node %d: high watermark %d outside its log [%d, %d]", n.id, hw, n.mem.start, n.mem.end())
		return
	}
	if hw <= wire.Offset(len(c.committed)) {
		if c.committed[hw-1] != chain {
			c.violation("state machine safety: node %d commits another log up to %d", n.id, hw)
		}
		return
	}
	if n.raft.Status().State != raft.Leader {
		c.violation("node %d commits %d before a leader has", n.id, hw)
	}
	durable := 0
	for _, id := range n.voters {
		v := c.node(id)
		if h, ok := v.disk.chainAt(hw); v.disk.start >= hw || ok && h == chain {
			durable++
		}
	}
	if durable <= len(n.voters)/2 {
		c.violation("durable majority: node %d commits %d, %d voters have it on disk", n.id, hw, durable)
	}
	for k := wire.Offset(len(c.committed)); k < hw; k++ {
		h, ok := n.mem.chainAt(k + 1)
		if !ok {
			panic("gap in the committed log")
		}
		c.committed = append(c.committed, h)
	}
}

// record encoding on the simulated wire: offset, epoch, base, value, chain.
const recordBytes = 40

func appendRecord(b []byte, offset wire.Offset, r record) []byte {
	for _, v := range []uint64{uint64(offset), uint64(r.epoch), uint64(r.base), r.value, r.chain} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

func decodeRecords(b []byte) []record {
	var rs []record
	for ; len(b) > 0; b = b[recordBytes:] {
		rs = append(rs, record{
			epoch: wire.LeaderEpoch(binary.BigEndian.Uint64(b[8:])),
			base:  wire.Offset(binary.BigEndian.Uint64(b[16:])),
			value: binary.BigEndian.Uint64(b[24:]),
			chain: binary.BigEndian.Uint64(b[32:]),
		})
	}
	return rs
}

func describe(b []byte) []raft.Batch {
	var out []raft.Batch
	for ; len(b) > 0; b = b[recordBytes:] {
		offset := wire.Offset(binary.BigEndian.Uint64(b))
		r := decodeRecords(b[:recordBytes])[0]
		if r.base == offset || len(out) == 0 {
			out = append(out, raft.Batch{BaseOffset: offset, Epoch: r.epoch})
		}
		out[len(out)-1].LastOffset = offset
	}
	return out
}

func mix(a, b, c uint64) uint64 {
	h := a
	for _, v := range []uint64{b, c} {
		h = (h ^ v) * 0x9E3779B97F4A7C15
		h ^= h >> 29
	}
	return h
}

// String shows a message in a transcript.
func (m *message) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d -> %d: ", m.from, m.to)
	switch q := m.req.(type) {
	case raft.VoteRequest:
		what := "Vote"
		if q.PreVote {
			what = "PreVote"
		}
		fmt.Fprintf(&b, "%s epoch %d, log %d@%d", what, q.CandidateEpoch, q.LastOffset, q.LastOffsetEpoch)
	case raft.BeginQuorumEpochRequest:
		fmt.Fprintf(&b, "BeginQuorumEpoch %d", q.LeaderEpoch)
	case raft.EndQuorumEpochRequest:
		fmt.Fprintf(&b, "EndQuorumEpoch %d, successors %v", q.LeaderEpoch, q.PreferredSuccessors)
	case raft.FetchRequest:
		fmt.Fprintf(&b, "Fetch %d@%d epoch %d", q.FetchOffset, q.LastFetchedEpoch, q.CurrentLeaderEpoch)
	case raft.FetchSnapshotRequest:
		fmt.Fprintf(&b, "FetchSnapshot %v from %d", q.SnapshotID, q.Position)
	}
	switch q := m.resp.(type) {
	case raft.VoteResponse:
		fmt.Fprintf(&b, "vote granted %v%s", q.VoteGranted, tail(q.ResponseHeader))
	case raft.BeginQuorumEpochResponse:
		fmt.Fprintf(&b, "begin acknowledged%s", tail(q.ResponseHeader))
	case raft.EndQuorumEpochResponse:
		fmt.Fprintf(&b, "end acknowledged%s", tail(q.ResponseHeader))
	case raft.FetchResponse:
		switch {
		case q.ErrorCode != 0:
			b.WriteString("no records")
		case !q.DivergingEpoch.IsNone():
			fmt.Fprintf(&b, "diverging, keep up to %v", q.DivergingEpoch)
		case !q.SnapshotID.IsNone():
			fmt.Fprintf(&b, "fetch snapshot %v", q.SnapshotID)
		default:
			fmt.Fprintf(&b, "%d records, high watermark %d", len(q.Records)/recordBytes, q.HighWatermark)
		}
		b.WriteString(tail(q.ResponseHeader))
	case raft.FetchSnapshotResponse:
		fmt.Fprintf(&b, "%d of %d snapshot bytes from %d%s", len(q.Bytes), q.Size, q.Position, tail(q.ResponseHeader))
	}
	return b.String()
}

func tail(h raft.ResponseHeader) string {
	if h.ErrorCode == raft.ErrNone {
		return ""
	}
	return fmt.Sprintf(", %v (leader %d, epoch %d)", h.ErrorCode, h.LeaderID, h.LeaderEpoch)
}

// nextDeadline is the earliest deadline of a running node.
func (c *cluster) nextDeadline() (n *node, in time.Duration) {
	in = math.MaxInt64
	for _, m := range c.nodes {
		if m.up && m.raft.Deadline() < math.MaxInt64 {
			if d := time.Duration(m.raft.Deadline() - m.now); d < in {
				n, in = m, d
			}
		}
	}
	return n, in
}

func (c *cluster) passTime(d time.Duration) {
	for _, n := range c.nodes {
		n.now += int64(d)
	}
}
