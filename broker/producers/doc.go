// Package producers decides what a partition's idempotent and transactional producers may
// append (KIP-98, KIP-360, KIP-890), and which of its records are decided: the last stable
// offset, and the transactions that were aborted.
//
// A [State] is what a log knows of its producers up to its end. [State.Check] judges a
// batch and changes nothing; [State.Append] and [State.End] take note of what is in the
// log. So the state is the replay of the headers of the log's batches, and of its markers:
// the same on the leader, on every follower and after a restart. A snapshot, in Kafka's
// file format, only shortens the replay; it keeps the last batch of each producer, where
// memory keeps five.
//
//	a producer      unknown -> idle            its first batch, or a marker
//	                idle -> in a transaction   a transactional batch
//	                in a transaction -> idle   a marker
//	                idle -> unknown            idle for producer.id.expiration.ms
//	a transaction   ongoing -> completed       a marker
//	                completed -> forgotten     the high watermark passes the marker
//	a verification  begun -> void              a batch or a marker of the producer
//
// It is pure: no I/O, no clock. broker/storage owns a state per log, writes its snapshots
// and keeps the index of aborted transactions; broker asks the transaction coordinator.
//
// # Where to start
//
//	state.go        State, and what a batch or marker makes of it
//	producer.go     one producer, and its window of batches
//	check.go        the judgement of a batch, with Kafka's error codes
//	transaction.go  ongoing and completed transactions, the last stable offset
//	verification.go guards against the race of verification and abort
//	snapshot.go     the file formats: <offset>.snapshot, <base>.txnindex
//
// # Imports
//
// wire, failpoint, kerr.
//
// # Rejected
//
// Kafka's two steps, where an append is prepared on a copy of the producer's entry that is
// merged after the write: an append that fails takes the log offline here, so what was
// noted when it was queued need never be taken back, and a second batch is judged with the
// first one still on its way. The list of completed transactions in order of their
// markers: only the earliest start matters, and the front of a list sorted by starts gives
// it without a search.
package producers
