package storage

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"odradek/broker/wire"
)

// Names of files in the data directory and in a partition's.
const (
	metaPropertiesFile     = "meta.properties"
	cleanShutdownFile      = ".kafka_cleanshutdown"
	recoveryPointFile      = "recovery-point-offset-checkpoint"
	highWatermarkFile      = "replication-offset-checkpoint"
	logStartFile           = "log-start-offset-checkpoint"
	cleanerOffsetFile      = "cleaner-offset-checkpoint"
	leaderEpochFile        = "leader-epoch-checkpoint"
	partitionMetadataFile  = "partition.metadata"
	temporarySuffix        = ".tmp"
	deletedSuffix          = ".deleted"
	deletedDirectorySuffix = "-delete"
)

// A checkpoint file is text: a line with the version (0), one with the number of
// entries, then a line for each, its fields separated by spaces.

func formatCheckpoint(lines []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "0\n%d\n", len(lines))
	for _, l := range lines {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// parseCheckpoint returns the entries, each with the given number of fields.
func parseCheckpoint(path string, content []byte, fields int) ([][]string, error) {
	corrupt := func(format string, args ...any) error {
		return &CorruptError{Path: path, Reason: fmt.Sprintf(format, args...)}
	}
	text, whole := strings.CutSuffix(string(content), "\n")
	lines := strings.Split(text, "\n")
	if !whole || len(lines) < 2 {
		return nil, corrupt("want a version, a count and entries, each on a line")
	}
	if lines[0] != "0" {
		return nil, corrupt("version %q, want 0", lines[0])
	}
	count, err := strconv.Atoi(lines[1])
	if err != nil || count != len(lines)-2 {
		return nil, corrupt("count %q, but there are %d entries", lines[1], len(lines)-2)
	}
	entries := make([][]string, 0, count)
	for _, l := range lines[2:] {
		e := strings.Fields(l)
		if len(e) != fields {
			return nil, corrupt("entry %q, want %d fields", l, fields)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// offsetMap is the content of an offset checkpoint: topic, partition, offset.
type offsetMap map[wire.TopicPartition]wire.Offset

func (m offsetMap) format() []byte {
	tps := make([]wire.TopicPartition, 0, len(m))
	for tp := range m { //odradek:unordered sorted below
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, wire.TopicPartition.Compare)
	lines := make([]string, len(tps))
	for i, tp := range tps {
		lines[i] = fmt.Sprintf("%s %d %d", tp.Topic, tp.Partition, m[tp])
	}
	return formatCheckpoint(lines)
}

func parseOffsets(path string, content []byte) (offsetMap, error) {
	entries, err := parseCheckpoint(path, content, 3)
	if err != nil {
		return nil, err
	}
	m := make(offsetMap, len(entries))
	for _, e := range entries {
		partition, err1 := strconv.ParseInt(e[1], 10, 32)
		offset, err2 := strconv.ParseInt(e[2], 10, 64)
		if err1 != nil || err2 != nil || partition < 0 || offset < 0 {
			return nil, &CorruptError{Path: path, Reason: fmt.Sprintf("entry %q is not a topic, a partition and an offset", e)}
		}
		m[wire.TopicPartition{Topic: e[0], Partition: int32(partition)}] = wire.Offset(offset)
	}
	return m, nil
}

func formatEpochs(entries []epochEntry) []byte {
	lines := make([]string, len(entries))
	for i, e := range entries {
		lines[i] = fmt.Sprintf("%d %d", e.epoch, e.start)
	}
	return formatCheckpoint(lines)
}

func parseEpochs(path string, content []byte) ([]epochEntry, error) {
	lines, err := parseCheckpoint(path, content, 2)
	if err != nil {
		return nil, err
	}
	entries := make([]epochEntry, 0, len(lines))
	last := epochEntry{-1, -1}
	for _, l := range lines {
		epoch, err1 := strconv.ParseInt(l[0], 10, 32)
		start, err2 := strconv.ParseInt(l[1], 10, 64)
		e := epochEntry{wire.LeaderEpoch(epoch), wire.Offset(start)}
		if err1 != nil || err2 != nil || e.epoch <= last.epoch || e.start <= last.start {
			return nil, &CorruptError{Path: path, Reason: fmt.Sprintf("entry %q after epoch %d at offset %d", l, last.epoch, last.start)}
		}
		entries = append(entries, e)
		last = e
	}
	return entries, nil
}
