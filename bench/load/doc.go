// Package load drives a running system with franz-go as a scenario says, and measures it.
//
// The loop is open: record i is due at start + i/rate, whatever the system does. Producers
// hand records over when they are due or, if they could not, later, but never skip one and
// never move what comes after. Latencies count from when a record was due, which every
// value carries with its number.
//
//   - load.go: Run, its phases: topics, readers, backlog, warm-up, the time measured, what
//     is still under way, the sum.
//   - producer.go: records when they are due; transactions. slots.go: records under way,
//     which are bounded. pause_linux.go: waking up when a record is due.
//   - payload.go: what a record consists of.
//   - group.go, member.go: consumer groups and what they have received; reader.go: readers
//     that catch up again and again.
//   - numbers.go: which records are there, as a set of bits. ticks.go: what happened when.
//   - fault.go: what strikes in mid-run. usage.go: what all of it takes of the machine.
//   - options.go: Kafka's client configs as options of franz-go. topic.go: topics of a run.
//
// # What is counted
//
// A record belongs to the time measured if it was due in it. It counts as acknowledged and
// received if that was before the end of this time and a grace of 100 ms + 1 %, so that the
// last records of a system that keeps up count, and what a system that does not has only
// queued does not count. Latencies are of all of them, however late; those that were due
// and could not even be sent, or of which nothing was heard, enter with the time that had
// passed at the end. A record of a transaction is acknowledged when that has committed.
//
// With the rate 0 records are due when they are handed over, and as many are under way as
// Kafka's producer buffers (buffer.memory, 32 MiB). With a backlog, its records are due
// when the readers start, and the time measured ends when the readers have caught up.
//
// Lateness is the client's own: what passes while it waits for the system to take records
// (a full buffer, a commit) is not in it.
//
// # Imports
//
// bench and bench/target, franz-go (kgo, kadm), golang.org/x/sys.
//
// # Rejected
//
// Waiting in a busy loop: on two cores it takes away what is measured. time.Sleep: in a
// process with nothing else to do, Go's poller wakes up on whole milliseconds. Latency by
// the records' timestamps: they are milliseconds.
package load
