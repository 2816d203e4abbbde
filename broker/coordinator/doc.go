// Package coordinator runs the state machines that live in the internal topics: groups
// in __consumer_offsets, transactions in __transaction_state. A coordinator is the
// leader of a partition of such a topic; whatever it decides is a record there first.
//
// A [Machine] (package group or txn) decides: a request and the time go in, records and
// a response come out. [Shard] is what all machines have in common: loading the state
// from the log, replaying what was decided, holding answers back until the records that
// they speak of have committed, and ending everything when the leadership is over. The
// node is the shell: it appends the batches and sends the answers.
//
// The state of a machine is the replay of its log, always: what is decided is replayed
// at once, before it has committed, so that the next request sees it; but no answer
// leaves before everything that was replayed when it was made has committed. An append
// that fails ends the shard, and it is loaded anew from the log if the leadership goes
// on. So nothing is ever taken back.
//
// # Where to start
//
// machine.go is what a machine promises; shard.go runs one; refuse.go has the answer of
// every API for a shard that is not there; batch.go knows what fits a batch; hash.go finds
// the partition of a key. Tests of machines begin in coordinatortest.
//
// # Duties of the shell
//
//   - Load, with every record of the log in order, then Start, before anything else.
//   - Append the batches of every [Output], in order, before the next input; tell
//     Committed whenever the high watermark moves. Nobody else appends to the log.
//   - See to it that the log takes what is decided: what it demands of a producer's
//     batches is checked before Handle and Mark.
//   - Call Tick at Deadline, and MetadataChanged when the metadata has changed.
//   - Unload when the leadership ends or an append fails: the answers in its Output
//     are the last ones.
//
// # Imports
//
// wire, failpoint, metadata, config, kmsg, kerr. No env: time comes in as integers.
//
// # Rejected
//
// Kafka's timeline collections, which keep every map at two offsets so that an append
// that failed can be reverted and reads see only what has committed. Here reads wait for
// the commit of what they have seen, and a failed append reloads: both are rare, and
// there is one state to understand instead of two.
//
// Gathering records before they are appended (group.coordinator.append.linger.ms): the
// log writes what has come together while the write before was under way, so nothing is
// gained by waiting, and what was decided would have no offset for a while.
package coordinator
