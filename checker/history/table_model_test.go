package history

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"odradek/broker/wire"
)

// tableWorld is a compacted partition that is compacted as it should be.
type tableWorld struct {
	*script
	t       *rapid.T
	log     []*tableRecord // what is left, in order
	end     wire.Offset
	value   uint64
	readers map[string]wire.Offset
	removed int
}

type tableRecord struct {
	Record
	key       string
	tombstone bool
	aborted   bool
	cleaned   int64 // when a tombstone was first seen by the cleaner
}

const deleteRetention = 40

func (w *tableWorld) draw(n int, label string) int { return rapid.IntRange(0, n-1).Draw(w.t, label) }

// append writes a record.
func (w *tableWorld) append() {
	w.value++
	r := &tableRecord{Record: Record{w.end, w.value}, key: fmt.Sprint("k", w.draw(3, "key")), tombstone: w.draw(4, "tombstone") == 0}
	fs := []func(*Event){keyed(r.key)}
	if r.tombstone {
		fs[0] = tombstone(r.key)
	}
	switch w.draw(8, "fate") {
	case 0: // nobody knows, and it is not there
		w.send("p", w.value, AcksAll, Unknown, wire.NoOffset, fs...)
		return
	case 1: // nobody knows, and it is there
		w.send("p", w.value, AcksAll, Unknown, wire.NoOffset, fs...)
	case 2: // aborted
		r.aborted = true
		a := w.begin("q", 0)
		w.send("q", w.value, AcksAll, OK, w.end, append(fs, inTxn(a))...)
		w.ends("q", a, false, OK)
	default:
		w.send("p", w.value, AcksAll, OK, w.end, fs...)
	}
	w.log = append(w.log, r)
	w.end++
}

// clean compacts up to an offset.
func (w *tableWorld) clean(to wire.Offset) {
	last := make(map[string]wire.Offset)
	for _, r := range w.log {
		if r.Offset < to && !r.aborted {
			last[r.key] = r.Offset
		}
	}
	var left []*tableRecord
	for _, r := range w.log {
		switch {
		case r.Offset >= to:
		case r.aborted, r.Offset < last[r.key]:
			w.removed++
			continue
		case r.tombstone && r.cleaned == 0:
			r.cleaned = w.now()
		case r.tombstone && w.now()-r.cleaned > deleteRetention:
			w.removed++
			continue
		}
		left = append(left, r)
	}
	w.log = left
}

// poll reads a few records.
func (w *tableWorld) poll(reader string, isolation Isolation) {
	at, ok := w.readers[reader]
	if !ok {
		w.seek(reader, 0)
	}
	n := 1 + w.draw(4, "records")
	var got []Record
	for _, r := range w.log {
		if r.Offset < at || n == 0 {
			continue
		}
		at = r.Offset + 1
		if isolation == ReadCommitted && r.aborted {
			continue
		}
		n--
		got = append(got, r.Record)
	}
	w.readers[reader] = at
	if len(got) > 0 {
		w.read(reader, got, func(e *Event) { e.Isolation = isolation })
	}
}

func (w *tableWorld) run(steps int) {
	for range steps {
		switch w.draw(6, "step") {
		case 0:
			w.clean(wire.Offset(w.draw(int(w.end)+1, "to")))
		case 1:
			w.poll(fmt.Sprint("c", w.draw(3, "reader")), ReadUncommitted)
		case 2:
			w.poll(fmt.Sprint("d", w.draw(3, "reader")), ReadCommitted)
		default:
			w.append()
		}
	}
	var all, some []Record
	for _, r := range w.log {
		all = append(all, r.Record)
		if !r.aborted {
			some = append(some, r.Record)
		}
	}
	w.Return(w.Invoke(w.event(Event{Func: Final, Process: "final"})), w.event(Event{Outcome: OK, End: w.end, Records: all}))
	w.Return(w.Invoke(w.event(Event{Func: Final, Process: "final-committed", Isolation: ReadCommitted})), w.event(Event{Outcome: OK, End: w.end, Records: some}))
}

var compacted = Guarantees{Compaction: true, DeleteRetention: deleteRetention}

func TestTablesThatAreCompactedRightHaveNoViolations(t *testing.T) {
	removed, counted := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := &tableWorld{script: newScript(), t: t, readers: make(map[string]wire.Offset)}
		w.run(rapid.IntRange(0, 80).Draw(t, "steps"))
		report, err := Check(w.Events(), compacted)
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Violations()) > 0 {
			t.Fatal(report)
		}
		removed, counted = removed+w.removed, counted+report.Compacted
	})
	if removed == 0 || counted == 0 {
		t.Errorf("compaction removed %d records, of which %d were counted: nothing was tried", removed, counted)
	}
}

// The last record of a key is taken away behind the checker's back.
func TestTablesThatLoseAKeyAreNoticed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &tableWorld{script: newScript(), t: t, readers: make(map[string]wire.Offset)}
		w.send("p", 1000, AcksAll, OK, 0, keyed("other"))
		w.log, w.end = []*tableRecord{{Record: Record{0, 1000}, key: "other"}}, 1
		w.run(rapid.IntRange(0, 40).Draw(t, "steps"))
		events := w.Events()
		for i := range events {
			if e := &events[i]; e.Func == Final && e.Phase == Return {
				e.Records = e.Records[1:] // the key that nobody wrote again
			}
		}
		report, err := Check(events, compacted)
		if err != nil {
			t.Fatal(err)
		}
		if v := report.Violations(); len(v) != 1 || v[0].Name != LostKey {
			t.Fatal(report)
		}
	})
}
