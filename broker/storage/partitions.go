package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// readPartitions finds the partition directories.
func (s *Store) readPartitions(t *env.Task) error {
	entries, err := list(t, s.e.Disk, root)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		switch {
		case !entry.Dir && strings.HasSuffix(entry.Name, temporarySuffix):
			if err := remove(t, s.e.Disk, entry.Name); err != nil {
				return err
			}
		case !entry.Dir:
		case strings.HasSuffix(entry.Name, deletedDirectorySuffix):
			s.removeDirectory(entry.Name)
		default:
			if err := s.readPartition(t, entry.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) readPartition(t *env.Task, dir string) error {
	tp, ok := parsePartitionDir(dir)
	if !ok {
		s.e.Trace.Event(env.Warn, "stray-directory", env.S("name", dir))
		return nil
	}
	name := path.Join(dir, partitionMetadataFile)
	content, err := readFile(t, s.e.Disk, name)
	if errors.Is(err, fs.ErrNotExist) {
		return s.readBarePartition(t, tp, dir)
	}
	if err != nil {
		return err
	}
	id, err := parsePartitionMetadata(name, content)
	if err != nil {
		return err
	}
	s.partitions[tp] = id
	return nil
}

// readBarePartition judges a directory without partition.metadata. CreatePartition writes
// that before the first segment, so that without segments it is a creation that a crash
// cut short.
func (s *Store) readBarePartition(t *env.Task, tp wire.TopicPartition, dir string) error {
	entries, err := list(t, s.e.Disk, dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if _, suffix, ok := parseSegmentName(entry.Name); ok && suffix == logSuffix {
			s.partitions[tp] = wire.UUID{}
			return nil
		}
	}
	return removeTree(t, s.e.Disk, dir)
}

// parsePartitionDir splits "topic-3".
func parsePartitionDir(name string) (wire.TopicPartition, bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 {
		return wire.TopicPartition{}, false
	}
	n, err := strconv.ParseInt(name[i+1:], 10, 32)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != name[i+1:] {
		return wire.TopicPartition{}, false
	}
	return wire.TopicPartition{Topic: name[:i], Partition: int32(n)}, true
}

func formatPartitionMetadata(id wire.UUID) []byte {
	return fmt.Appendf(nil, "version: 0\ntopic_id: %s\n", id)
}

func parsePartitionMetadata(name string, content []byte) (wire.UUID, error) {
	fields := make(map[string]string)
	for line := range strings.Lines(string(content)) {
		key, value, _ := strings.Cut(line, ":")
		fields[key] = strings.TrimSpace(value)
	}
	if fields["version"] != "0" {
		return wire.UUID{}, &CorruptError{Path: name, Reason: fmt.Sprintf("version %q, want 0", fields["version"])}
	}
	id, err := wire.ParseUUID(fields["topic_id"])
	if err != nil {
		return wire.UUID{}, &CorruptError{Path: name, Reason: "topic_id: " + err.Error()}
	}
	return id, nil
}

// Partitions lists the partition directories, sorted.
func (s *Store) Partitions() []Partition {
	ps := make([]Partition, 0, len(s.partitions))
	for tp, id := range s.partitions { //odradek:unordered sorted below
		ps = append(ps, Partition{tp, id})
	}
	slices.SortFunc(ps, func(a, b Partition) int { return a.Compare(b.TopicPartition) })
	return ps
}

// OpenLog opens the log of an existing partition directory. Errors: fs.ErrNotExist, and
// those of [Open].
func (s *Store) OpenLog(task *env.Task, tp wire.TopicPartition, cfg Config, obs Observer) (*Log, error) {
	if _, exists := s.partitions[tp]; !exists {
		return nil, fmt.Errorf("partition %s: %w", tp, fs.ErrNotExist)
	}
	check(s.logs[tp] == nil, "log %s opened twice", tp)
	went := obs.WentOffline
	obs.WentOffline = func(l *Log, err error) {
		s.failed = true
		if went != nil {
			went(l, err)
		}
	}
	_, gaps := s.cleaned.offsets[tp]
	l, err := Open(task, s.e, partitionDir(tp), cfg, Options{
		Observer:      obs,
		Clean:         s.previous.Clean,
		RecoveryPoint: s.recoveryPoints.offsets[tp],
		LogStart:      s.logStarts.offsets[tp],
		Cleaned:       s.cleaned.offsets[tp],
		Gaps:          gaps,
		memory:        &s.memory,
		SaveCleaned: func(upTo wire.Offset, done func(error)) {
			s.cleaned.offsets[tp] = upTo
			s.cleaned.file.write(done)
		},
		BeforeTruncation: func(recoveryPoint, logStart wire.Offset, done func(error)) {
			s.beforeTruncation(tp, recoveryPoint, logStart, done)
		},
		SaveLogStart: func(done func(error)) {
			s.logStarts.offsets[tp] = s.logs[tp].LogStartOffset()
			s.logStarts.file.write(done)
		},
	})
	if err != nil {
		s.failed = true
		return nil, err
	}
	s.logs[tp] = l
	return l, nil
}

// beforeTruncation is [Options.BeforeTruncation] of a partition's log.
func (s *Store) beforeTruncation(tp wire.TopicPartition, recoveryPoint, logStart wire.Offset, done func(error)) {
	s.recoveryPoints.offsets[tp] = min(s.recoveryPoints.offsets[tp], recoveryPoint)
	s.logStarts.offsets[tp] = logStart
	files := []*checkpoint{&s.recoveryPoints, &s.logStarts}
	if cleaned, exists := s.cleaned.offsets[tp]; exists {
		// Else what is appended there later would pass for cleaned (KAFKA-3330).
		s.cleaned.offsets[tp] = min(cleaned, recoveryPoint)
		files = append(files, &s.cleaned)
	}
	// Written even when nothing is lowered now: an earlier write may still fail.
	var next func(error)
	next = func(err error) {
		if err != nil || len(files) == 0 {
			done(err)
			return
		}
		f := files[0]
		files = files[1:]
		f.file.write(next)
	}
	next(nil)
}

// openAtOnce is how many logs are recovered at the same time.
const openAtOnce = 4

// OpenLogs opens the logs of several partitions, a few at a time, calling each with
// every log or error as it comes, and returns when all are done.
func (s *Store) OpenLogs(task *env.Task, tps []wire.TopicPartition,
	configure func(wire.TopicPartition) (Config, Observer), each func(wire.TopicPartition, *Log, error)) {
	if len(tps) == 0 {
		return
	}
	next, workers := 0, min(openAtOnce, len(tps))
	task.Suspend(func(wake func()) {
		left := workers
		for range workers {
			spawn(s.e, func(t *env.Task) error {
				for next < len(tps) {
					tp := tps[next]
					next++
					cfg, obs := configure(tp)
					l, err := s.OpenLog(t, tp, cfg, obs)
					each(tp, l, err)
				}
				return nil
			}, func(error) {
				if left--; left == 0 {
					wake()
				}
			})
		}
	})
}

// CreatePartition makes the directory of a new partition, durably, and opens its empty
// log, which starts at offset 0. An existing one is fs.ErrExist.
func (s *Store) CreatePartition(p Partition, cfg Config, obs Observer, done func(*Log, error)) {
	var l *Log
	s.tree.do(func(t *env.Task) (err error) {
		if s.closing {
			return ErrClosed
		}
		l, err = s.create(t, p, cfg, obs)
		return err
	}, func(err error) { done(l, err) })
}

func (s *Store) create(t *env.Task, p Partition, cfg Config, obs Observer) (*Log, error) {
	tp := p.TopicPartition
	if _, exists := s.partitions[tp]; exists {
		return nil, fmt.Errorf("partition %s: %w", tp, fs.ErrExist)
	}
	// What the checkpoints say is about an earlier partition of this name: its high
	// watermark would make uncommitted records of the new one pass for committed.
	if err := s.forget(t, tp); err != nil {
		return nil, err
	}
	dir := partitionDir(tp)
	if err := mkdir(t, s.e.Disk, dir); err != nil {
		return nil, err
	}
	if err := writeFileAtomic(t, s.e.Disk, path.Join(dir, partitionMetadataFile), formatPartitionMetadata(p.TopicID)); err != nil {
		return nil, err
	}
	if err := syncDir(t, s.e.Disk, root); err != nil {
		return nil, err
	}
	s.partitions[tp] = p.TopicID
	return s.OpenLog(t, tp, cfg, obs)
}

// forget removes a partition from the checkpoints, durably.
func (s *Store) forget(t *env.Task, tp wire.TopicPartition) error {
	for _, c := range []*checkpoint{&s.recoveryPoints, &s.highWatermarks, &s.logStarts, &s.cleaned} {
		old, exists := c.offsets[tp]
		if !exists {
			continue
		}
		delete(c.offsets, tp)
		if err := env.Await(t, c.file.write); err != nil {
			c.offsets[tp] = old // it may still be in the file
			return err
		}
	}
	return nil
}

// DeletePartition gives up the partition's log (pending appends fail with [ErrClosed]) and
// renames its directory, durably; the files are removed in the background. A missing
// partition is fs.ErrNotExist.
func (s *Store) DeletePartition(tp wire.TopicPartition, done func(error)) {
	s.tree.do(func(t *env.Task) error {
		if s.closing {
			return ErrClosed
		}
		if _, exists := s.partitions[tp]; !exists {
			return fmt.Errorf("partition %s: %w", tp, fs.ErrNotExist)
		}
		if l := s.logs[tp]; l != nil {
			l.abandon(t)
			delete(s.logs, tp)
		}
		to := s.doomedName(tp)
		if err := rename(t, s.e.Disk, partitionDir(tp), to); err != nil {
			return err
		}
		if err := syncDir(t, s.e.Disk, root); err != nil {
			return err
		}
		delete(s.partitions, tp)
		if err := s.forget(t, tp); err != nil {
			return err
		}
		s.removeDirectory(to)
		return nil
	}, done)
}

// doomedName is a name for a deleted partition's directory: Kafka's form, within the 255
// bytes of a file name.
func (s *Store) doomedName(tp wire.TopicPartition) string {
	for {
		id := s.randomID()
		suffix := fmt.Sprintf(".%x%s", id[:], deletedDirectorySuffix)
		name := tp.String()
		name = name[:min(len(name), 255-len(suffix))] + suffix
		if !s.doomed[name] {
			return name
		}
	}
}

// removeDirectory removes a renamed directory in the background. What cannot be removed
// is tried again at the next start.
func (s *Store) removeDirectory(name string) {
	s.doomed[name] = true
	spawn(s.e, func(t *env.Task) error { return removeTree(t, s.e.Disk, name) }, func(err error) {
		if err != nil {
			s.e.Trace.Event(env.Warn, "deleted-directory-stays", env.S("name", name), env.Err(err))
			return
		}
		delete(s.doomed, name)
	})
}
