package broker

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/metadata"
	"odradek/broker/raft"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// snapshotBatch is how many records a batch of a snapshot has at most.
const snapshotBatch = 1000

// maybeSnapshot writes a snapshot of the image (KIP-630) once enough was replayed
// since the last, so that the metadata log can be cut and a new node need not replay
// everything.
func (n *Node) maybeSnapshot() {
	if n.snapshotting || n.sinceSnapshot < n.cfg.MetadataSnapshotBytes || n.stopped {
		return
	}
	n.snapshotting = true
	n.sinceSnapshot = 0
	at := n.quorum.raft.SnapshotID(n.applied)
	content := n.encodeSnapshot(n.image.Records(), at.Offset)
	n.env.Tasks.Go(func(t *env.Task) {
		size, err := n.quorum.writeSnapshot(t, at, content)
		n.snapshotting = false
		if err != nil {
			// The log remains whole, so nothing is lost but disk space.
			n.env.Trace.Event(env.Warn, "snapshot-failed", env.Err(err))
			return
		}
		n.env.Trace.Event(env.Info, "snapshot-written", env.I("offset", at.Offset), env.I("size", size))
		n.quorum.input(func(now int64) { n.quorum.raft.SnapshotCreated(now, raft.Snapshot{ID: at, Size: size}) })
	})
}

// encodeSnapshot lays out a snapshot as Kafka does: a header, batches of records with
// offsets of their own, a footer.
func (n *Node) encodeSnapshot(records []metadata.Record, end wire.Offset) [][]byte {
	var batches [][]byte
	next := wire.Offset(0)
	add := func(b *wire.Builder) {
		batch, err := b.Build(nil, n.codec)
		if err != nil {
			panic(fmt.Sprintf("broker: snapshot batch: %v", err))
		}
		wire.SetBaseOffset(batch, next)
		next += wire.Offset(b.Count())
		batches = append(batches, batch)
	}
	now := n.wallMillis()
	control := func(kind kmsg.ControlRecordKeyType, value []byte) {
		key := kmsg.NewControlRecordKey()
		key.Type = kind
		b := wire.NewBuilder(wire.BatchOptions{Control: true})
		b.Append(now, key.AppendTo(nil), value)
		add(b)
	}
	// SnapshotHeaderRecord v0: version, last contained log timestamp; footer: version.
	header := append(make([]byte, 0, 11), 0, 0)
	for shift := 56; shift >= 0; shift -= 8 {
		header = append(header, byte(now>>shift))
	}
	control(controlSnapshotHeader, append(header, 0))
	for len(records) > 0 {
		b := wire.NewBuilder(wire.BatchOptions{})
		for _, r := range records[:min(snapshotBatch, len(records))] {
			b.Append(now, nil, metadata.Append(nil, r))
		}
		records = records[min(snapshotBatch, len(records)):]
		add(b)
	}
	control(controlSnapshotFooter, []byte{0, 0, 0})
	return batches
}

// Kinds of control records of KRaft snapshots.
const (
	controlSnapshotHeader kmsg.ControlRecordKeyType = 3
	controlSnapshotFooter kmsg.ControlRecordKeyType = 4
)

func (q *quorum) writeSnapshot(t *env.Task, at raft.OffsetAndEpoch, content [][]byte) (int64, error) {
	w, err := env.Await2(t, func(done func(*storage.SnapshotWriter, error)) {
		q.log.CreateSnapshot(storage.SnapshotID{EndOffset: at.Offset, Epoch: at.Epoch}, done)
	})
	if err != nil {
		return 0, err
	}
	for _, b := range content {
		if err := env.Await(t, func(done func(error)) { w.Append(b, done) }); err != nil {
			w.Abort()
			return 0, err
		}
	}
	size := w.Size()
	return size, env.Await(t, w.Freeze)
}

// snapshotEffect executes the decider's effects about a snapshot being fetched.
func (q *quorum) snapshotEffect(e raft.Effect) {
	fail := func(err error) { q.fail("a fetched metadata snapshot cannot be stored", err) }
	switch e := e.(type) {
	case raft.StartSnapshot:
		q.step(func(next func()) {
			q.log.CreateSnapshot(storage.SnapshotID{EndOffset: e.ID.Offset, Epoch: e.ID.Epoch}, func(w *storage.SnapshotWriter, err error) {
				if err != nil {
					fail(err)
					return
				}
				q.incoming = w
				next()
			})
		})
	case raft.WriteSnapshot:
		q.step(func(next func()) {
			if q.incoming.Size() != e.Position {
				panic(fmt.Sprintf("broker: snapshot piece at %d, have %d bytes", e.Position, q.incoming.Size()))
			}
			q.incoming.Append(e.Bytes, func(err error) {
				if err != nil {
					fail(err)
					return
				}
				next()
			})
		})
	case raft.AbortSnapshot:
		q.step(func(next func()) {
			if q.incoming != nil {
				q.incoming.Abort()
				q.incoming = nil
			}
			next()
		})
	case raft.InstallSnapshot:
		q.cuts++
		q.step(func(next func()) {
			q.n.env.Tasks.Go(func(t *env.Task) {
				if err := q.install(t, e.ID); err != nil {
					fail(err)
					return
				}
				q.cuts--
				next()
				q.input(func(now int64) { q.raft.SnapshotInstalled(now, e.ID) })
				q.n.applyCommitted() // a replay that stood in the way of this has given up
			})
		})
	}
}

func (q *quorum) install(t *env.Task, at raft.OffsetAndEpoch) error {
	if q.incoming != nil {
		w := q.incoming
		q.incoming = nil
		if err := env.Await(t, w.Freeze); err != nil {
			return err
		}
	}
	if err := env.Await(t, func(done func(error)) { q.log.TruncateFullyAndStartAt(at.Offset, done) }); err != nil {
		return err
	}
	q.n.env.Trace.Event(env.Info, "snapshot-installed", env.I("offset", at.Offset))
	return q.loadSnapshot(t, storage.SnapshotID{EndOffset: at.Offset, Epoch: at.Epoch})
}

// loadSnapshot replaces the image by a snapshot's.
func (q *quorum) loadSnapshot(t *env.Task, id storage.SnapshotID) error {
	r, err := env.Await2(t, func(done func(*storage.SnapshotReader, error)) { q.log.OpenSnapshot(id, done) })
	if err != nil {
		return err
	}
	defer r.Close()
	content := make([]byte, r.Size())
	if _, err := env.Await2(t, func(done func(int, error)) { r.ReadAt(content, 0, done) }); err != nil {
		return err
	}
	var bad error
	for h, b := range wire.Batches(content, wire.Truncated(false), &bad) {
		if !wire.CheckCRC(b) {
			return fmt.Errorf("snapshot %d-%d: batch at %d fails its CRC", id.EndOffset, id.Epoch, h.BaseOffset)
		}
	}
	image := metadata.NewImage()
	if _, err := q.n.replayInto(content, image.Apply); err != nil {
		return fmt.Errorf("snapshot %d-%d: %w", id.EndOffset, id.Epoch, err)
	}
	before := q.n.image
	q.n.image, q.n.applied = image, id.EndOffset
	q.n.imageGeneration++
	q.n.published(metadata.Diff(before, image))
	return nil
}

func (q *quorum) readSnapshot(e raft.ReadSnapshot) {
	id := storage.SnapshotID{EndOffset: e.Response.SnapshotID.Offset, Epoch: e.Response.SnapshotID.Epoch}
	fail := func() {
		e.Response.ErrorCode = raft.ErrSnapshotNotFound
		q.answer(e.Token, e.Response, answerBytes{})
	}
	q.log.OpenSnapshot(id, func(r *storage.SnapshotReader, err error) {
		if err != nil {
			fail()
			return
		}
		buf := make([]byte, min(int64(e.MaxBytes), r.Size()-e.Response.Position))
		r.ReadAt(buf, e.Response.Position, func(k int, err error) {
			r.Close()
			if err != nil {
				fail()
				return
			}
			e.Response.Bytes = buf[:k]
			q.answer(e.Token, e.Response, answerBytes{})
		})
	})
}
