package harness

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"odradek/broker"
	"odradek/broker/env"
	"odradek/broker/storage"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads"
)

// liar stands between a node and its probe, and tells of a broker that does what this one
// never does. Each function may be nil.
type liar struct {
	*probe
	wrote    func(log storage.Partition, h *wire.BatchHeader, batch []byte) []byte
	replica  func(s *broker.ReplicaState)
	wall     time.Duration // added to the time of cleanings
	rewrites bool          // the cleaner changes timestamps
}

func (l *liar) LogAppended(log storage.Partition, b storage.BatchID, batch []byte) {
	if h, err := wire.ReadBatchHeader(batch); err == nil && l.wrote != nil && log.Topic != history.TransactionsTopic {
		batch = l.wrote(log, &h, slices.Clone(batch))
	}
	l.probe.LogAppended(log, b, batch)
}

func (l *liar) ReplicaChanged(s *broker.ReplicaState) {
	other := *s
	if l.replica != nil {
		l.replica(&other)
	}
	l.probe.ReplicaChanged(&other)
}

func (l *liar) LogCleaned(log storage.Partition, c storage.Cleaned, hw wire.Offset, wall int64) {
	const timestamp = 34 // the last byte of the first one in a batch
	file := fmt.Sprintf("%s/%020d.log.cleaned", log.TopicPartition, c.From)
	if l.rewrites {
		l.n.Disk.Corrupt(file, timestamp, 1)
	}
	l.probe.LogCleaned(log, c, hw, wall+l.wall.Milliseconds())
	if l.rewrites {
		l.n.Disk.Corrupt(file, timestamp, 1)
	}
}

// turned is a marker that says the contrary.
func turned(_ storage.Partition, h *wire.BatchHeader, batch []byte) []byte {
	m, ok, err := wire.ReadEndMarker(h, batch)
	if err != nil || !ok {
		return batch
	}
	m.Commit = !m.Commit
	batch = wire.BuildEndMarker(h.ProducerID, h.ProducerEpoch, m, h.MaxTimestamp)
	wire.SetBaseOffset(batch, h.BaseOffset)
	return batch
}

// TestWhatNodesNeverDoIsFound has the harness find what no switch in the broker plants.
func TestWhatNodesNeverDoIsFound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		finds, workload string
		liar            liar
	}{
		{"marker-decided", "exactly-once", liar{wrote: turned}},
		{"marker-written", "exactly-once", liar{wrote: func(_ storage.Partition, h *wire.BatchHeader, batch []byte) []byte {
			if h.Control() { // it ends the transaction of somebody else
				wire.SetProducer(batch, wire.Producer{ID: h.ProducerID + 1_000_000, Epoch: h.ProducerEpoch, Sequence: h.BaseSequence}, true)
			}
			return batch
		}}},
		{"stable-decided", "exactly-once", liar{replica: func(s *broker.ReplicaState) { s.LastStableOffset = s.HighWatermark }}},
		{"stable-in-log", "exactly-once", liar{replica: func(s *broker.ReplicaState) { s.LastStableOffset = s.HighWatermark + 1 }}},
		{"delete-horizon", "compacted-table", liar{wall: -time.Hour}},
		{"cleaned-subset", "compacted-table", liar{rewrites: true}},
	} {
		t.Run(test.finds, func(t *testing.T) {
			t.Parallel()
			p := seeded(t, test.workload, 3, nil)
			p.Events = nil
			res, err := Run(p, Options{probed: func(p broker.Probe) broker.Probe {
				l := test.liar
				l.probe = p.(*probe)
				return &l
			}})
			if err != nil {
				t.Fatal(err)
			}
			if found := names(res); !slices.Contains(found, test.finds) {
				t.Errorf("found %v", found)
			}
		})
	}
}

// twins is a workload in which two producers are told the same producer id and epoch.
type twins struct{}

func (twins) Setup(*env.Task, *workloads.Site) error { return nil }
func (twins) Final(*env.Task, *workloads.Site) error { return nil }

func (twins) Users() []workloads.User {
	return []workloads.User{{Name: "twins", Run: func(_ *env.Task, s *workloads.Site) {
		for _, process := range []string{"one", "other"} {
			e := history.Event{Func: history.InitProducer, Process: process, Offset: wire.NoOffset}
			op := s.Recorder.Invoke(e)
			e.Outcome, e.Producer = history.OK, &history.Producer{ID: 7}
			s.Recorder.Return(op, e)
		}
	}}}
}

func TestTwoProducersWithOneIdAreFound(t *testing.T) {
	t.Parallel()
	p := DefaultPlan(1)
	p.Events = nil
	res, err := Run(p, Options{Workload: twins{}})
	if err != nil {
		t.Fatal(err)
	}
	if found := names(res); !slices.Contains(found, "one-producer") {
		t.Errorf("found %v", found)
	}
}
