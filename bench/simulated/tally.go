package simulated

import (
	"encoding/binary"
	"math/bits"
	"time"

	"odradek/bench"
	"odradek/sim"
)

// tally is what became of every record, by the rules of a real load (bench/load): a record
// belongs to the time measured if it was due in it, counts as acknowledged or received if
// that was before the end of this time and a grace, and its latencies run from when it was
// due, however late they are.
type tally struct {
	sample *bench.Sample
	// from and to bound the time measured, once it is known.
	from, to sim.Time
	// endless: what is asked for is as much as possible, and nothing is too late.
	endless bool

	due     []sim.Time // by number
	settled bitmap     // acknowledged or failed
	acked   bitmap
	groups  []*reading
	ticks   []tick
	width   sim.Time // of a tick
}

// reading is what all groups of one rank, one for each topic, have received.
type reading struct {
	seen       bitmap
	duplicated int64
}

type tick struct {
	acked, received int64
	ack             bench.Histogram
}

// backlog is the due time of records of the backlog: they are due when readers start.
const backlog = sim.Time(-1)

func (t *tally) measured(due sim.Time) bool {
	return due == backlog || due >= t.from && due < t.to
}

// cutoff is the end of the grace in which the last records of a system that keeps up come.
func (t *tally) cutoff() sim.Time {
	if t.to == sim.Forever {
		return t.to
	}
	return t.to.Add(100*time.Millisecond + time.Duration(t.to-t.from)/100)
}

func (t *tally) inTime(due, now sim.Time) bool {
	return t.endless || due == backlog || now < t.cutoff()
}

// latency is how long after it was due something happened to a record.
func (t *tally) latency(due, now sim.Time) int64 {
	if due == backlog {
		due = t.from
	}
	return int64(now - due)
}

// header is of every value: the record's number, and when it was due.
const header = 16

// begin notes that a record is handed over, which it could have been since the time free.
func (t *tally) begin(value []byte, due, free, now sim.Time) uint64 {
	n := uint64(len(t.due))
	t.due = append(t.due, due)
	binary.BigEndian.PutUint64(value, n)
	binary.BigEndian.PutUint64(value[8:], uint64(due))
	if t.measured(due) {
		t.sample.Sent++
		if due != backlog && !t.endless {
			t.sample.Lateness.Record(int64(now - max(due, free)))
		}
	}
	return n
}

// unsent notes a record that was due and could not be handed over.
func (t *tally) unsent(due, now sim.Time) {
	if !t.measured(due) {
		return
	}
	t.sample.Ack.Record(int64(now - due))
	for range t.groups {
		t.sample.EndToEnd.Record(int64(now - due))
	}
}

// settle notes what became of a record.
func (t *tally) settle(number uint64, now sim.Time, size int, ok bool) {
	due := t.due[number]
	t.settled.set(number)
	if !ok {
		if t.measured(due) {
			t.sample.Failed++
		}
		return
	}
	t.acked.set(number)
	if k := t.tick(now); k != nil {
		k.acked++
		k.ack.Record(t.latency(due, now))
	}
	if !t.measured(due) {
		return
	}
	if due != backlog { // readers, not producers, are who a backlog is due to
		t.sample.Ack.Record(int64(now - due))
	}
	if t.inTime(due, now) {
		t.sample.Acked++
		t.sample.Bytes += int64(size)
	}
}

func (t *tally) receive(g *reading, value []byte, now sim.Time) {
	number, due := binary.BigEndian.Uint64(value), sim.Time(binary.BigEndian.Uint64(value[8:]))
	if !g.seen.set(number) {
		g.duplicated++
		return
	}
	if k := t.tick(now); k != nil {
		k.received++
	}
	if !t.measured(due) {
		return
	}
	t.sample.EndToEnd.Record(t.latency(due, now))
	if t.inTime(due, now) {
		t.sample.Received++
	}
}

// tick is the interval of an instant, nil outside the time measured.
func (t *tally) tick(now sim.Time) *tick {
	if t.width == 0 || now < t.from || now >= t.to {
		return nil
	}
	i := int((now - t.from) / t.width)
	for len(t.ticks) <= i {
		t.ticks = append(t.ticks, tick{})
	}
	return &t.ticks[i]
}

// missing is how many acknowledged records some group has not received.
func (t *tally) missing() int64 {
	if len(t.groups) == 0 {
		return 0
	}
	var n int
	for i, acked := range t.acked {
		unseen := uint64(0)
		for _, g := range t.groups {
			unseen |= acked &^ g.seen.word(i)
		}
		n += bits.OnesCount64(unseen)
	}
	return int64(n)
}

// finish fills in what is counted over the whole run, and what nothing was heard of.
func (t *tally) finish(now sim.Time) {
	for i, due := range t.due {
		if !t.measured(due) {
			continue
		}
		if !t.settled.has(uint64(i)) {
			t.sample.Ack.Record(t.latency(due, now))
		}
		for _, g := range t.groups {
			if !g.seen.has(uint64(i)) {
				t.sample.EndToEnd.Record(t.latency(due, now))
			}
		}
	}
	t.sample.Lost = t.missing()
	if len(t.groups) == 0 {
		t.sample.Lost, t.sample.Duplicated = -1, -1
	}
	for _, g := range t.groups {
		t.sample.Duplicated += g.duplicated
	}
	for i := range t.ticks {
		k := &t.ticks[i]
		at := sim.Time(i) * t.width
		t.sample.Timeline = append(t.sample.Timeline, bench.Tick{
			At: seconds(at), Seconds: seconds(min(t.width, t.to-t.from-at)), Acked: k.acked, Received: k.received,
			P50: k.ack.Quantile(0.5), P99: k.ack.Quantile(0.99), Max: k.ack.Max(),
		})
	}
}

func seconds(t sim.Time) float64 { return float64(t) / 1e9 }

// bitmap is a set of numbers that begin at 0.
type bitmap []uint64

// set adds n; it reports whether n was not there.
func (b *bitmap) set(n uint64) bool {
	i, bit := int(n/64), uint64(1)<<(n%64)
	for len(*b) <= i {
		*b = append(*b, 0)
	}
	had := (*b)[i]&bit != 0
	(*b)[i] |= bit
	return !had
}

func (b bitmap) has(n uint64) bool { return b.word(int(n/64))&(1<<(n%64)) != 0 }

func (b bitmap) word(i int) uint64 {
	if i >= len(b) {
		return 0
	}
	return b[i]
}
