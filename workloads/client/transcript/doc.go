// Package transcript has what the transcripts of the client's cores have in common: the words
// for partitions, error codes and times, and metadata that come when the test says so.
//
// Whatever is wrong in a transcript is a panic: a test does not go on after it.
//
// Imports broker/wire, attempt, cluster and kmsg. Start at words.go.
//
// Rejected: a common stage. What a core is asked and what it tells differ too much for one.
package transcript
