package coordinator

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// Config is how a shard behaves.
type Config struct {
	// CommitTimeout is the longest that an answer waits for what it speaks of to commit
	// (offsets.commit.timeout.ms).
	CommitTimeout time.Duration
}

// Output is what the shell has to do, in this order.
type Output struct {
	// Batches are appended one after the other.
	Batches []Batch
	// Replies are the answers that may leave now.
	Replies []Reply
	// Marked are the results of Mark.
	Marked []Marked
	// Effects are the machine's own, due now.
	Effects []any
}

// Marked tells what became of a Mark: nil, NOT_LEADER_OR_FOLLOWER or REQUEST_TIMED_OUT.
type Marked struct {
	Token Token
	Err   *kerr.Error
}

// state is where a shard stands in its life:
//
//	loading -> active   Start
//	loading -> over     Unload: the leadership ended, or the log could not be read
//	active  -> over     Unload: the leadership ended, or an append failed
//
// A shard that is over stays so; a new one is loaded in its place.
type state uint8

const (
	loading state = iota
	active
	over
)

// Shard runs a machine: one partition of an internal topic, in one leader epoch.
type Shard struct {
	cfg     Config
	machine Machine
	state   state
	// next is the offset that the next record gets, while loading one after the last.
	next wire.Offset
	hw   wire.Offset
	// open are the requests that the shard owes an answer, nil for a Mark.
	open map[Token]kmsg.Request
	// parked are answers, and effects, that wait for the high watermark, by offset, and
	// thereby also by time.
	parked  []parked
	effects []parkedEffect
}

type parked struct {
	until   wire.Offset // leaves once the high watermark is there
	expires int64
	reply   Reply // without a response it is that of a Mark
}

type parkedEffect struct {
	until  wire.Offset
	effect any
}

// New is a shard that is loading.
func New(m Machine, cfg Config) *Shard {
	return &Shard{cfg: cfg, machine: m, open: make(map[Token]kmsg.Request)}
}

// Machine is the machine, for inspection.
func (s *Shard) Machine() Machine { return s.machine }

// Active reports whether the shard decides requests.
func (s *Shard) Active() bool { return s.state == active }

// Load replays a record of the log. Offsets grow; compaction leaves gaps.
func (s *Shard) Load(e Entry) {
	s.loaded(e.Offset)
	s.machine.Replay(e)
}

// LoadMarker replays a control batch of the log.
func (s *Shard) LoadMarker(m Marker, offset wire.Offset) {
	s.loaded(offset)
	s.machine.ReplayMarker(m, offset)
}

func (s *Shard) loaded(offset wire.Offset) {
	check(s.state == loading, "record %d loaded in state %d", offset, s.state)
	check(offset >= s.next, "record %d loaded after %d", offset, s.next-1)
	s.next = offset + 1
}

// Start ends the loading: every record of the log has been loaded, and the shard decides
// from here on. coordinatorEpoch is the leader epoch.
func (s *Shard) Start(m Moment, coordinatorEpoch int32) Output {
	check(s.state == loading, "started in state %d", s.state)
	check(m.NextOffset >= s.next, "the log ends at %d, but %d was loaded", m.NextOffset, s.next-1)
	s.state, s.next = active, m.NextOffset
	return s.decided(m, s.machine.Loaded(m, coordinatorEpoch))
}

// Handle decides a request. Its answer is in this Output or in a later one, once. Inputs
// without a token are dropped unless the shard is active.
func (s *Shard) Handle(m Moment, r Request) Output {
	if r.Token == 0 {
		if s.state != active {
			return Output{}
		}
		return s.decided(m, s.machine.Handle(m, r))
	}
	req := r.Msg.(kmsg.Request)
	switch s.state {
	case loading:
		return Output{Replies: []Reply{{Token: r.Token, Response: refuseWhileLoading(req)}}}
	case over:
		return Output{Replies: []Reply{{Token: r.Token, Response: Refuse(req, kerr.NotCoordinator)}}}
	}
	s.own(r.Token, req)
	return s.decided(m, s.machine.Handle(m, r))
}

// Mark appends the end of a transaction, and answers once it has committed. What the
// transaction wrote here is visible from the next request on, so nobody who learned
// that the transaction has ended can miss it. The shell has checked the marker against
// the partition's producers.
func (s *Shard) Mark(m Moment, token Token, marker Marker) Output {
	if s.state != active {
		return Output{Marked: []Marked{{token, kerr.NotLeaderForPartition}}}
	}
	s.own(token, nil)
	var out Output
	s.replay(m, Batch{Marker: &marker}, &out)
	s.park(m, Reply{Token: token}, &out)
	return out
}

func (s *Shard) own(token Token, req kmsg.Request) {
	_, known := s.open[token]
	check(token != 0 && !known, "token %d used twice", token)
	s.open[token] = req
}

// MetadataChanged follows every new image.
func (s *Shard) MetadataChanged(m Moment) Output {
	if s.state != active {
		return Output{}
	}
	return s.decided(m, s.machine.MetadataChanged(m))
}

// Deadline is when Tick has something to do, or Never.
func (s *Shard) Deadline() int64 {
	if s.state != active {
		return Never
	}
	at := s.machine.Deadline()
	if len(s.parked) > 0 {
		at = min(at, s.parked[0].expires)
	}
	return at
}

// Tick does what is due by time: the machine's own, and answers that have waited for too
// long for their commit. Those may speak of what commits later, so they say neither yes
// nor no: COORDINATOR_NOT_AVAILABLE, which clients retry.
func (s *Shard) Tick(m Moment) Output {
	if s.state != active {
		return Output{}
	}
	var out Output
	k := 0
	for ; k < len(s.parked) && s.parked[k].expires <= m.Now; k++ {
		s.fail(s.parked[k].reply.Token, kerr.CoordinatorNotAvailable, kerr.RequestTimedOut, &out)
	}
	s.parked = slices.Delete(s.parked, 0, k)
	if s.machine.Deadline() <= m.Now {
		s.do(m, s.machine.Tick(m), &out)
	}
	return out
}

// Committed follows the high watermark. It never goes back in the life of a shard.
func (s *Shard) Committed(highWatermark wire.Offset) Output {
	check(highWatermark >= s.hw, "high watermark went from %d back to %d", s.hw, highWatermark)
	s.hw = highWatermark
	var out Output
	if s.state != active {
		return out
	}
	k := 0
	for ; k < len(s.parked) && s.parked[k].until <= s.hw; k++ {
		s.leave(s.parked[k].reply, &out)
	}
	s.parked = slices.Delete(s.parked, 0, k)
	k = 0
	for ; k < len(s.effects) && s.effects[k].until <= s.hw; k++ {
		out.Effects = append(out.Effects, s.effects[k].effect)
	}
	s.effects = slices.Delete(s.effects, 0, k)
	return out
}

// Unload ends the shard. Every request that is still open gets why as its answer, also
// those that the machine kept; a Mark is NOT_LEADER_OR_FOLLOWER. What was appended
// may commit under the next leader, or not.
func (s *Shard) Unload(why *kerr.Error) Output {
	s.state = over
	var out Output
	for _, token := range slices.Sorted(maps.Keys(s.open)) {
		s.fail(token, why, kerr.NotLeaderForPartition, &out)
	}
	s.open, s.parked, s.effects = nil, nil, nil
	return out
}

// fail ends a request with one error, or a Mark with another.
func (s *Shard) fail(token Token, why, unmarked *kerr.Error, out *Output) {
	if req := s.open[token]; req != nil {
		out.Replies = append(out.Replies, Reply{Token: token, Response: Refuse(req, why)})
	} else {
		out.Marked = append(out.Marked, Marked{token, unmarked})
	}
	delete(s.open, token)
}

func (s *Shard) decided(m Moment, d Decision) Output {
	var out Output
	s.do(m, d, &out)
	return out
}

// do replays what was decided, and parks the answers behind it.
func (s *Shard) do(m Moment, d Decision, out *Output) {
	for _, b := range d.Batches {
		s.replay(m, b, out)
	}
	for _, r := range d.Replies {
		_, open := s.open[r.Token]
		check(open, "answer to %d, which is not open", r.Token)
		s.park(m, r, out)
	}
	for _, e := range d.Effects {
		if s.next <= s.hw {
			out.Effects = append(out.Effects, e)
		} else {
			s.effects = append(s.effects, parkedEffect{s.next, e})
		}
	}
}

// replay gives a batch its offsets and lets the machine have it.
func (s *Shard) replay(m Moment, b Batch, out *Output) {
	check(m.NextOffset+offsets(out.Batches) == s.next, "the log goes on at %d, not at %d", m.NextOffset+offsets(out.Batches), s.next)
	check((b.Marker == nil) == (len(b.Records) > 0), "a batch of %d records, marker %v", len(b.Records), b.Marker)
	out.Batches = append(out.Batches, b)
	if b.Marker != nil {
		s.next++
		s.machine.ReplayMarker(*b.Marker, s.next-1)
		return
	}
	for _, r := range b.Records {
		s.next++
		s.machine.Replay(Entry{Record: r, Offset: s.next - 1, Timestamp: m.Wall, Transaction: b.Transaction})
	}
}

// offsets is how many offsets the batches take.
func offsets(batches []Batch) wire.Offset {
	var n wire.Offset
	for _, b := range batches {
		n += wire.Offset(max(len(b.Records), 1)) // a marker is one record
	}
	return n
}

// park lets an answer leave, or holds it until everything replayed so far has committed.
func (s *Shard) park(m Moment, r Reply, out *Output) {
	if r.Immediate || s.next <= s.hw {
		s.leave(r, out)
		return
	}
	s.parked = append(s.parked, parked{until: s.next, expires: m.Now + int64(s.cfg.CommitTimeout), reply: r})
}

func (s *Shard) leave(r Reply, out *Output) {
	if s.open[r.Token] == nil {
		out.Marked = append(out.Marked, Marked{Token: r.Token})
	} else {
		out.Replies = append(out.Replies, r)
	}
	delete(s.open, r.Token)
}

// check panics if a rule is broken that only a bug can break.
func check(ok bool, format string, args ...any) {
	if !ok {
		panic("coordinator: " + fmt.Sprintf(format, args...))
	}
}
