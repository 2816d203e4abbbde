package storage

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// StoreConfig says whose data directory it is. The directory is the disk's root.
type StoreConfig struct {
	ClusterID string
	NodeID    wire.NodeID
	// TailBytes bounds the memory that the latest appends of all logs take, for readers at
	// their tails; 0 is [DefaultTailBytes]. Of a single log it is bounded by its CacheBytes.
	TailBytes int64
}

// DefaultTailBytes is enough for some dozen logs that are written to at the same time.
const DefaultTailBytes = 64 << 20

// root is the data directory itself.
const root = "."

// Store is the data directory of a node. All methods belong to the node's loop.
type Store struct {
	e           *env.Env
	rand        *rand.Rand
	directoryID wire.UUID
	previous    CleanShutdown

	partitions map[wire.TopicPartition]wire.UUID
	logs       map[wire.TopicPartition]*Log // opened; nil while being opened or closed
	// doomed are the names of directories being deleted, so that none is reused.
	doomed map[string]bool

	recoveryPoints, highWatermarks, logStarts checkpoint
	// cleaned has the logs that may have gaps, and where their last cleaning ended.
	cleaned checkpoint
	files   map[string]*lane // by path
	tree    lane             // creates and deletes partition directories
	memory  memory           // of the logs' tails
	closing bool
	// failed says that a log went offline: what it left needs recovery.
	failed bool
}

// CleanShutdown tells how the previous run ended.
type CleanShutdown struct {
	Clean bool
	// BrokerEpoch is that of the run that ended cleanly, else wire.NoBrokerEpoch
	// (KIP-966: a broker that registers without it has stopped uncleanly).
	BrokerEpoch wire.BrokerEpoch
}

// Partition is a partition directory.
type Partition struct {
	wire.TopicPartition
	// TopicID is zero if the directory has no partition.metadata.
	TopicID wire.UUID
}

// PartitionOffset is one entry of an offset checkpoint.
type PartitionOffset struct {
	wire.TopicPartition
	Offset wire.Offset
}

// checkpoint is an offset checkpoint: what the next write of its file will say.
type checkpoint struct {
	offsets offsetMap
	file    sharedFile
}

// OpenStore opens the data directory, or makes a new one of an empty one: identity,
// checkpoints, partition directories; not the logs. The clean-shutdown marker is
// removed, durably, before it returns. Directories of deleted partitions are removed
// in the background. Errors: [IdentityError], [CorruptError], or the disk's.
func OpenStore(task *env.Task, e *env.Env, cfg StoreConfig) (*Store, error) {
	s := &Store{
		e:          e,
		rand:       e.Rand.Stream("storage"),
		partitions: make(map[wire.TopicPartition]wire.UUID),
		logs:       make(map[wire.TopicPartition]*Log),
		doomed:     make(map[string]bool),
		files:      make(map[string]*lane),
		tree:       lane{e: e},
		memory:     memory{limit: cmp.Or(cfg.TailBytes, DefaultTailBytes)},
		previous:   CleanShutdown{BrokerEpoch: wire.NoBrokerEpoch},
	}
	// What this run reads it also relies on: a crashed process may have left names that
	// power loss would still take back.
	if err := syncDir(task, e.Disk, root); err != nil {
		return nil, err
	}
	if err := s.readIdentity(task, cfg); err != nil {
		return nil, err
	}
	if err := s.readCleanShutdown(task); err != nil {
		return nil, err
	}
	for _, c := range []struct {
		checkpoint *checkpoint
		name       string
	}{{&s.recoveryPoints, recoveryPointFile}, {&s.highWatermarks, highWatermarkFile}, {&s.logStarts, logStartFile}, {&s.cleaned, cleanerOffsetFile}} {
		if err := s.readCheckpoint(task, c.checkpoint, c.name); err != nil {
			return nil, err
		}
	}
	if err := s.readPartitions(task); err != nil {
		return nil, err
	}
	return s, nil
}

// readCheckpoint loads an offset checkpoint. A damaged one is an error: without the
// recovery points, acknowledged records would be cut off as a torn tail, and
// without the high watermarks uncommitted ones could pass for committed.
func (s *Store) readCheckpoint(t *env.Task, c *checkpoint, name string) error {
	c.offsets = make(offsetMap)
	c.file = sharedFile{e: s.e, path: name, render: func() []byte { return c.offsets.format() }}
	content, err := readFile(t, s.e.Disk, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		c.offsets, err = parseOffsets(name, content)
	}
	return err
}

// cleanShutdownContent is the marker file, in Kafka's form.
type cleanShutdownContent struct {
	Version     int   `json:"version"`
	BrokerEpoch int64 `json:"brokerEpoch"`
}

// readCleanShutdown reads the marker and removes it, durably: if this run crashes, the
// next one must not find it.
func (s *Store) readCleanShutdown(t *env.Task) error {
	content, err := readFile(t, s.e.Disk, cleanShutdownFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var marker cleanShutdownContent
	if err := json.Unmarshal(content, &marker); err != nil || marker.Version != 0 {
		s.e.Trace.Event(env.Warn, "clean-shutdown-marker-damaged", env.S("content", string(content)))
	} else {
		s.previous = CleanShutdown{Clean: true, BrokerEpoch: wire.BrokerEpoch(marker.BrokerEpoch)}
	}
	if err := remove(t, s.e.Disk, cleanShutdownFile); err != nil {
		return err
	}
	return syncDir(t, s.e.Disk, root)
}

// DirectoryID is the id of this data directory (KIP-858).
func (s *Store) DirectoryID() wire.UUID { return s.directoryID }

// PreviousShutdown tells how the previous run ended.
func (s *Store) PreviousShutdown() CleanShutdown { return s.previous }

// Log returns an open log, or nil.
func (s *Store) Log(tp wire.TopicPartition) *Log { return s.logs[tp] }

// HighWatermark is the partition's last checkpointed high watermark, 0 if there is none.
// The caller bounds it by the log's start and end.
func (s *Store) HighWatermark(tp wire.TopicPartition) wire.Offset {
	return s.highWatermarks.offsets[tp]
}

// CheckpointHighWatermarks writes the given high watermarks; those of other partitions
// stay as they are.
func (s *Store) CheckpointHighWatermarks(hws []PartitionOffset, done func(error)) {
	for _, hw := range hws {
		if _, exists := s.partitions[hw.TopicPartition]; exists {
			s.highWatermarks.offsets[hw.TopicPartition] = hw.Offset
		}
	}
	s.highWatermarks.file.write(done)
}

// Checkpoint writes the recovery points and start offsets of all open logs.
func (s *Store) Checkpoint(done func(error)) {
	for _, tp := range s.openLogs() {
		s.note(tp, s.logs[tp])
	}
	s.recoveryPoints.file.write(func(err error) {
		s.logStarts.file.write(func(err2 error) { done(cmp.Or(err, err2)) })
	})
}

// note enters an open log in the checkpoints.
func (s *Store) note(tp wire.TopicPartition, l *Log) {
	s.recoveryPoints.offsets[tp] = l.RecoveryPoint()
	s.logStarts.offsets[tp] = l.LogStartOffset()
}

// openLogs are the partitions with an open log, sorted.
func (s *Store) openLogs() []wire.TopicPartition {
	tps := make([]wire.TopicPartition, 0, len(s.logs))
	for tp := range s.logs { //odradek:unordered sorted below
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, wire.TopicPartition.Compare)
	return tps
}

// ReadFile reads a small file at the root of the data directory, or below a partition
// directory. A missing one is fs.ErrNotExist.
func (s *Store) ReadFile(name string, done func([]byte, error)) {
	spawnValue(s.e, func(t *env.Task) ([]byte, error) { return readFile(t, s.e.Disk, name) }, done)
}

// WriteFileAtomic replaces a small file: after success the new content is durable, and
// before it, whatever happens, the old content is there. Writes of one path happen in
// order. content must stay unmodified until done.
func (s *Store) WriteFileAtomic(name string, content []byte, done func(error)) {
	f := s.files[name]
	if f == nil {
		f = &lane{e: s.e}
		s.files[name] = f
	}
	f.do(func(t *env.Task) error { return writeFileAtomic(t, s.e.Disk, name, content) }, done)
}

// Close closes all logs, writes the checkpoints and, if no log was offline, the
// clean-shutdown marker with the given broker epoch. The first error is reported, but
// everything is closed.
func (s *Store) Close(brokerEpoch wire.BrokerEpoch, done func(error)) {
	if s.closing {
		s.e.Clock.After(0, func() { done(ErrClosed) })
		return
	}
	s.closing = true
	s.tree.do(func(t *env.Task) error { return s.close(t, brokerEpoch) }, done)
}

func (s *Store) close(t *env.Task, brokerEpoch wire.BrokerEpoch) error {
	tps := s.openLogs()
	// A log that this run did not open is as the previous one left it.
	clean := s.previous.Clean || len(tps) == len(s.partitions)
	var failed error
	if len(tps) > 0 {
		left := len(tps)
		t.Suspend(func(wake func()) {
			for _, tp := range tps {
				l := s.logs[tp]
				l.Close(func(err error) {
					if err == nil {
						s.recoveryPoints.offsets[tp] = l.LogEndOffset()
						s.logStarts.offsets[tp] = l.LogStartOffset()
					} else if failed == nil {
						failed = err
					}
					if left--; left == 0 {
						wake()
					}
				})
			}
		})
	}
	clear(s.logs)
	for _, c := range []*checkpoint{&s.recoveryPoints, &s.highWatermarks, &s.logStarts} {
		if err := env.Await(t, c.file.write); err != nil && failed == nil {
			failed = err
		}
	}
	if failed != nil || s.failed || !clean {
		return failed
	}
	marker, err := json.Marshal(cleanShutdownContent{BrokerEpoch: int64(brokerEpoch)})
	check(err == nil, "marker: %v", err)
	return writeFileAtomic(t, s.e.Disk, cleanShutdownFile, marker)
}

// readIdentity reads meta.properties, or writes the first one.
func (s *Store) readIdentity(t *env.Task, cfg StoreConfig) error {
	want := map[string]string{"version": "1", "cluster.id": cfg.ClusterID, "node.id": fmt.Sprint(cfg.NodeID)}
	content, err := readFile(t, s.e.Disk, metaPropertiesFile)
	if errors.Is(err, fs.ErrNotExist) {
		s.directoryID = s.randomID()
		text := fmt.Sprintf("version=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n", cfg.ClusterID, cfg.NodeID, s.directoryID)
		return writeFileAtomic(t, s.e.Disk, metaPropertiesFile, []byte(text))
	}
	if err != nil {
		return err
	}
	got := parseProperties(string(content))
	for _, field := range []string{"version", "cluster.id", "node.id"} {
		value, exists := got[field]
		if !exists {
			return &CorruptError{Path: metaPropertiesFile, Reason: field + " is missing"}
		}
		if value != want[field] {
			return &IdentityError{Path: metaPropertiesFile, Field: field, Got: value, Want: want[field]}
		}
	}
	s.directoryID, err = wire.ParseUUID(got["directory.id"])
	if err != nil {
		return &CorruptError{Path: metaPropertiesFile, Reason: "directory.id: " + err.Error()}
	}
	return nil
}

// parseProperties reads Java properties as far as Kafka uses them here.
func parseProperties(text string) map[string]string {
	m := make(map[string]string)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			m[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return m
}

// randomID draws an id that Kafka would not reserve: the text form does not begin with
// a dash, and the first 64 bits are not 0.
func (s *Store) randomID() wire.UUID {
	for {
		var id wire.UUID
		for i := range id {
			id[i] = byte(s.rand.Uint32())
		}
		id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // version 4
		if id.String()[0] != '-' {
			return id
		}
	}
}

func partitionDir(tp wire.TopicPartition) string { return path.Join(root, tp.String()) }
