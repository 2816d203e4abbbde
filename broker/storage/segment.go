package storage

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"odradek/broker/env"
	"odradek/broker/producers"
	"odradek/broker/wire"
)

// Suffixes of a segment's files.
const (
	logSuffix       = ".log"
	indexSuffix     = ".index"
	timeIndexSuffix = ".timeindex"
	txnIndexSuffix  = ".txnindex"
	producerSuffix  = ".snapshot"
)

// segmentSuffixes in the order in which files are renamed or removed: without its
// .log, a segment does not exist and its indexes are leftovers.
var segmentSuffixes = [...]string{logSuffix, indexSuffix, timeIndexSuffix, txnIndexSuffix, producerSuffix}

// segment is one run of the log, in files named after its base offset.
//
// It is active (the last one, appended to, index in memory only), then sealed (index
// on disk, in memory when a reader needs it), then deleted.
type segment struct {
	dir  string
	base wire.Offset
	file env.File
	// size and next are the bytes written and readable, and the offset after them.
	size int64
	next wire.Offset
	// dirty says that bytes were written since the last sync began.
	dirty bool
	// index is nil in a sealed segment that nobody searched lately.
	index *index
	// indexDurable says that the index files are complete and synced.
	indexDurable bool
	// indexStale says that the index files may hold an index of less than what the
	// segment has, or more. Those of a segment that was created in this run are empty.
	indexStale bool
	// maxTimestamp and maxLast are those of the index, kept without it.
	maxTimestamp int64
	maxLast      wire.Offset
	// aborted are the transactions that a marker in this segment aborts, in order.
	// abortedStale says that the transaction index on the disk has others.
	aborted      []producers.AbortedTransaction
	abortedStale bool
	// began is the largest timestamp in the first batch, 0 as long as nobody has asked.
	began int64
	// swapped says that a cleaning put the segment in the place of others.
	swapped bool
	// plain says that the segment was read through and has no batch with a producer id.
	plain bool
}

func segmentPath(dir string, base wire.Offset, suffix string) string {
	return path.Join(dir, fmt.Sprintf("%020d%s", base, suffix))
}

func (s *segment) path(suffix string) string { return segmentPath(s.dir, s.base, suffix) }

// parseSegmentName splits "00000000000000000042.log".
func parseSegmentName(name string) (base wire.Offset, suffix string, ok bool) {
	digits, rest, found := strings.Cut(name, ".")
	if !found || len(digits) != 20 {
		return 0, "", false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return 0, "", false
	}
	return wire.Offset(n), "." + rest, true
}

// createSegment makes the files of a new segment and their names durable, so that
// what is written to it later needs only its own sync.
func createSegment(t *env.Task, e *env.Env, dir string, base wire.Offset) (*segment, error) {
	s := &segment{dir: dir, base: base, next: base, index: newIndex(base), maxTimestamp: wire.NoTimestamp, maxLast: base}
	for _, suffix := range []string{indexSuffix, timeIndexSuffix} {
		if err := writeFile(t, e.Disk, s.path(suffix), nil, false); err != nil {
			return nil, err
		}
	}
	f, err := openFile(t, e.Disk, s.path(logSuffix), env.Create|env.Exclusive)
	if err != nil {
		return nil, err
	}
	s.file = f
	if err := syncDir(t, e.Disk, dir); err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// applied takes note of a batch that is written.
func (s *segment) applied(b *batchInfo, interval int64) {
	s.index.add(b, interval)
	s.size = b.pos + int64(b.size)
	s.next = b.next
	s.maxTimestamp, s.maxLast = s.index.maxTimestamp, s.index.maxLast
}

// writeIndex writes the index files. They replace the empty ones all at once: whoever finds
// a time index after a crash that has entries may take it for complete.
func (s *segment) writeIndex(t *env.Task, d env.Disk) error {
	s.index.addTime()
	offsets, times := s.index.encode()
	if err := writeFile(t, d, s.path(indexSuffix)+temporarySuffix, offsets, true); err != nil {
		return err
	}
	if err := writeFile(t, d, s.path(timeIndexSuffix)+temporarySuffix, times, true); err != nil {
		return err
	}
	for _, suffix := range []string{indexSuffix, timeIndexSuffix} {
		if err := rename(t, d, s.path(suffix)+temporarySuffix, s.path(suffix)); err != nil {
			return err
		}
	}
	if err := s.writeAborted(t, d); err != nil {
		return err
	}
	if err := syncDir(t, d, s.dir); err != nil {
		return err
	}
	s.indexDurable, s.indexStale, s.abortedStale = true, false, false
	return nil
}

// readIndex reads the index files; ok is false if there are none that fit the segment.
func (s *segment) readIndex(t *env.Task, d env.Disk) (x *index, ok bool) {
	offsets, err := readFile(t, d, s.path(indexSuffix))
	if err != nil {
		return nil, false // unreadable is as good as missing: the caller rebuilds it
	}
	times, err := readFile(t, d, s.path(timeIndexSuffix))
	if err != nil {
		return nil, false
	}
	return decodeIndex(s.base, s.next, s.size, offsets, times)
}

// readLastTime reads the last entry of the time index; ok is false if it is not one of
// this segment's.
func (s *segment) readLastTime(t *env.Task, d env.Disk) (e timeEntry, ok bool) {
	f, err := openFile(t, d, s.path(timeIndexSuffix), env.ReadOnly)
	if err != nil {
		return e, false // as in readIndex
	}
	defer f.Close()
	var b [timeEntrySize]byte
	size := f.Size()
	if size == 0 || size%timeEntrySize != 0 {
		return e, false
	}
	if n, err := readAt(t, f, b[:], size-timeEntrySize); err != nil || n < len(b) {
		return e, false
	}
	e = decodeTime(s.base, b[:])
	return e, e.timestamp > 0 && e.last < s.next && e.last >= s.base
}

// removeFiles deletes the segment for good, durably.
func (s *segment) removeFiles(t *env.Task, d env.Disk) error {
	s.file.Close()
	for _, suffix := range segmentSuffixes {
		if err := remove(t, d, s.path(suffix)); err != nil {
			return err
		}
	}
	return syncDir(t, d, s.dir)
}
