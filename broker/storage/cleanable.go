package storage

import (
	"cmp"
	"math/bits"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// Dirtiness is how much of a log compaction has not seen yet, and whether that is enough
// to begin.
type Dirtiness struct {
	// Compaction would fill its map of keys from FirstDirty on, up to UpTo: the start of
	// the first segment that it must leave alone.
	FirstDirty, UpTo wire.Offset
	// CleanBytes is what lies in the segments before FirstDirty, DirtyBytes from there up
	// to UpTo.
	CleanBytes, DirtyBytes int64
	// Overdue is for how long a record has been dirty beyond max.compaction.lag.ms.
	Overdue time.Duration
	// Due says that the log should be compacted: by min.cleanable.dirty.ratio, or overdue.
	Due bool
}

// Compare orders by urgency, the most urgent last: what is overdue after what is not, the
// longer after the shorter, and otherwise by the share of dirty bytes.
func (d *Dirtiness) Compare(o *Dirtiness) int {
	if c := cmp.Compare(d.Overdue, o.Overdue); c != 0 {
		return c
	}
	return compareProducts(d.DirtyBytes, o.CleanBytes+o.DirtyBytes, o.DirtyBytes, d.CleanBytes+d.DirtyBytes)
}

// compareProducts compares a*b with c*d, none of which is negative.
func compareProducts(a, b, c, d int64) int {
	hi1, lo1 := bits.Mul64(uint64(a), uint64(b))
	hi2, lo2 := bits.Mul64(uint64(c), uint64(d))
	return cmp.Or(cmp.Compare(hi1, hi2), cmp.Compare(lo1, lo2))
}

// CleanedUpTo is the offset below which no two records have the same key, except for what
// a cleaning leaves to the next one: the checkpointed end of the last cleaning.
func (l *Log) CleanedUpTo() wire.Offset { return l.cleaned }

// Dirtiness tells how dirty the log is. stable is the offset below which everything is
// replicated and decided: nothing above it is ever compacted, nor is the active segment,
// nor what min.compaction.lag.ms protects. Errors: those of Read.
func (l *Log) Dirtiness(stable wire.Offset, done func(Dirtiness, error)) {
	spawnValue(l.e, func(t *env.Task) (Dirtiness, error) {
		return steady(l, func() (Dirtiness, error) {
			if err := l.usable(); err != nil {
				return Dirtiness{}, err
			}
			return l.dirtiness(t, stable)
		})
	}, done)
}

func (l *Log) dirtiness(t *env.Task, stable wire.Offset) (Dirtiness, error) {
	now := l.wallMillis()
	d := Dirtiness{FirstDirty: l.firstDirty()}
	// A sealed segment that is not synced yet could lose its end, and a cleaning that was
	// made from it would claim more than is there.
	limit := min(stable, l.active().base, l.flushed)
	end := 0 // of the segments that may be compacted
	for i, s := range l.segments {
		protected := s.next > d.FirstDirty && l.cfg.MinCompactionLag > 0 && s.maxTimestamp > now-l.cfg.MinCompactionLag.Milliseconds()
		if s.next > limit || protected {
			break
		}
		end = i + 1
		if s.base < d.FirstDirty {
			d.CleanBytes += s.size
		} else {
			d.DirtyBytes += s.size
		}
	}
	if end == 0 {
		d.UpTo = d.FirstDirty
		return d, nil
	}
	segments := l.segments[:end]
	d.UpTo = max(segments[end-1].next, d.FirstDirty)
	if d.DirtyBytes == 0 {
		return d, nil
	}
	var err error
	if d.Overdue, err = l.overdue(t, segments, d.FirstDirty, now); err != nil {
		return d, err
	}
	d.Due = d.Overdue > 0 ||
		compareProducts(d.DirtyBytes, million, l.cfg.MinDirtyPPM, d.CleanBytes+d.DirtyBytes) > 0
	return d, nil
}

const million = 1_000_000

// firstDirty is where the map of keys begins: behind the last cleaning, if that is still
// in the log.
func (l *Log) firstDirty() wire.Offset {
	if l.cleaned < l.logStart || l.cleaned > l.logEnd {
		return l.logStart
	}
	return l.cleaned
}

// overdue is by how much the earliest dirty record has outlived max.compaction.lag.ms,
// which counts from its timestamp. As in Kafka the first batch stands for its segment.
func (l *Log) overdue(t *env.Task, segments []*segment, firstDirty wire.Offset, now int64) (time.Duration, error) {
	lag := max(l.cfg.MaxCompactionLag, l.cfg.MinCompactionLag)
	if lag == forever {
		return 0, nil
	}
	late := int64(0) // ms
	for _, s := range segments {
		if s.base < firstDirty {
			continue
		}
		if s.began == 0 {
			ts, err := l.firstTimestamp(t, s)
			if err != nil {
				return 0, err
			}
			s.began = ts
		}
		if s.began > 0 {
			late = max(late, now-lag.Milliseconds()-s.began)
		}
	}
	return time.Duration(min(late, forever.Milliseconds())) * time.Millisecond, nil
}

// forever is a time that never comes.
const forever = time.Duration(1<<63 - 1)
