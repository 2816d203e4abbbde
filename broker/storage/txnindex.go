package storage

import (
	"sort"

	"odradek/broker/env"
	"odradek/broker/producers"
	"odradek/broker/wire"
)

// The transaction index of a segment lists the transactions that markers in it abort. It
// is in memory; its file, <base>.txnindex, is written when the segment is sealed or
// closed, before there is a later one, and is missing, or empty after cleaning, if there is
// nothing to list. It has no checksum, so recovery makes it again for every segment that it checks.

// AbortedTransactions are the aborted transactions that have records in [from, upTo), which
// must be below LastStableOffset: the others are not decided. In the order of their
// markers.
func (l *Log) AbortedTransactions(from, upTo wire.Offset) []producers.AbortedTransaction {
	var found []producers.AbortedTransaction
	for i := l.segmentOf(from); i < len(l.segments); i++ {
		list := l.segments[i].aborted
		for k := sort.Search(len(list), func(k int) bool { return list[k].LastOffset >= from }); k < len(list); k++ {
			a := &list[k]
			if a.FirstOffset < upTo {
				found = append(found, *a)
			}
			if a.LastStableOffset >= upTo {
				return found // all that began before upTo have ended before this one did
			}
		}
	}
	return found
}

// cutAborted forgets the markers at and above an offset.
func (s *segment) cutAborted(end wire.Offset) {
	n := sort.Search(len(s.aborted), func(k int) bool { return s.aborted[k].LastOffset >= end })
	if n < len(s.aborted) {
		s.aborted, s.abortedStale = s.aborted[:n:n], true
	}
}

// writeAborted writes the transaction index if the disk has another. The name is not made
// durable.
func (s *segment) writeAborted(t *env.Task, d env.Disk) error {
	switch {
	case !s.abortedStale:
		return nil
	case len(s.aborted) == 0:
		return remove(t, d, s.path(txnIndexSuffix))
	}
	// Not in place: what the old file says is right until the new one is whole.
	return writeFileWhole(t, d, s.path(txnIndexSuffix), s.encodeAborted())
}

func (s *segment) encodeAborted() []byte {
	content := make([]byte, 0, len(s.aborted)*producers.AbortedEntrySize)
	for i := range s.aborted {
		content = s.aborted[i].AppendTo(content)
	}
	return content
}

// loadAborted reads the transaction indexes of the segments below offset unknown. It
// returns where those that have to be made again begin: there, or earlier if one of those
// read is unfit. Unreadable is as good as unfit: the records say the same.
func (l *Log) loadAborted(t *env.Task, unknown wire.Offset) wire.Offset {
	for _, s := range l.segments {
		if !l.txnIndexes[s.base] {
			continue
		}
		if s.base >= unknown {
			s.abortedStale = true
			continue
		}
		content, err := readFile(t, l.e.Disk, s.path(txnIndexSuffix))
		list, ok := producers.DecodeAborted(content, s.base, s.next)
		if err != nil || !ok {
			l.trace(env.Warn, "transaction-index-rebuilt", env.I("base", s.base))
			unknown, s.abortedStale = s.base, true
			continue
		}
		s.aborted = list
	}
	l.txnIndexes = nil
	return unknown
}

// saveAborted writes the transaction indexes that were made again, except the active
// segment's.
func (l *Log) saveAborted(t *env.Task) error {
	saved := false
	for _, s := range l.segments[:len(l.segments)-1] {
		if !s.abortedStale {
			continue
		}
		if err := s.writeAborted(t, l.e.Disk); err != nil {
			return err
		}
		saved, s.abortedStale = true, false
	}
	if !saved {
		return nil
	}
	return syncDir(t, l.e.Disk, l.dir)
}
