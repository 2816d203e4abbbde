package broker

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/fetchsession"
	"odradek/broker/replica"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// fetchers fetch what this broker follows, one fetcher per leader.
type fetchers struct {
	n      *Node
	byNode map[wire.NodeID]*fetcher
}

// fetcher fetches all partitions that follow one leader, in one request at a time. The
// next request waits until what the last one brought is appended, because its offsets
// tell the leader what this replica holds. Within a fetch session (KIP-227) only what
// changed is sent, and only partitions that have something new are answered.
type fetcher struct {
	n       *Node
	leader  wire.NodeID
	session *fetchsession.Client
	busy    bool // a request is on its way
	work    int  // appends and truncations under way
	queued  bool
	look    func() // step
	timer   env.Timer

	// Space that one request after the other uses, from its step until its answer is taken.
	batch   []fetching
	want    []fetchsession.Partition
	req     kmsg.FetchRequest
	answers map[fetchsession.Key]*kmsg.FetchResponseTopicPartition
	got     []fetchsession.Key
}

const versionReplicaFetch = 17

func newFetchers(n *Node) *fetchers {
	return &fetchers{n: n, byNode: make(map[wire.NodeID]*fetcher)}
}

// poke has the fetcher of a leader look for something to fetch.
func (fs *fetchers) poke(leader wire.NodeID) {
	if leader == wire.NoNode || leader == fs.n.cfg.NodeID {
		return
	}
	f := fs.byNode[leader]
	if f == nil {
		f = &fetcher{n: fs.n, leader: leader, session: fetchsession.NewClient(),
			answers: make(map[fetchsession.Key]*kmsg.FetchResponseTopicPartition)}
		f.look = f.step
		fs.byNode[leader] = f
	}
	f.poke()
}

func (f *fetcher) poke() {
	if !f.queued {
		// What else this turn brings goes with it.
		f.queued = true
		f.n.env.Clock.After(0, f.look)
	}
}

// fetching is one partition in a request.
type fetching struct {
	p        *partition
	follower *replica.Follower
	sent     replica.FetchPosition
}

// fetchedAs is who a partition was fetched for.
type fetchedAs struct {
	follower *replica.Follower
	epoch    wire.LeaderEpoch
}

func (f *fetcher) step() {
	f.queued = false
	if f.busy || f.work > 0 || f.n.stopped {
		return
	}
	now := int64(f.n.env.Clock.Now())
	wakeAt := replica.Never
	clear(f.batch)
	batch := f.batch[:0]
	for _, p := range f.n.replicas.list {
		if p.follower == nil {
			continue
		}
		if leader, _ := p.follower.Leader(); leader != f.leader {
			continue
		}
		if at := int64(p.fetchAfter()); at > now {
			wakeAt = min(wakeAt, at)
			continue
		}
		if pos, ok := p.follower.Fetch(now); ok {
			if as := (fetchedAs{p.follower, pos.CurrentLeaderEpoch}); as != p.fetchedAs {
				// What the session told an earlier follower, or of an earlier leader epoch,
				// is not known here, and would not be said again.
				p.fetchedAs = as
				f.session.Forget()
			}
			batch = append(batch, fetching{p, p.follower, pos})
		} else {
			wakeAt = min(wakeAt, p.follower.Deadline())
		}
	}
	f.batch = batch
	if len(batch) == 0 {
		f.sleep(now, wakeAt)
		return
	}
	f.busy = true
	req, full := f.request(batch)
	f.n.send(f.leader, laneReplicaFetch, req, f.n.fetchTimeout(), func(resp kmsg.Response, err error) {
		f.busy = false
		if err != nil {
			f.n.env.Trace.Event(env.Debug, "fetch-failed", env.I("leader", f.leader), env.Err(err))
			f.session.Forget() // whoever answers next may never have heard of it
			now := int64(f.n.env.Clock.Now())
			f.sleep(now, now+int64(f.n.fetchBackoff()))
			return
		}
		f.take(batch, resp.(*kmsg.FetchResponse), full)
		f.poke()
	})
}

// sleep has the fetcher look again at the given time.
func (f *fetcher) sleep(now, until int64) {
	if f.timer != nil {
		f.timer.Stop()
		f.timer = nil
	}
	if until != replica.Never {
		f.timer = f.n.env.Clock.After(time.Duration(until-now), f.poke)
	}
}

// request is the next one of the session; full says that it names all partitions.
func (f *fetcher) request(batch []fetching) (req *kmsg.FetchRequest, full bool) {
	c := f.n.cfg
	f.want = f.want[:0] // sorted by topic name
	for _, b := range batch {
		f.want = append(f.want, fetchsession.Partition{
			Key: sessionKey(b.p), FetchOffset: b.sent.Offset, CurrentLeaderEpoch: b.sent.CurrentLeaderEpoch,
			LastFetchedEpoch: b.sent.LastFetchedEpoch, LogStart: b.sent.LogStart, MaxBytes: int32(c.ReplicaFetchMaxBytes),
		})
	}
	next := f.session.Build(f.want)
	req = &f.req
	*req = kmsg.FetchRequest{Topics: req.Topics[:0]}
	req.Default()
	req.Version, req.ClusterID = versionReplicaFetch, &f.n.clusterID
	req.ReplicaState.ID, req.ReplicaState.Epoch = int32(c.NodeID), int64(f.n.brokerEpoch)
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(c.ReplicaFetchMaxWaitMs), int32(c.ReplicaFetchMinBytes), int32(c.ReplicaFetchMaxResponse)
	req.SessionID, req.SessionEpoch = next.SessionID, next.Epoch
	for _, w := range next.Partitions {
		if k := len(req.Topics); k == 0 || req.Topics[k-1].TopicID != w.TopicID {
			t := kmsg.NewFetchRequestTopic()
			t.TopicID = w.TopicID
			if k < cap(req.Topics) {
				t.Partitions = req.Topics[:k+1][k].Partitions[:0]
			}
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.CurrentLeaderEpoch = w.Partition, int64(w.FetchOffset), int32(w.CurrentLeaderEpoch)
		p.LastFetchedEpoch, p.LogStartOffset, p.PartitionMaxBytes = int32(w.LastFetchedEpoch), int64(w.LogStart), w.MaxBytes
		t := &req.Topics[len(req.Topics)-1]
		t.Partitions = append(t.Partitions, p)
	}
	for _, key := range next.Forgotten {
		if k := len(req.ForgottenTopics); k == 0 || req.ForgottenTopics[k-1].TopicID != key.TopicID {
			t := kmsg.NewFetchRequestForgottenTopic()
			t.TopicID = key.TopicID
			req.ForgottenTopics = append(req.ForgottenTopics, t)
		}
		t := &req.ForgottenTopics[len(req.ForgottenTopics)-1]
		t.Partitions = append(t.Partitions, key.Partition)
	}
	return req, next.Epoch == fetchsession.NewSession
}

func sessionKey(p *partition) fetchsession.Key {
	return fetchsession.Key{TopicID: p.id.TopicID, Partition: p.id.Partition}
}

// take hands every partition its part of the answer.
func (f *fetcher) take(batch []fetching, resp *kmsg.FetchResponse, full bool) {
	answers, got := f.answers, f.got[:0]
	defer func() {
		clear(answers) // keep the space, not the records
		f.got = got
	}()
	bytes := 0
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			key := fetchsession.Key{TopicID: t.TopicID, Partition: t.Partitions[j].Partition}
			answers[key] = &t.Partitions[j]
			got = append(got, key)
			bytes += len(t.Partitions[j].RecordBatches)
		}
	}
	whole := kerr.TypedErrorForCode(resp.ErrorCode)
	if !f.session.OnResponse(resp.SessionID, whole, got) {
		if !full && (whole == kerr.FetchSessionIDNotFound || whole == kerr.InvalidFetchSessionEpoch) {
			return // the session is gone, and the next request asks for another
		}
		if whole == nil {
			whole = kerr.UnknownServerError // not an answer to what was asked
		}
	}
	now := int64(f.n.env.Clock.Now())
	for _, b := range batch {
		a := answers[sessionKey(b.p)]
		if a == nil && whole == nil {
			continue // nothing new
		}
		if b.p.follower != b.follower {
			// The role changed while the request was on its way. What the answer said is
			// lost, and the session would not say it again.
			f.session.Forget()
			continue
		}
		part := replica.FetchedPartition{Err: whole, Diverging: replica.NoEpochEnd}
		var records []byte
		if whole == nil {
			part, records = f.fetched(b, a)
			b.p.receivedFrom(len(records))
			records = f.n.ownRecords(records, bytes)
		}
		b.follower.OnLogStart(b.p.log.LogStartOffset()) // retention may be about to tell
		step := b.follower.OnFetched(now, b.sent, part)
		if step.ForgetSession {
			f.session.Forget()
		}
		f.n.fetchers.actOn(b.p, step, records)
	}
}

// fetched reads one partition's answer. Records whose checksum is wrong were damaged
// on the way or at the leader, and are not taken.
func (f *fetcher) fetched(b fetching, a *kmsg.FetchResponseTopicPartition) (replica.FetchedPartition, []byte) {
	got := replica.FetchedPartition{
		Err:           kerr.TypedErrorForCode(a.ErrorCode),
		HighWatermark: wire.Offset(a.HighWatermark), LogStart: wire.Offset(a.LogStartOffset),
		Diverging: replica.NoEpochEnd, Base: b.sent.Offset, Next: b.sent.Offset,
	}
	if a.DivergingEpoch.EndOffset >= 0 || a.DivergingEpoch.Epoch >= 0 {
		got.Diverging = replica.EpochEnd{Epoch: wire.LeaderEpoch(a.DivergingEpoch.Epoch), End: wire.Offset(a.DivergingEpoch.EndOffset)}
	}
	f.n.env.CPU.Charge(env.OpCRC, len(a.RecordBatches))
	size, first := 0, true
	var bad error
	for h, batch := range wire.Batches(a.RecordBatches, wire.Truncated(true), &bad) {
		if !wire.CheckCRC(batch) {
			bad = kerr.CorruptMessage
			break
		}
		if first {
			got.Base, first = h.BaseOffset, false
		}
		got.Next = h.NextOffset()
		size += len(batch)
	}
	if bad != nil {
		f.n.env.Trace.Event(env.Warn, "fetched-damage", env.S("partition", b.p.tp.String()), env.Err(bad))
		got.Err = kerr.CorruptMessage
	}
	return got, a.RecordBatches[:size]
}

// act carries out a follower's step that has no records.
func (fs *fetchers) act(p *partition, s replica.FollowerStep) { fs.actOn(p, s, nil) }

// actOn carries out a follower's step.
func (fs *fetchers) actOn(p *partition, s replica.FollowerStep, records []byte) {
	n, follower := fs.n, p.follower
	leader, epoch := follower.Leader()
	if s.Op != replica.OpTruncate && s.Op != replica.OpRestart {
		p.probe() // else once the log is as the follower already sees it
	}
	if s.LogStart != wire.NoOffset {
		p.log.DeleteRecords(s.LogStart, func(err error) {
			if err != nil {
				n.env.Trace.Event(env.Warn, "log-start-not-moved", env.S("partition", p.tp.String()), env.Err(err))
			}
		})
	}
	// finish counts the step's work as done and goes on with what it leads to.
	begin := func() func(err error, next func(now int64) replica.FollowerStep) {
		f := fs.byNode[leader]
		if f != nil {
			f.work++
		}
		return func(err error, next func(now int64) replica.FollowerStep) {
			if f != nil {
				f.work--
				f.poke()
			}
			switch {
			case p.follower != follower:
				p.assume() // a role that waits for the log to be at rest
			case err != nil:
				p.storageFailed(err)
			default:
				fs.act(p, next(p.now()))
				fs.poke(leader)
				if l, _ := follower.Leader(); l != leader {
					fs.poke(l)
				}
			}
		}
	}
	switch s.Op {
	case replica.OpNone:
	case replica.OpAppend:
		finish := begin()
		p.appendFetched(records, func(err error) {
			finish(err, func(now int64) replica.FollowerStep { return follower.OnAppended(now, p.log.LogEndOffset()) })
		})
	case replica.OpTruncate, replica.OpRestart:
		n.replicas.changes.truncated++
		n.env.Trace.Event(env.Detail, "follower-truncated", env.S("partition", p.tp.String()),
			env.I("to", s.Offset), env.I("end", p.log.LogEndOffset()), env.I("epoch", epoch))
		if s.BelowHighWatermark {
			n.env.Trace.Event(env.Warn, "truncated-below-high-watermark", env.S("partition", p.tp.String()), env.I("to", s.Offset))
		}
		finish := begin()
		p.cutting = true
		cut := p.log.TruncateTo
		if s.Op == replica.OpRestart {
			cut = p.log.TruncateFullyAndStartAt
		}
		cut(s.Offset, func(err error) {
			p.cutting = false
			finish(err, func(now int64) replica.FollowerStep { return follower.OnTruncated(now, p.log.LogEndOffset()) })
		})
	case replica.OpAskOffsets:
		fs.askOffsets(p, leader, epoch)
	}
}

// appendFetched appends what the follower has fetched. DeleteRecords may have put the
// leader's log start into a batch: a follower that begins there gets the whole batch, and
// its empty log has to begin with that.
func (p *partition) appendFetched(records []byte, done func(error)) {
	h, err := wire.ReadBatchHeader(records)
	start := p.log.LogStartOffset()
	if err != nil || h.BaseOffset >= start {
		p.log.AppendAsFollower(records, false, func(_ storage.AppendResult, err error) { done(err) })
		return
	}
	p.cutting = true // until the log is again what the follower takes it for
	end := func(err error) {
		p.cutting = false
		done(err)
	}
	p.log.TruncateFullyAndStartAt(h.BaseOffset, func(err error) {
		if err != nil {
			end(err)
			return
		}
		p.log.AppendAsFollower(records, false, func(_ storage.AppendResult, err error) {
			if err != nil {
				end(err)
				return
			}
			p.log.DeleteRecords(start, end)
		})
	})
}

// storageFailed follows an error of storage work for a follower. What the leader sent
// may have been unusable, which is no fault of this log: then follow it afresh.
func (p *partition) storageFailed(err error) {
	var offline *storage.OfflineError
	if errors.As(err, &offline) {
		p.offline(err)
		return
	}
	p.n.env.Trace.Event(env.Warn, "append-refused", env.S("partition", p.tp.String()), env.Err(err))
	p.unfollow()
	p.n.env.Clock.After(p.n.fetchBackoff(), p.assume)
}

// askOffsets asks the leader where its log starts and ends, for a follower whose
// offset is outside.
func (fs *fetchers) askOffsets(p *partition, leader wire.NodeID, epoch wire.LeaderEpoch) {
	n, follower := fs.n, p.follower
	ask := func(timestamp int64, done func(offset wire.Offset, err *kerr.Error)) {
		req := kmsg.NewPtrListOffsetsRequest()
		req.Version, req.ReplicaID = versionListOffsets, int32(n.cfg.NodeID)
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.CurrentLeaderEpoch, rp.Timestamp = p.tp.Partition, int32(epoch), timestamp
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: p.tp.Topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{rp}}}
		n.send(leader, laneControl, req, n.requestTimeout(), func(resp kmsg.Response, err error) {
			if err != nil {
				done(wire.NoOffset, kerr.NetworkException)
				return
			}
			r := resp.(*kmsg.ListOffsetsResponse)
			if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
				done(wire.NoOffset, kerr.UnknownServerError)
				return
			}
			a := r.Topics[0].Partitions[0]
			done(wire.Offset(a.Offset), kerr.TypedErrorForCode(a.ErrorCode))
		})
	}
	ask(listEarliest, func(start wire.Offset, errStart *kerr.Error) {
		ask(listLatest, func(end wire.Offset, errEnd *kerr.Error) {
			if p.follower != follower {
				return
			}
			follower.OnLogStart(p.log.LogStartOffset())
			fs.act(p, follower.OnLeaderOffsets(p.now(), epoch, replica.LeaderOffsets{
				Err: cmp.Or(errStart, errEnd), LogStart: start, LogEnd: end,
			}))
			fs.poke(leader)
		})
	})
}

const versionListOffsets = 7

// stop forgets everything; answers still to come find no followers.
func (fs *fetchers) stop() {
	nodes := make([]wire.NodeID, 0, len(fs.byNode))
	for id := range fs.byNode { //odradek:unordered sorted below
		nodes = append(nodes, id)
	}
	slices.Sort(nodes)
	for _, id := range nodes {
		if t := fs.byNode[id].timer; t != nil {
			t.Stop()
		}
	}
	clear(fs.byNode)
}
