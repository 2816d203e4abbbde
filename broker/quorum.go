package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/failpoint"
	"odradek/broker/raft"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// quorum is the shell of the raft decider: it owns the metadata log and executes
// what the decider wants, in order.
type quorum struct {
	n    *Node
	raft *raft.Raft
	log  *storage.Log

	timer   env.Timer
	timerAt int64
	running bool // inside run: inputs made by effects are picked up by its loop

	lastToken raft.Token
	pending   map[raft.Token]func(raft.Response, answerBytes)

	// steps are changes of the log, which happen one after the other. A truncation
	// or a snapshot takes a while and holds up what follows it.
	steps   []func(next func())
	stepped bool
	// cuts counts the truncations decided but not done: until then the log's end is
	// not what the decider calls so.
	cuts int

	leader raft.LeaderAndEpoch
	hw     wire.Offset
	// ready is the epoch in which this node may act as controller once everything
	// committed is applied, or wire.NoLeaderEpoch.
	ready wire.LeaderEpoch

	incoming *storage.SnapshotWriter // a snapshot being fetched
	// durable is what the quorum-state file says; known for the probe only.
	durable raft.QuorumState
	probed  QuorumProbe
	dead    bool
}

// answerBytes is what a Fetch answer sends from the log.
type answerBytes struct {
	segs []env.Segment
	size int
}

const quorumStateFile = metadataTopic + "-0/quorum-state"

// quorumStateJSON is Kafka's quorum-state file, version 1 of its schema. Voters are told
// apart by their ids alone; the directory voted for is there because Kafka's reader
// wants it, and is the zero id, Kafka's for none.
type quorumStateJSON struct {
	LeaderID         int32  `json:"leaderId"`
	LeaderEpoch      int32  `json:"leaderEpoch"`
	VotedID          int32  `json:"votedId"`
	VotedDirectoryID string `json:"votedDirectoryId"`
	DataVersion      int    `json:"data_version"`
}

// formatQuorumState is what the quorum-state file says.
func formatQuorumState(s raft.QuorumState) ([]byte, error) {
	return json.Marshal(quorumStateJSON{int32(s.LeaderID), int32(s.LeaderEpoch), int32(s.VotedID), wire.UUID{}.String(), 1})
}

// openQuorum recovers the metadata log and the quorum state and starts the decider.
func openQuorum(t *env.Task, n *Node) (*quorum, error) {
	q := &quorum{n: n, pending: make(map[raft.Token]func(raft.Response, answerBytes)), ready: wire.NoLeaderEpoch,
		leader: raft.LeaderAndEpoch{LeaderID: wire.NoNode}}
	cfg := storage.DefaultConfig()
	cfg.SegmentBytes, cfg.RetentionTime, cfg.CacheBytes = int64(n.cfg.MetadataLogSegmentBytes), -1, 256<<10
	obs := n.watch(MetadataLog, storage.Observer{Advanced: func(*storage.Log) { q.advanced() }, WentOffline: func(_ *storage.Log, err error) {
		n.fail("the metadata log went offline", err)
	}})
	var err error
	exists := false
	for _, p := range n.store.Partitions() {
		exists = exists || p.TopicPartition == metadataPartition
	}
	if exists {
		q.log, err = n.store.OpenLog(t, metadataPartition, cfg, obs)
	} else {
		q.log, err = env.Await2(t, func(done func(*storage.Log, error)) {
			n.store.CreatePartition(MetadataLog, cfg, obs, done)
		})
	}
	if err != nil {
		return nil, err
	}
	n.probeOpened(MetadataLog, q.log)
	// What survived in the page cache only must be durable before the decider counts
	// on it.
	if err := env.Await(t, q.log.Flush); err != nil {
		return nil, err
	}
	restored := raft.Restored{Quorum: raft.EmptyQuorumState()}
	raw, err := env.Await2(t, func(done func([]byte, error)) { n.store.ReadFile(quorumStateFile, done) })
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		var s quorumStateJSON
		if err := json.Unmarshal(raw, &s); err != nil || s.DataVersion != 1 {
			return nil, fmt.Errorf("%s: version %d: %w", quorumStateFile, s.DataVersion, errors.Join(err, errBadQuorumState))
		}
		restored.Quorum = raft.QuorumState{LeaderID: wire.NodeID(s.LeaderID), LeaderEpoch: wire.LeaderEpoch(s.LeaderEpoch), VotedID: wire.NodeID(s.VotedID)}
	}
	restored.Log.StartOffset, restored.Log.EndOffset = q.log.LogStartOffset(), q.log.LogEndOffset()
	for _, e := range q.log.Epochs() {
		if e.StartOffset >= q.log.LogEndOffset() {
			break // an epoch without a record: the log was emptied below a snapshot
		}
		restored.Log.Epochs = append(restored.Log.Epochs, raft.EpochStart{Epoch: e.Epoch, StartOffset: e.StartOffset})
	}
	snapshots, err := env.Await2(t, q.log.Snapshots)
	if err != nil {
		return nil, err
	}
	for _, id := range snapshots {
		r, err := env.Await2(t, func(done func(*storage.SnapshotReader, error)) { q.log.OpenSnapshot(id, done) })
		if err != nil {
			return nil, err
		}
		restored.Snapshots = append(restored.Snapshots, raft.Snapshot{ID: raft.OffsetAndEpoch{Offset: id.EndOffset, Epoch: id.Epoch}, Size: r.Size()})
		r.Close()
	}
	if len(snapshots) > 0 {
		if err := q.loadSnapshot(t, snapshots[len(snapshots)-1]); err != nil {
			return nil, err
		}
	}
	q.durable = restored.Quorum
	q.raft, err = raft.New(q.now(), n.quorumConfig(), restored)
	return q, err
}

var errBadQuorumState = errors.New("not a quorum-state file this version can read")

func (q *quorum) now() int64 { return int64(q.n.env.Clock.Now()) }

// input hands something to the decider and executes what it decides.
func (q *quorum) input(f func(now int64)) {
	if q.dead {
		return
	}
	f(q.now())
	q.run()
}

func (q *quorum) run() {
	if q.running {
		return
	}
	q.running = true
	for !q.dead {
		effects := q.raft.Take()
		if len(effects) == 0 {
			break
		}
		for _, e := range append([]raft.Effect(nil), effects...) {
			q.execute(e)
		}
	}
	q.running = false
	q.probe()
	if at := q.raft.Deadline(); at != q.timerAt || q.timer == nil {
		if q.timer != nil {
			q.timer.Stop()
			q.timer = nil
		}
		q.timerAt = at
		if at != math.MaxInt64 && !q.dead {
			q.timer = q.n.env.Clock.After(env.Time(at).Sub(q.n.env.Clock.Now()), func() {
				q.timer = nil
				q.input(q.raft.Tick)
			})
		}
	}
}

// request hands in another node's request; answer is called with the decider's
// response, perhaps much later.
func (q *quorum) request(req raft.Request, answer func(raft.Response, answerBytes)) {
	q.lastToken++
	token := q.lastToken
	q.pending[token] = answer
	q.input(func(now int64) { q.raft.Request(now, token, req) })
}

func (q *quorum) answer(token raft.Token, resp raft.Response, bytes answerBytes) {
	f := q.pending[token]
	delete(q.pending, token)
	f(resp, bytes)
}

func (q *quorum) fail(what string, err error) {
	q.dead = true
	q.n.fail(what, err)
}

// advanced tells the decider how far the log is written and durable.
func (q *quorum) advanced() {
	if q.raft == nil || q.cuts > 0 {
		return // still opening, or about to be cut
	}
	q.input(func(now int64) {
		q.raft.Written(now, q.log.LogEndOffset())
		q.raft.Flushed(now, q.log.FlushedOffset())
	})
}

func (q *quorum) execute(e raft.Effect) {
	switch e := e.(type) {
	case raft.Persist:
		q.persist(e)
	case raft.SendRequest:
		q.send(e)
	case raft.SendResponse:
		q.answer(e.Token, e.Response, answerBytes{})
	case raft.ReadLog:
		asked := q.raft.LeaderAndEpoch()
		q.log.Read(storage.ReadRequest{From: e.Offset, UpTo: q.log.LogEndOffset(), MaxBytes: int(e.MaxBytes), MinOneBatch: true},
			func(res storage.ReadResult, err error) {
				switch now := q.raft.LeaderAndEpoch(); {
				case now != asked:
					// What was read may be another leader's by now.
					e.Response.ErrorCode, e.Response.LeaderAndEpoch = raft.ErrNotLeaderOrFollower, now
					res = storage.ReadResult{}
				case err != nil:
					// The log was cut meanwhile: the decider's view has moved on too, and the
					// follower asks again.
					e.Response.ErrorCode = raft.ErrBrokerNotAvailable
				}
				q.answer(e.Token, e.Response, answerBytes{res.Segments, res.Size})
			})
	case raft.ReadSnapshot:
		q.readSnapshot(e)
	case raft.AppendLeaderChange:
		q.appendLeaderChange(e)
	case raft.AppendFetched:
		q.step(func(next func()) {
			q.log.AppendAsFollower(e.Records, true, q.appended)
			next()
		})
	case raft.TruncateTo:
		q.n.env.Trace.Event(env.Info, "quorum-truncated", env.I("to", e.Offset), env.I("end", q.log.LogEndOffset()))
		q.cuts++
		q.step(func(next func()) {
			q.log.TruncateTo(e.Offset, func(err error) {
				if err != nil {
					q.fail("the metadata log cannot be truncated", err)
					return
				}
				q.cuts--
				next()
				q.advanced()
			})
		})
	case raft.StartSnapshot, raft.WriteSnapshot, raft.AbortSnapshot, raft.InstallSnapshot:
		q.snapshotEffect(e)
	case raft.DeleteLogPrefix:
		q.step(func(next func()) {
			q.log.DeleteRecords(e.Offset, func(err error) {
				if err != nil {
					q.fail("the metadata log's beginning cannot be deleted", err)
					return
				}
				next()
			})
		})
	case raft.DeleteSnapshot:
		q.log.DeleteSnapshot(storage.SnapshotID{EndOffset: e.ID.Offset, Epoch: e.ID.Epoch}, func(err error) {
			if err != nil {
				q.n.env.Trace.Event(env.Warn, "snapshot-not-deleted", env.Err(err))
			}
		})
	case raft.AdvanceHighWatermark:
		q.hw = e.Offset
		q.probe() // before anybody applies it
		q.n.applyCommitted()
	case raft.LeaderChanged:
		q.leader = e.LeaderAndEpoch
		q.n.env.Trace.Event(env.Info, "quorum-leader", env.I("leader", e.LeaderID), env.I("epoch", e.LeaderEpoch))
		q.ready = wire.NoLeaderEpoch
		q.n.leaderChanged()
	case raft.LeaderReady:
		q.ready = e.Epoch
		q.n.applyCommitted()
	case raft.Halt:
		q.fail("the metadata quorum is inconsistent", errors.New(e.Reason))
	default:
		panic(fmt.Sprintf("broker: quorum effect %T", e))
	}
}

// step runs a change of the log after those before it.
func (q *quorum) step(f func(next func())) {
	q.steps = append(q.steps, f)
	if !q.stepped {
		q.nextStep()
	}
}

func (q *quorum) nextStep() {
	for len(q.steps) > 0 && !q.dead {
		f := q.steps[0]
		q.steps = q.steps[1:]
		q.stepped = true
		inline, finished := true, false
		f(func() {
			if inline {
				finished = true
				return
			}
			q.nextStep()
		})
		inline = false
		if !finished {
			return
		}
	}
	q.stepped = false
}

func (q *quorum) appended(_ storage.AppendResult, err error) {
	if err != nil {
		q.fail("the metadata log cannot be appended to", err)
	}
}

func (q *quorum) persist(e raft.Persist) {
	fail := func(err error) { q.fail("the quorum state cannot be written", err) }
	if q.n.env.Fail.On(failpoint.RaftPersist) {
		fail(fmt.Errorf("failpoint: %w", env.ErrIO))
		return
	}
	raw, err := formatQuorumState(e.State)
	if err != nil {
		fail(err)
		return
	}
	q.n.store.WriteFileAtomic(quorumStateFile, raw, func(err error) {
		if err != nil {
			fail(err)
			return
		}
		q.durable = e.State
		q.input(func(now int64) { q.raft.Persisted(now, e.Seq) })
	})
}

func (q *quorum) send(e raft.SendRequest) {
	req, l, timeout := q.n.quorumRequest(e.Request)
	q.n.send(e.To, l, req, timeout, func(resp kmsg.Response, err error) {
		var answer raft.Response
		if err == nil {
			answer, err = quorumResponse(resp)
		}
		if err == nil && l == laneQuorumFetch && q.n.env.Fail.On(failpoint.RaftFetchDropped) {
			err = errPeerLost
		}
		q.input(func(now int64) {
			if err != nil {
				q.raft.RequestFailed(now, e.ID)
				return
			}
			q.raft.Response(now, e.ID, answer)
		})
	})
}

func (q *quorum) appendLeaderChange(e raft.AppendLeaderChange) {
	key := kmsg.NewControlRecordKey()
	key.Type = kmsg.ControlRecordKeyTypeLeaderChange
	value := kmsg.NewLeaderChangeMessage()
	value.Version, value.LeaderID = 0, int32(e.LeaderID)
	for _, id := range e.Voters {
		value.Voters = append(value.Voters, kmsg.LeaderChangeMessageVoter{VoterID: int32(id)})
	}
	for _, id := range e.GrantingVoters {
		value.GrantingVoters = append(value.GrantingVoters, kmsg.LeaderChangeMessageVoter{VoterID: int32(id)})
	}
	b := wire.NewBuilder(wire.BatchOptions{Control: true})
	b.Append(q.n.wallMillis(), key.AppendTo(nil), value.AppendTo(nil))
	batch, err := b.Build(nil, q.n.codec)
	if err != nil {
		panic(fmt.Sprintf("broker: leader change record: %v", err))
	}
	q.append(e.BaseOffset, e.Epoch, batch)
}

// append appends a batch of this leader at the offsets the decider reserved.
func (q *quorum) append(base wire.Offset, epoch wire.LeaderEpoch, batch []byte) {
	q.step(func(next func()) {
		if got := q.log.NextOffset(); got != base {
			panic(fmt.Sprintf("broker: the quorum reserved offset %d, the metadata log is at %d", base, got))
		}
		q.log.Append(batch, storage.AppendOptions{Epoch: epoch, Sync: true}, q.appended)
		next()
	})
}

// propose appends records of the active controller as one batch, so that they
// commit together. It returns the offset after the last.
func (q *quorum) propose(epoch wire.LeaderEpoch, values [][]byte) (wire.Offset, error) {
	base, err := q.raft.Append(q.now(), epoch, int32(len(values)))
	if err != nil {
		return 0, err
	}
	b := wire.NewBuilder(wire.BatchOptions{})
	now := q.n.wallMillis()
	for _, v := range values {
		b.Append(now, nil, v)
	}
	batch, err := b.Build(nil, q.n.codec)
	if err != nil {
		panic(fmt.Sprintf("broker: metadata batch: %v", err))
	}
	q.append(base, epoch, batch)
	q.run()
	return base + wire.Offset(len(values)), nil
}
