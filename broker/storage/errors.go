package storage

import (
	"errors"
	"fmt"

	"odradek/broker/wire"
)

var (
	// ErrClosed is returned by a log or store that was closed or deleted.
	ErrClosed = errors.New("log is closed")
	// ErrTruncating refuses an append while a truncation is under way: its
	// offset is not known before the truncation is done.
	ErrTruncating = errors.New("log is being truncated")
	// ErrTruncated ends an append that was truncated away before it was durable.
	ErrTruncated = errors.New("records were truncated before they were durable")
)

// OfflineError says that the log stopped for good after an I/O error. Only opening
// it again, which recovers it, brings it back.
type OfflineError struct {
	Dir   string // of the partition
	Op    string // what failed
	Cause error
}

func (e *OfflineError) Error() string {
	return fmt.Sprintf("log %s is offline: %s: %v", e.Dir, e.Op, e.Cause)
}

func (e *OfflineError) Unwrap() error { return e.Cause }

// CorruptError says that a file does not hold what was durably written to it.
type CorruptError struct {
	Path   string
	Pos    int64 // bytes from the beginning of the file
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is corrupt at byte %d: %s", e.Path, e.Pos, e.Reason)
}

// OffsetOutOfRangeError says that an offset is outside [Start, End].
type OffsetOutOfRangeError struct {
	Offset     wire.Offset
	Start, End wire.Offset
}

func (e *OffsetOutOfRangeError) Error() string {
	return fmt.Sprintf("offset %d is out of range [%d, %d]", e.Offset, e.Start, e.End)
}

// InvalidBatchError refuses an append whose bytes are not whole record batches of
// format v2.
type InvalidBatchError struct {
	Reason string
}

func (e *InvalidBatchError) Error() string { return "invalid record batch: " + e.Reason }

// UnexpectedOffsetError refuses a follower's batch that does not continue the log.
type UnexpectedOffsetError struct {
	Got, Want wire.Offset
}

func (e *UnexpectedOffsetError) Error() string {
	return fmt.Sprintf("batch starts at offset %d, the log goes on at %d", e.Got, e.Want)
}

// StaleEpochError refuses an append in a leader epoch older than the log's last.
type StaleEpochError struct {
	Got, Latest wire.LeaderEpoch
}

func (e *StaleEpochError) Error() string {
	return fmt.Sprintf("leader epoch %d is older than the log's %d", e.Got, e.Latest)
}

// IdentityError says that a data directory belongs to another cluster or node.
type IdentityError struct {
	Path      string
	Field     string // of meta.properties
	Got, Want string
}

func (e *IdentityError) Error() string {
	return fmt.Sprintf("%s: %s is %q, but this node has %q: the data directory belongs to another node", e.Path, e.Field, e.Got, e.Want)
}
