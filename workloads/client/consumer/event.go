package consumer

import (
	"odradek/broker/wire"
)

// Position is where a consumer reads next.
type Position struct {
	Offset wire.Offset
	// Epoch is the leader epoch of the record before the position, NoLeaderEpoch if
	// unknown; without it a truncation cannot be detected.
	Epoch wire.LeaderEpoch
}

// Record is one record read. Its bytes belong to the user.
type Record struct {
	wire.TopicPartition
	Offset wire.Offset
	// Epoch is the leader epoch of the record's batch.
	Epoch wire.LeaderEpoch
	// Timestamp in ms since the epoch.
	Timestamp  int64
	Key, Value []byte
	Headers    []wire.Header
}

// Progress is what the latest answer said about a partition's log; NoOffset if
// there was none yet.
type Progress struct {
	HighWatermark, LastStable, LogStart wire.Offset
}

// EventKind says what happened to a partition.
type EventKind uint8

const (
	// WasReset: a position was found by the reset policy or a seek to the
	// beginning, end or a timestamp. To is the new position.
	WasReset EventKind = iota
	// Truncated: the log no longer holds what was read before From. To is the
	// point of divergence (everything read at or past it is gone), or NoOffset if
	// even that is unknown. Err is nil.
	Truncated
	// OutOfRange: From lies outside the log.
	OutOfRange
	// Corrupt: what was fetched at From is not a valid batch; Err says why.
	Corrupt
	// Refused: a fatal error code; Err.
	Refused
	// NoPosition: the group has committed no offset, and there is no reset policy.
	NoPosition
)

func (k EventKind) String() string {
	switch k {
	case WasReset:
		return "reset"
	case Truncated:
		return "truncated"
	case OutOfRange:
		return "out-of-range"
	case Corrupt:
		return "corrupt"
	case NoPosition:
		return "no-position"
	}
	return "refused"
}

// Event tells the user that a partition does not simply go on.
type Event struct {
	wire.TopicPartition
	Kind     EventKind
	From, To Position
	// Stopped: the partition stands still until the user seeks.
	Stopped bool
	Err     error
}
