// Package linear decides whether the operations on one partition are
// linearizable: whether each can be thought to happen at one instant between its
// call and its return.
//
// The model's state is one integer, the end of the log. An append of n records at
// offset base is legal if and only if the end is base, and moves it by n; a read
// of the exact high watermark is legal if and only if it equals the end. Only
// appends with acks=all, and reads that claim to be exact, are promises of that
// kind; fetches and plain ListOffsets are only consistent prefixes (package
// history checks those), since a deposed leader may give stale answers.
//
// [Resolve] makes operations of a history: the final log tells which of the
// unknown appends happened and where, so that none stays open for ever. (With the
// whole log as the state and unknowns left open, 200 operations took a minute.)
// [Porcupine] and [Sweep] then decide independently; they must agree, and a test
// makes them try on many small histories. [Check] does it all, in windows that
// bound Porcupine's memory, which grows with the square of the operations. No
// verdict depends on the wall clock: Porcupine runs without a time limit.
//
// It imports checker/history, the ids of broker/wire and Porcupine. Start at
// op.go.
//
// # Rejected
//
// Stamping operations with virtual time: those of one instant would be concurrent
// and hide bugs. Only sequence numbers count.
package linear
