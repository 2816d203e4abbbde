package env

import (
	"math/rand/v2"
	"time"

	"odradek/broker/failpoint"
)

// Env is everything a node may touch outside its own memory.
type Env struct {
	Clock Clock
	Net   Net
	Disk  Disk
	CPU   CPU
	Rand  Rand
	Trace Tracer
	// Fail is this node's failpoint registry, never nil.
	Fail *failpoint.Registry
	// Tasks owns the coroutines of this node, so that a crash can end them.
	Tasks *Tasks
}

// Time is an instant on a node's monotonic clock, in nanoseconds since an
// arbitrary origin. It is only comparable with instants of the same node
// between one start and the next crash.
type Time int64

// Add returns the instant d after t.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns the time from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Clock tells the time and runs callbacks later.
type Clock interface {
	// Now is the monotonic clock.
	Now() Time
	// Wall is the time of day in nanoseconds since the Unix epoch. It may jump
	// in either direction; only timestamps in records and files come from it.
	Wall() int64
	// After runs fn on the loop once d has passed; d <= 0 means on a later turn
	// of the loop, after what is already queued there.
	After(d time.Duration, fn func()) Timer
}

// Timer is a pending [Clock.After].
type Timer interface {
	// Stop cancels the timer. Once Stop has returned, fn will not run. It reports
	// whether the timer was still pending.
	Stop() bool
}

// CPU accounts for computing time. The simulation charges it to the node's busy
// time from a cost model; real mode spends it.
type CPU interface {
	// Charge accounts for work the loop does itself, in the running callback.
	Charge(op Op, n int)
	// Work runs fn off the loop where the world can, then done on the loop.
	// fn may run at the same time as the loop and must touch only data that the
	// loop leaves alone until done; it must be a pure computation.
	Work(op Op, n int, fn func(), done func())
}

// Op names a kind of work for [CPU]; n is in bytes unless stated.
type Op uint8

const (
	OpRequest    Op = iota // one request dispatched; n is 1
	OpCopy                 // bytes copied
	OpCRC                  // bytes checksummed
	OpCompress             // bytes compressed (uncompressed size)
	OpDecompress           // bytes decompressed (uncompressed size)
	NumOps
)

// Rand gives out named random streams. The same name always gives a stream that
// depends only on the seed and that name, so that one more draw in one stream
// never shifts another. Asking twice gives the same stream, continued. In real
// mode streams are seeded from the system.
type Rand interface {
	Stream(name string) *rand.Rand
}

// Level grades an [Tracer] event, as in log levels.
type Level int8

const (
	Debug Level = iota
	// Detail is what happens to one partition of perhaps thousands at once. A simulation
	// tells it; in real mode it is told with Debug, and something sums it up as Info.
	Detail
	Info
	Warn
	Error
)

// Tracer records what happened, for people and for tools. It is the log in real
// mode, and the story, the "reached" counters and part of the rolling hash in
// simulation. It is not for the hot path.
type Tracer interface {
	// Event records one event. kind is a stable kebab-case noun phrase such as
	// "leader-elected"; counters are kept per kind.
	Event(level Level, kind string, attrs ...Attr)
}

// Attr is one named value of an event: a string or an integer.
type Attr struct {
	Key string
	Str string
	Int int64
	// IsInt says which of the two is meant.
	IsInt bool
}

// S is a string attribute.
func S(key, value string) Attr { return Attr{Key: key, Str: value} }

// I is an integer attribute.
func I[T ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32](key string, value T) Attr {
	return Attr{Key: key, Int: int64(value), IsInt: true}
}

// Err is the attribute "error".
func Err(err error) Attr {
	if err == nil {
		return S("error", "")
	}
	return S("error", err.Error())
}
