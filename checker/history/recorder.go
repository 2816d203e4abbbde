package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"
)

// Recorder writes a history down, event by event. It has one owner: the loop of
// the scripted users.
type Recorder struct {
	// events are those that were asked for; what came since is in chunks, all but the last of
	// which are full: events are large, and a slice that grows copies them again and again.
	events []Event
	chunks [][]Event
	open   []bool // by event: it begins an operation that has not returned
	out    *json.Encoder
	err    error
}

const chunkSize = 1024

// NewRecorder returns an empty history. If w is not nil every event is also
// written to it as a line of JSON.
func NewRecorder(w io.Writer) *Recorder {
	r := new(Recorder)
	if w != nil {
		r.out = json.NewEncoder(w)
	}
	return r
}

// Invoke records that an operation begins at time e.Time, and returns its number.
// Seq, Phase and Op are filled in.
func (r *Recorder) Invoke(e Event) int64 {
	e.Seq = int64(r.Len()) + 1
	e.Op = e.Seq
	e.Phase = Invoke
	r.add(&e)
	return e.Op
}

// Return records how operation op ended. Function, process, partition and transaction
// are those of the invocation, and so are member, producer and isolation if e has none.
// An operation returns at most once.
func (r *Recorder) Return(op int64, e Event) {
	if op < 1 || op > int64(r.Len()) || !r.open[op-1] {
		panic(fmt.Sprintf("history: operation %d returns without being open", op))
	}
	r.open[op-1] = false
	begin := r.at(int(op - 1))
	e.Seq = int64(r.Len()) + 1
	e.Op = op
	e.Phase = Return
	e.Func, e.Process, e.Topic, e.Partition = begin.Func, begin.Process, begin.Topic, begin.Partition
	e.Txn = begin.Txn
	if e.Member == nil {
		e.Member = begin.Member
	}
	if e.Producer == nil {
		e.Producer = begin.Producer
	}
	if e.Isolation == ReadUncommitted {
		e.Isolation = begin.Isolation
	}
	r.add(&e)
}

func (r *Recorder) at(i int) *Event {
	if i < len(r.events) {
		return &r.events[i]
	}
	i -= len(r.events)
	return &r.chunks[i/chunkSize][i%chunkSize]
}

// add copies the event.
func (r *Recorder) add(e *Event) {
	last := len(r.chunks) - 1
	if last < 0 || len(r.chunks[last]) == chunkSize {
		r.chunks = append(r.chunks, make([]Event, 0, chunkSize))
		last++
	}
	r.chunks[last] = append(r.chunks[last], *e)
	r.open = append(r.open, e.Phase == Invoke)
	if r.out != nil && r.err == nil {
		r.err = r.out.Encode(r.at(len(r.open) - 1))
	}
}

// Len is how many events there are.
func (r *Recorder) Len() int { return len(r.open) }

// Events is the history so far. It must not be modified.
func (r *Recorder) Events() []Event {
	r.events = slices.Grow(r.events, r.Len()-len(r.events))
	for i, c := range r.chunks {
		r.events = append(r.events, c...)
		r.chunks[i] = c[:0]
	}
	if len(r.chunks) > 1 {
		r.chunks = nil
	}
	return r.events
}

// Err is the first error of writing.
func (r *Recorder) Err() error { return r.err }

// Read reads a history that a [Recorder] has written, and checks its form: the
// sequence numbers grow, every operation begins once and returns at most once.
func Read(in io.Reader) ([]Event, error) {
	var events []Event
	dec := json.NewDecoder(bufio.NewReader(in))
	for {
		var e Event
		if err := dec.Decode(&e); err == io.EOF {
			return events, WellFormed(events)
		} else if err != nil {
			return nil, fmt.Errorf("event %d: %w", len(events)+1, err)
		}
		events = append(events, e)
	}
}

// WellFormed checks the form of a history.
func WellFormed(events []Event) error {
	open := make([]bool, len(events)) // by event: it begins an operation that has not returned
	last := int64(0)
	values := make(map[uint64]int64)
	begun := make(map[int64]bool) // transactions
	for i := range events {
		e := &events[i]
		begin := i
		if e.Phase == Return {
			begin = place(events[:i], e.Op)
		}
		switch {
		case e.Seq <= last:
			return fmt.Errorf("event %d after event %d", e.Seq, last)
		case e.Phase == Invoke && e.Op != e.Seq:
			return fmt.Errorf("event %d invokes operation %d", e.Seq, e.Op)
		case e.Phase == Return && (begin == i || !open[begin]):
			return fmt.Errorf("event %d: operation %d returns without being open", e.Seq, e.Op)
		case e.Phase != Invoke && e.Phase != Return:
			return fmt.Errorf("event %d has phase %q", e.Seq, e.Phase)
		}
		switch {
		case e.Func == Begin:
			begun[e.Op] = true
		case e.Txn != 0 && !begun[e.Txn]:
			return fmt.Errorf("event %d: transaction %d has not begun", e.Seq, e.Txn)
		case e.Member == nil && ofGroup(e.Func):
			return fmt.Errorf("event %d: %s without a member", e.Seq, e.Func)
		}
		if e.Func == Append && e.Phase == Invoke {
			if first, again := values[e.Value]; again || e.Value == 0 {
				return fmt.Errorf("event %d: value %d is not unique (event %d)", e.Seq, e.Value, first)
			}
			values[e.Value] = e.Seq
		}
		open[begin] = e.Phase == Invoke
		last = e.Seq
	}
	return nil
}

// place is the index of the event with a sequence number, or len(events). The numbers grow;
// those of a [Recorder] have no gaps.
func place(events []Event, seq int64) int {
	if len(events) == 0 {
		return 0
	}
	if i := seq - events[0].Seq; i >= 0 && i < int64(len(events)) && events[i].Seq == seq {
		return int(i)
	}
	if i := sort.Search(len(events), func(i int) bool { return events[i].Seq >= seq }); i < len(events) && events[i].Seq == seq {
		return i
	}
	return len(events)
}

// ofGroup reports whether a kind of operation needs to say who acts in which group.
func ofGroup(f Func) bool {
	switch f {
	case Assigned, Revoked, Lost, Heartbeat, Commit, FetchCommitted, FinalCommitted, SendOffsets:
		return true
	}
	return false
}
