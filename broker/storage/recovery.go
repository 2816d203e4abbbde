package storage

import (
	"errors"
	"fmt"

	"odradek/broker/env"
	"odradek/broker/wire"
)

// verifyBuffer is how much recovery reads at a time; a larger batch gets a buffer of
// its own size.
const verifyBuffer = 1 << 20

// verifier reads a segment batch by batch and stops at the first that is not what a log
// would have written there.
type verifier struct {
	log   *Log
	seg   *segment
	index *index
	pos   int64       // where the next batch begins
	next  wire.Offset // the offset due there
	// resumed says that pos is not the segment's first batch but one from the index,
	// whose last offset must be resumeTo; next follows from it.
	resumed  bool
	resumeTo wire.Offset
	// assignEpochs has the epochs of the batches entered in the cache.
	assignEpochs bool
	// rewriteFrom is the recovery point: batches above it were written, but perhaps
	// never synced, or by a sync that failed and left pages that look clean. They are
	// written again, or the sync at the end of recovery would vouch for bytes that only
	// the page cache has.
	rewriteFrom wire.Offset
	// partial says that it did not begin at the start of the segment; produced that there
	// was a batch with a producer id.
	partial, produced bool
	reason            string // why it stopped before the end of the file
}

// resumeAt begins at a batch from the index instead of the segment's first.
func (v *verifier) resumeAt(e offsetEntry) {
	v.resumed, v.resumeTo, v.partial = true, e.last, true
}

// run verifies up to the end of the file, or to the first bad batch: v.pos. Its errors are
// the disk's.
func (v *verifier) run(t *env.Task) error {
	size := v.seg.size
	buf := make([]byte, 0, min(verifyBuffer, size))
	for v.pos < size {
		if want := min(int64(cap(buf)), size-v.pos); want > 0 {
			n, err := readAt(t, v.seg.file, buf[:want], v.pos)
			if err != nil {
				return err
			}
			buf = buf[:n]
		}
		done, need := v.verify(buf, size-v.pos)
		if err := v.rewrite(t, buf[:done]); err != nil {
			return err
		}
		v.pos += int64(done)
		switch {
		case v.reason != "":
			return nil
		case done > 0:
		case need > cap(buf):
			buf = make([]byte, 0, need)
		default:
			v.reason = fmt.Sprintf("file ends within a batch: %d bytes left", size-v.pos)
			return nil
		}
	}
	return nil
}

// verify goes through the whole batches at the start of buf. It returns their size and, if
// the first is not whole, how many bytes are needed; left is how many the file has.
func (v *verifier) verify(buf []byte, left int64) (done, need int) {
	for done < len(buf) {
		h, err := wire.ReadBatchHeader(buf[done:])
		if errors.Is(err, wire.ErrShortBatch) {
			return done, wire.BatchHeaderSize
		}
		if err != nil {
			v.reason = err.Error()
			return done, 0
		}
		if int64(h.Size()) > left-int64(done) {
			v.reason = fmt.Sprintf("batch of %d bytes, but the file has only %d more", h.Size(), left-int64(done))
			return done, 0
		}
		if done+h.Size() > len(buf) {
			return done, h.Size()
		}
		if v.reason = v.judge(&h, buf[done:done+h.Size()]); v.reason != "" {
			return done, 0
		}
		b := infoOf(&h, v.pos+int64(done))
		v.index.add(&b, v.log.cfg.IndexIntervalBytes)
		v.produced = v.produced || h.HasProducer()
		v.next = b.next
		done += h.Size()
	}
	return done, 0
}

// judge says what is wrong with a whole batch, if anything.
func (v *verifier) judge(h *wire.BatchHeader, raw []byte) string {
	epochs := v.log.epochs
	v.log.e.CPU.Charge(env.OpCRC, len(raw))
	switch {
	case !wire.CheckCRC(raw):
		return "CRC does not match"
	case h.LastOffsetDelta < 0:
		return fmt.Sprintf("last offset delta %d", h.LastOffsetDelta)
	case v.resumed:
		v.resumed = false
		if h.LastOffset() != v.resumeTo {
			return fmt.Sprintf("last offset %d, but the index says %d", h.LastOffset(), v.resumeTo)
		}
	case h.BaseOffset != v.next && !(v.log.gaps && h.BaseOffset > v.next):
		return fmt.Sprintf("base offset %d, where %d is due", h.BaseOffset, v.next)
	}
	if !fits(v.seg.base, h.LastOffset()) {
		return fmt.Sprintf("offset %d in a segment that begins at %d", h.LastOffset(), v.seg.base)
	}
	if !v.assignEpochs {
		return ""
	}
	if h.LeaderEpoch < epochs.latest() {
		return fmt.Sprintf("leader epoch %d after %d", h.LeaderEpoch, epochs.latest())
	}
	epochs.assign(h.LeaderEpoch, v.next) // see Log.submit about gaps
	return ""
}

// rewrite writes back the batches in buf, which begins at v.pos, that may never have
// reached the disk.
func (v *verifier) rewrite(t *env.Task, buf []byte) error {
	at := int64(0)
	for len(buf) > 0 {
		h, raw, rest, err := wire.NextBatch(buf)
		check(err == nil, "%s: verified batch: %v", v.seg.path(logSuffix), err)
		if h.NextOffset() > v.rewriteFrom {
			return writeAt(t, v.seg.file, buf, v.pos+at)
		}
		at += int64(len(raw))
		buf = rest
	}
	return nil
}

// conclude hands what was found to the segment.
func (v *verifier) conclude() {
	s := v.seg
	s.next = v.next
	s.index = v.index
	s.maxTimestamp, s.maxLast = v.index.maxTimestamp, v.index.maxLast
	s.plain = !v.partial && !v.produced
}
