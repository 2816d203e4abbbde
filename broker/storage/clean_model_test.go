package storage_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"odradek/broker/env"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// table is a compacted partition, and what it must contain: everything that was ever
// written, until a crash takes its end.
type table struct {
	m     *machine
	cfg   storage.Config
	rules storage.CleanerConfig
	store *storage.Store
	log   *storage.Log
	codec *wire.Codec

	records []tableRecord
	open    map[int64][]int // by producer: its records in the open transaction
	sent    map[int64]int32 // sequence numbers
	hw      wire.Offset
	// cleaned is the end of the last cleaning, reach that of any that was begun.
	cleaned   wire.Offset
	reach     wire.Offset
	cleanings int
	failure   error
}

type tableRecord struct {
	offset    wire.Offset
	key       string // "" is null
	value     string // "" is a tombstone
	timestamp int64
	state     byte // 'p'lain, 'o'pen, 'c'ommitted, 'a'borted
	marker    bool
}

// deed is one thing that happens.
type deed struct {
	What    string
	A, B, C int
}

func deeds() *rapid.Generator[[]deed] {
	one := rapid.Custom(func(t *rapid.T) deed {
		return deed{
			What: rapid.SampledFrom([]string{
				"append", "append", "append", "append", "transact", "transact", "commit", "abort",
				"clean", "clean", "clean", "replicate", "replicate", "wait", "flush", "crash", "cut", "delete", "checkpoint",
			}).Draw(t, "what"),
			A: rapid.IntRange(0, 999).Draw(t, "a"), B: rapid.IntRange(0, 999).Draw(t, "b"), C: rapid.IntRange(0, 999).Draw(t, "c"),
		}
	})
	return rapid.SliceOfN(one, 40, 160)
}

func newTable(t testing.TB, seed uint64) *table {
	cfg := smallConfig()
	cfg.SegmentBytes, cfg.Compact, cfg.DeleteRetention, cfg.FileDeleteDelay = 400, true, 20*time.Second, 300*time.Millisecond
	return &table{
		m: newMachine(t, seed), cfg: cfg, rules: storage.CleanerConfig{DedupeBytes: 1 << 20, BufferBytes: 700},
		codec: wire.NewCodec(1 << 20), open: make(map[int64][]int), sent: make(map[int64]int32),
	}
}

func (x *table) failf(format string, args ...any) {
	if x.failure == nil {
		x.failure = fmt.Errorf(format, args...)
	}
}

// start opens the log after a crash, which may have cost its end.
func (x *table) start(task *env.Task) {
	s, err := storage.OpenStore(task, x.m.e, testStore)
	if err == nil {
		x.store = s
		x.log, err = tryOpenT0(task, s, x.cfg)
	}
	if err != nil {
		x.failf("opening: %w", err)
		return
	}
	if got := x.log.CleanedUpTo(); got < x.cleaned || got > x.reach {
		x.failf("cleaned up to %d after the restart, it was at least %d and at most %d", got, x.cleaned, x.reach)
	}
	x.lost(x.log.LogEndOffset())
	x.check(task)
}

// lost forgets what is not in the log any more.
func (x *table) lost(end wire.Offset) {
	i := slices.IndexFunc(x.records, func(r tableRecord) bool { return r.offset >= end })
	if i < 0 {
		return
	}
	x.records = x.records[:i]
	x.hw, x.cleaned, x.reach = min(x.hw, end), min(x.cleaned, end), min(x.reach, end)
	// Whatever transaction lost its marker is open again.
	x.open = make(map[int64][]int)
	x.sent = make(map[int64]int32)
	for _, p := range x.log.Producers().All() {
		x.sent[p.ID] = p.LastSequence() + 1
		if p.TransactionStart == wire.NoOffset {
			continue
		}
		for i := range x.records {
			if r := &x.records[i]; r.offset >= p.TransactionStart && r.state != 'p' && !r.marker && producerOf(r.key) == p.ID {
				r.state = 'o'
				x.open[p.ID] = append(x.open[p.ID], i)
			}
		}
	}
}

// Keys tell whose they are: producer 0 has k0 and so on, without transactions.
func producerOf(key string) int64 { return int64(key[0] - 'A') }

func (x *table) write(task *env.Task, d deed, producer int64) {
	opts := wire.BatchOptions{Compression: []wire.Compression{wire.None, wire.None, wire.LZ4, wire.Zstd}[d.A%4]}
	if producer > 0 {
		opts.Producer, opts.Transactional = &wire.Producer{ID: producer, Sequence: x.sent[producer]}, true
	}
	b := wire.NewBuilder(opts)
	base, first := x.log.NextOffset(), len(x.records)
	for i := range 1 + d.B%4 {
		key := fmt.Sprintf("%c%d", 'A'+producer, (d.C+i*7)%5)
		r := tableRecord{offset: base + wire.Offset(i), key: key, value: fmt.Sprintf("%d-%s", base, strings.Repeat("x", d.A%60)), timestamp: int64(1000 + d.C), state: 'p'}
		if producer > 0 {
			r.state = 'o'
		}
		switch (d.A + i) % 7 {
		case 0, 1:
			r.value = ""
		case 2:
			if producer == 0 && d.B%9 == 0 {
				r.key = "" // as a topic has that was not always compacted
			}
		}
		b.Append(r.timestamp, bytesOf(r.key), bytesOf(r.value))
		x.records = append(x.records, r)
		if producer > 0 {
			x.open[producer] = append(x.open[producer], len(x.records)-1)
			x.sent[producer]++
		}
	}
	raw, err := b.Build(nil, x.codec)
	if err == nil {
		var res storage.AppendResult
		res, err = appendSync(task, x.log, raw, storage.AppendOptions{Epoch: 1})
		if err == nil && res.BaseOffset != base {
			x.failf("appended at %d instead of %d", res.BaseOffset, base)
		}
	}
	if err != nil {
		x.records = x.records[:first]
		x.failf("append: %w", err)
	}
}

func bytesOf(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// end writes the marker of a producer's transaction.
func (x *table) end(task *env.Task, producer int64, commit bool) {
	if len(x.open[producer]) == 0 {
		return
	}
	for _, i := range x.open[producer] {
		x.records[i].state = 'a'
		if commit {
			x.records[i].state = 'c'
		}
	}
	delete(x.open, producer)
	x.records = append(x.records, tableRecord{offset: x.log.NextOffset(), state: 'p', marker: true})
	marker := wire.BuildEndMarker(producer, 0, wire.EndMarker{Commit: commit}, 1)
	if _, err := appendSync(task, x.log, marker, storage.AppendOptions{Epoch: 1}); err != nil {
		x.failf("marker: %w", err)
	}
}

// do does one thing. Crashes are for the caller.
func (x *table) do(task *env.Task, d deed) {
	l := x.log
	switch d.What {
	case "append":
		x.write(task, d, 0)
	case "transact":
		x.write(task, d, 1+int64(d.C%3))
	case "commit", "abort":
		x.end(task, 1+int64(d.A%3), d.What == "commit")
	case "replicate":
		x.hw = l.LogEndOffset()
	case "wait":
		task.Sleep(x.m.e.Clock, time.Duration(d.A)*30*time.Millisecond)
	case "flush":
		if err := env.Await(task, l.Flush); err != nil {
			x.failf("flush: %w", err)
		}
	case "checkpoint":
		if err := env.Await(task, x.store.Checkpoint); err != nil {
			x.failf("checkpoint: %w", err)
		}
	case "clean":
		rules := x.rules
		if d.A%3 == 0 {
			rules.DedupeBytes = int64(24 * (2 + d.B%12))
		}
		x.clean(task, rules)
	case "cut":
		to := max(l.LogEndOffset()-wire.Offset(d.A%6), x.hw)
		if err := truncateTo(task, l, to); err != nil {
			x.failf("truncation to %d: %w", to, err)
		}
		x.lost(l.LogEndOffset())
		x.check(task)
	case "delete":
		to := min(l.LogStartOffset()+wire.Offset(d.A%4), x.hw)
		if err := env.Await(task, func(done func(error)) { l.DeleteRecords(to, done) }); err != nil {
			x.failf("DeleteRecords: %w", err)
		}
	}
}

func (x *table) clean(task *env.Task, rules storage.CleanerConfig) {
	stable := x.log.LastStableOffset(x.hw)
	x.reach = max(x.reach, stable)
	stats, err := env.Await2(task, func(done func(storage.CleanStats, error)) { x.log.Clean(stable, rules, done) })
	if err != nil {
		if !errors.Is(err, storage.ErrInterrupted) {
			x.failf("cleaning: %w", err)
		}
		return
	}
	if stats.UpTo > max(stable, stats.From) {
		x.failf("cleaned up to %d, stable is %d", stats.UpTo, stable)
	}
	if stats.UpTo > stats.From {
		x.cleaned = stats.UpTo
		x.cleanings++
	}
	x.check(task)
}

// check reads everything and compares it with what was written.
func (x *table) check(task *env.Task) {
	if x.failure != nil {
		return
	}
	l := x.log
	raw, err := readAll(task, l)
	if err != nil {
		x.failf("reading: %w", err)
		return
	}
	written := make(map[wire.Offset]*tableRecord, len(x.records))
	last := make(map[string]*tableRecord) // decided, by key
	for i := range x.records {
		r := &x.records[i]
		written[r.offset] = r
		if r.state != 'a' && r.state != 'o' && r.key != "" && r.offset >= l.LogStartOffset() {
			last[r.key] = r
		}
	}
	aborted := l.AbortedTransactions(l.LogStartOffset(), l.LogEndOffset())
	read := make(map[string]*tableRecord)
	seen := make(map[wire.Offset]bool)
	copies := make(map[string]int)
	next := wire.Offset(-1)
	for h, b := range wire.Batches(raw, wire.RefuseTruncated, &err) {
		if h.BaseOffset < next {
			x.failf("batch at %d after offset %d", h.BaseOffset, next-1)
		}
		next = h.NextOffset()
		records, err := x.codec.Records(b)
		if err != nil || !wire.CheckCRC(b) {
			x.failf("batch at %d cannot be read: %v", h.BaseOffset, err)
			return
		}
		hidden := false
		for _, a := range aborted {
			hidden = hidden || h.Transactional() && a.ProducerID == h.ProducerID && a.FirstOffset <= h.BaseOffset && h.BaseOffset < a.LastOffset
		}
		var r wire.Record
		for records.Next(&r) {
			w := written[r.Offset]
			if w == nil || w.marker != h.Control() || !w.marker && (w.key != string(r.Key) || w.value != string(r.Value) || w.timestamp != r.Timestamp) {
				x.failf("offset %d has %q=%q at %d, but %+v was written there", r.Offset, r.Key, r.Value, r.Timestamp, w)
				return
			}
			seen[r.Offset] = true
			if w.marker || r.Offset < l.LogStartOffset() {
				continue
			}
			if hidden != (w.state == 'a') {
				x.failf("offset %d of %+v: hidden as aborted: %v", r.Offset, *w, hidden)
			}
			if w.state != 'a' && w.state != 'o' && w.key != "" {
				read[w.key] = w
				if r.Offset < x.cleaned && r.Offset >= l.LogStartOffset() {
					if copies[w.key]++; copies[w.key] > 1 && x.records[0].offset >= l.LogStartOffset() {
						x.failf("key %s is there %d times below %d, where the log is clean", w.key, copies[w.key], x.cleaned)
					}
				}
			}
		}
		if err := records.Err(); err != nil {
			x.failf("batch at %d: %w", h.BaseOffset, err)
		}
	}
	if err != nil {
		x.failf("%w", err)
	}
	for _, r := range x.records {
		if r.offset >= x.reach && r.offset >= l.LogStartOffset() && !seen[r.offset] {
			x.failf("offset %d is gone, and nothing was cleaned beyond %d: %+v", r.offset, x.reach, r)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(last)) {
		w, r := last[key], read[key]
		if r != w && !(w.value == "" && r == nil) {
			x.failf("the last of key %s is %+v, but a reader finds %+v", key, *w, r)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(read)) {
		if last[key] == nil {
			x.failf("key %s is there: %+v", key, *read[key])
		}
	}
}

// run lives through the deeds. It returns the number of cleanings that changed something.
func (x *table) run(t *rapid.T, list []deed) {
	next, cut := 0, false
	for next <= len(list) {
		if next > 0 {
			x.m.crash(cut)
		}
		x.m.run(func(task *env.Task) {
			x.start(task)
			for x.failure == nil && next < len(list) {
				d := list[next]
				if d.What == "crash" {
					// In the middle of the next deed, which may be a cleaning.
					x.m.stopAt, cut = x.m.k.Steps()+uint64(d.A%90)+1, d.B%2 == 0
				}
				next++
				x.do(task, d)
			}
			next++
			if x.failure == nil {
				x.check(task)
			}
		})
		if x.failure != nil {
			t.Fatalf("after %d deeds: %v", next, x.failure)
		}
		if next > len(list) {
			return
		}
	}
}

// TestReaderRebuildsTheTable lets a compacted log live through appends, transactions,
// cleanings, truncations and crashes: whoever reads it from its start finds the last value
// of every key, in the order of their offsets, and never an aborted one.
func TestReaderRebuildsTheTable(t *testing.T) {
	cleanings := 0
	rapid.Check(t, func(rt *rapid.T) {
		x := newTable(t, rapid.Uint64().Draw(rt, "seed"))
		x.run(rt, deeds().Draw(rt, "deeds"))
		cleanings += x.cleanings
	})
	if cleanings == 0 {
		t.Error("nothing was ever cleaned")
	}
}
