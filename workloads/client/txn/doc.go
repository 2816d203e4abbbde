// Package txn is the pure core of a transactional producer: transactions in;
// InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit and EndTxn
// out; answers in, results out. Records go through package producer, whose core it
// directs: which producer id and epoch they are sent under, and when a partition may
// be written to. It does no I/O and has no timers (see [Core.Deadline]).
//
// # States
//
// As in the Java client (TransactionManager.State):
//
//	uninitialised   no producer id
//	initialising    InitProducerId is under way, for the first time or for a new epoch
//	ready           between transactions
//	in transaction
//	committing      EndTxn follows once all records have their results
//	aborting        the same, but what was not sent yet is dropped
//	abortable       the transaction cannot commit any more: Abort is the way on
//	fatal           the producer is of no more use: it was fenced, most likely
//
//	uninitialised  -> initialising    Init
//	initialising   -> ready           a producer id and epoch came
//	ready          -> in transaction  Begin
//	in transaction -> committing      Commit
//	in transaction -> aborting        Abort
//	in transaction -> abortable       a record, a partition or an offset could not be added
//	committing     -> abortable       the same, before EndTxn was sent; or EndTxn says so
//	committing     -> ready           EndTxn done, or there was nothing to end
//	committing     -> initialising    the same, and the cluster has finalised the second protocol
//	abortable      -> aborting        Abort
//	aborting       -> ready           EndTxn done, or there was nothing to end
//	aborting       -> initialising    EndTxn done, and the epoch must be bumped (KIP-360)
//	any            -> fatal           fenced, or an error that no retry and no abort mends
//
// # Protocols
//
// In the first protocol a partition is added to the transaction (AddPartitionsToTxn,
// AddOffsetsToTxn) before anything is sent there, and the epoch is the same for all
// transactions. In the second (KIP-890, transaction.version 2 finalised by the
// cluster) the brokers add partitions when they see the first records, and EndTxn
// answers with a new epoch for each transaction. Which one is used is decided when a
// transaction begins.
//
// # Outcomes
//
// See [End]. A time-out of Commit leaves the outcome unknown, and the core goes on
// trying; calling Commit again waits for the same end.
//
// Imports kmsg, kerr, broker/wire and workloads/client/{attempt,cluster,producer,coordinator}.
// Start at core.go.
//
// Rejected: one core for records and transactions, as in Java, where the two are
// entangled by locks and callbacks. Here the producer asks one question (may this
// partition be written to) and answers one (what went wrong).
package txn
