package interop

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"odradek/broker/wire"
	"odradek/checker/history"
)

// diary takes down what the members of a job tell, for the broker's history checker.
// Only the order of its events counts: a member tells before it does something, and
// goes on when that has been taken down.
type diary struct {
	mu    sync.Mutex
	rec   *history.Recorder
	began time.Time
}

func newDiary() *diary { return &diary{rec: history.NewRecorder(nil), began: time.Now()} }

func (d *diary) invoke(e history.Event) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	e.Time = int64(time.Since(d.began))
	return d.rec.Invoke(e)
}

func (d *diary) returned(op int64, e history.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e.Time = int64(time.Since(d.began))
	d.rec.Return(op, e)
}

// member is one client at work: what it is to do, and its part of the diary. Its methods
// may be called from several goroutines.
type member struct {
	*job
	name string
	// blind is a client that does not tell when it is given partitions: where it goes
	// on reading cannot be judged then, only what the group has read in the end.
	blind bool

	stopped chan struct{}

	mu       sync.Mutex
	identity history.Member
	// position is the next offset of each partition in which the member's place is known.
	position  map[int32]int64
	given     int    // records
	producers int    // that the member has had
	values    uint64 // that it has used
	produced  uint64 // transactions that it has ended
}

// running is false when the member has been told to stop.
func (m *member) running() bool {
	select {
	case <-m.stopped:
		return false
	default:
		return true
	}
}

func (m *member) inputs(partitions []int32) []wire.TopicPartition {
	var tps []wire.TopicPartition
	for _, p := range partitions {
		tps = append(tps, wire.TopicPartition{Topic: m.input, Partition: p})
	}
	return tps
}

// who is the member as the diary knows it. A client that does not tell its generation is
// no member by the checker's rules for members, but it reads and commits as one.
func (m *member) who() *history.Member {
	id := m.identity
	return &id
}

// assigned is that the member has these partitions from now on, besides those that it
// has. A generation of -1 is a client that does not tell.
func (m *member) assigned(id string, generation int32, partitions []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range partitions {
		delete(m.position, p)
	}
	if generation < 0 {
		return
	}
	m.identity.ID, m.identity.Generation, m.identity.Consumer = id, generation, m.nextGeneration
	m.diary.invoke(history.Event{Func: history.Assigned, Process: m.name, Offset: wire.NoOffset, Member: m.who(), Partitions: m.inputs(partitions)})
}

func (m *member) revoked(partitions []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.diary.invoke(history.Event{Func: history.Revoked, Process: m.name, Offset: wire.NoOffset, Member: m.who(), Partitions: m.inputs(partitions)})
}

// lost is that the member has no partitions any more.
func (m *member) lost() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.position)
	m.diary.invoke(history.Event{Func: history.Lost, Process: m.name, Offset: wire.NoOffset, Member: m.who()})
}

// rewound is that the member goes back to what is committed.
func (m *member) rewound() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.position)
}

// got is what a poll returned of one partition.
func (m *member) got(partition int32, records []history.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(records) == 0 {
		return
	}
	m.given += len(records)
	first, last := int64(records[0].Offset), int64(records[len(records)-1].Offset)
	place, known := m.position[partition]
	if !known || m.blind && place != first {
		m.diary.invoke(history.Event{
			Func: history.Seek, Process: m.name, Topic: m.input, Partition: partition, Offset: wire.Offset(first), Member: m.who(),
		})
	}
	m.position[partition] = last + 1
	op := m.diary.invoke(history.Event{
		Func: history.Poll, Process: m.name, Topic: m.input, Partition: partition, Offset: wire.NoOffset, Member: m.who(), Isolation: m.isolation,
	})
	m.diary.returned(op, history.Event{Outcome: history.OK, Offset: wire.NoOffset, Records: records})
}

// committing is that the member is about to commit offsets. It calls the returned
// function when it knows how that ended, if it ever does.
func (m *member) committing(offsets map[int32]int64) func(history.Outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ops []int64
	for _, p := range slices.Sorted(maps.Keys(offsets)) {
		ops = append(ops, m.diary.invoke(history.Event{
			Func: history.Commit, Process: m.name, Topic: m.input, Partition: p, Offset: wire.Offset(offsets[p]), Member: m.who(),
		}))
	}
	return func(o history.Outcome) {
		for i, p := range slices.Sorted(maps.Keys(offsets)) {
			m.diary.returned(ops[i], history.Event{Outcome: o, Offset: wire.Offset(offsets[p])})
		}
	}
}

// output is a record that a member writes in a transaction.
type output struct {
	partition int32
	value     uint64
	input     uint64 // of which it is the copy, 0 if there is none
}

// text is the record's value as it is in the log.
func (o output) text() string { return strconv.FormatUint(o.value, 10) }

// copies are the outputs for inputs: one each, in partitions by turns.
func (m *member) copies(inputs []uint64) []output {
	m.mu.Lock()
	defer m.mu.Unlock()
	outs := make([]output, len(inputs))
	for i, in := range inputs {
		m.values++
		outs[i] = output{int32(m.values % outputPartitions), m.values, in}
	}
	return outs
}

// restarted is that the member goes on with a new producer.
func (m *member) restarted() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.producers++
}

// writing is a transaction of a member.
type writing struct {
	m              *member
	process        string
	op             int64
	appends, sends []int64
	offsets        map[int32]int64
	end            int64
}

// begin is that the member writes these records, and sends these offsets, in a
// transaction that it begins now.
func (m *member) begin(outputs []output, offsets map[int32]int64) *writing {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &writing{m: m, process: m.name + "/" + strconv.Itoa(m.producers), offsets: offsets}
	w.op = m.diary.invoke(history.Event{
		Func: history.Begin, Process: w.process, Offset: wire.NoOffset, Producer: &history.Producer{TransactionalID: m.name, ID: -1},
	})
	for _, o := range outputs {
		w.appends = append(w.appends, m.diary.invoke(history.Event{
			Func: history.Append, Process: w.process, Topic: m.output, Partition: o.partition, Offset: wire.NoOffset, Value: o.value, Input: o.input,
			Acks: history.AcksAll, Idempotent: true, InFlight: 5, Txn: w.op,
		}))
	}
	for _, p := range slices.Sorted(maps.Keys(offsets)) {
		w.sends = append(w.sends, m.diary.invoke(history.Event{
			Func: history.SendOffsets, Process: w.process, Topic: m.input, Partition: p, Offset: wire.Offset(offsets[p]), Member: m.who(), Txn: w.op,
		}))
	}
	return w
}

// ending is that the transaction is about to be committed or aborted. written is that all
// records and offsets are acknowledged.
func (w *writing) ending(written, commit bool) {
	outcome := history.Unknown
	if written {
		outcome = history.OK
	}
	for _, op := range w.appends {
		w.m.diary.returned(op, history.Event{Outcome: outcome, Offset: wire.NoOffset})
	}
	for i, p := range slices.Sorted(maps.Keys(w.offsets)) {
		w.m.diary.returned(w.sends[i], history.Event{Outcome: outcome, Offset: wire.Offset(w.offsets[p])})
	}
	w.end = w.m.diary.invoke(history.Event{Func: history.End, Process: w.process, Offset: wire.NoOffset, Txn: w.op, Commit: commit})
}

func (w *writing) ended(o history.Outcome) {
	w.m.diary.returned(w.end, history.Event{Outcome: o, Offset: wire.NoOffset})
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.m.produced++
}
