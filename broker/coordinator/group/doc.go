// Package group is the group coordinator of one shard: the groups whose ids hash to one
// partition of __consumer_offsets, with their members and committed offsets. [Machine]
// is a coordinator.Machine: requests go in, records and responses come out.
//
// There are groups of two protocols. In a classic one the members assign: one of them, the
// leader, tells the others, and nobody works meanwhile. In a consumer group (KIP-848) the
// coordinator assigns, and leads each member to its target on its own.
//
// # What is durable
//
// Records in Kafka's schemas (records.go, consumer_records.go): committed offsets, groups,
// and the tombstones of both.
//
// A classic group writes itself when a generation's assignment arrives, when it becomes
// empty, and when a static member is replaced in a stable group. The rest (who is
// joining, sessions, members that were only promised an id) is soft: a new coordinator
// starts from the last assignment, with a fresh session for every member in it, and
// whoever was in the middle of something is told to join again.
//
// Of a consumer group everything is durable but the time that members have left: its
// epoch, its members, what each shall have, what each has and has to give up. A new
// coordinator goes on where the old one was.
//
// # Where to start
//
// machine.go dispatches; turn.go is one call of it; group.go is what it asks of a group of
// either protocol; classic.go has the states of a classic group, classic_rebalance.go what
// moves them, and the other classic_*.go its requests; offsets.go the committed offsets and
// those of open transactions, offset_*.go their requests; expiry.go what is forgotten
// and when; describe.go the answers for administrators.
//
// consumer.go has the states of a consumer group, consumer_member.go those of its members and
// how changes are written, consumer_heartbeat.go the one request; consumer_target.go makes a
// target (by package assignor), consumer_reconcile.go leads a member there: read that one to
// see why no two members use a partition. consumer_migration.go turns groups of one kind
// into the other, and consumer_classic.go serves members of the classic protocol in a
// consumer group. snapshot.go is for white-box checks.
//
// # Adding a kind of group
//
// A type that implements group; its records in the table of records.go; its requests in
// Machine.Handle. Committed offsets belong to the id, not to the kind, so a group
// that changes its kind keeps them.
//
// # Imports
//
// The parent package, assignor below, wire, failpoint, metadata, config, kmsg, kbin, kerr.
//
// # Rejected
//
// Marking decisions that have not committed as pending, as Kafka's maps of pending
// commits do: the parent package holds the answers back instead.
//
// One kind of deadline for everything that a group waits for: a member's session, a
// promised id, a rebalance and a synchronisation end independently of one another, and
// each has a timer in one heap (timers.go).
//
// Drafts of consumer groups that a turn changes and its records then make real: the group
// is changed at once, what has changed is marked, and the records are made of the marks, so
// that several things that happen at one time, such as sessions that end, see one another.
// That the log replays to the same is a property that tests hold.
//
// Kafka's refreshing of a group's metadata by a timer: a new image marks every consumer group,
// and the next heartbeat looks whether its own topics are different.
package group
