// Package group is the group coordinator of one shard: the groups whose ids hash to one
// partition of __consumer_offsets, with their members and committed offsets. [Machine]
// is a coordinator.Machine: requests go in, records and responses come out.
//
// # What is durable
//
// Three kinds of records, in Kafka's schemas (records.go): a committed offset, a group
// as of its last assignment, and the tombstones of both. A classic group writes itself
// when a generation's assignment arrives, when it becomes empty, and when a static
// member is replaced in a stable group. The rest (who is joining, sessions, members
// that were only promised an id) is soft: a new coordinator starts from the last
// assignment, with a fresh session for every member in it, and whoever was in the middle
// of something is told to join again.
//
// # Where to start
//
// machine.go dispatches; turn.go is one call of it; group.go is what it asks of a group of
// either protocol; classic.go has the states of a classic group, classic_rebalance.go what
// moves them, and the other classic_*.go its requests; offsets.go the committed offsets and
// those of open transactions, offset_*.go their requests; expiry.go what is forgotten
// and when; describe.go the answers for administrators.
//
// # Adding a kind of group
//
// A type that implements group; its records in the table of records.go; its requests in
// Machine.Handle. Committed offsets belong to the id, not to the kind, so a group
// that changes its kind keeps them.
//
// # Imports
//
// The parent package, wire, failpoint, metadata, config, kmsg, kbin, kerr.
//
// # Rejected
//
// Marking decisions that have not committed as pending, as Kafka's maps of pending
// commits do: the parent package holds the answers back instead.
//
// One kind of deadline for everything that a group waits for: a member's session, a
// promised id, a rebalance and a synchronisation end independently of one another, and
// each has a timer in one heap (timers.go).
package group
