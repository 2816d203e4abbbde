// Package history records what clients of a log experienced and finds the
// anomalies in it.
//
// # Recording
//
// A client calls [Recorder.Invoke] before it does something and [Recorder.Return]
// when it knows the outcome; an operation that never returns is unknown. Each
// event gets the next sequence number, and only these numbers order events:
// operations at the same virtual instant must not look concurrent. [Event] is one
// flat structure, which fields matter depends on the [Func]:
//
// Logs:
//
//	append         one record sent by one producer. Invoke: Process, Topic,
//	               Partition, Value (unique), Acks, Idempotent, InFlight; Key and
//	               Tombstone of a keyed record; Txn of a transactional one; Input.
//	               Return: Outcome, Code, Offset (-1 if not told).
//	request        one Produce request, of which an append may need several.
//	               Invoke: Of, the appends it carries. Return: Outcome, Code.
//	poll           Return: Records, what a consumer got of one partition. Invoke:
//	               Isolation; Member, if it is a group's; Txn, if the process was
//	               in a transaction.
//	seek           the consumer's position was set: assignment, seek, rebalance, a
//	               truncation it was told of. Invoke only; Offset, Detail.
//	list-offsets   Return: Offset. Invoke: Which, Exact, Isolation.
//	final          Return: Start, End, Records: a piece of the log after
//	               everything healed. Read every partition whole, in order. A topic
//	               with transactions is read a second time after that, by another
//	               process, with Isolation read_committed: End is its last stable
//	               offset.
//	admin          Detail; not judged.
//
// Groups; all have a Member:
//
//	assigned         a member may read Partitions from now on, in this generation,
//	                 besides those that it has already. Invoke only. Record it
//	                 whenever a member learns of a new generation or epoch, also
//	                 with nothing new, and before it reads anything.
//	revoked          it gives Partitions up, by its own will or asked to. Invoke
//	                 only. Record it before the coordinator is told.
//	lost             it gives up all that it has, because it learned that it is no
//	                 member any more, leaves, or crashed. Invoke only.
//	heartbeat        Return: Outcome, ok if the coordinator knew the member.
//	                 Optional: it sharpens double-ownership.
//	commit           one partition's offset. Invoke: Topic, Partition, Offset.
//	                 Return: Outcome, Code. With a Member without ID it is an
//	                 administrator's, who may set any offset.
//	fetch-committed  Return: Outcome, Offset (-1: none). Invoke: Topic, Partition,
//	                 Stable.
//	final-committed  the committed offset after everything healed. Invoke: Topic,
//	                 Partition. Return: Outcome, Offset; Start, from which on the
//	                 group had to read (0 with a reset to earliest); Which, Live if
//	                 its members had the chance to read everything; Isolation with
//	                 which they read.
//
// The return of a commit, of send-offsets, alter-config and init-producer has Doubtful set
// if the operation needed several requests and one of them has no answer: it may still
// arrive, and do it all again.
//
// Transactions. A transaction is named by the operation of its begin:
//
//	init-producer  a producer asks for its producer id and epoch. Invoke: Producer
//	               with the TransactionalID (empty: idempotent only). Return:
//	               Outcome, Producer with what it got. A bump of the epoch that
//	               happens by itself is one too.
//	begin          Invoke only. Producer.
//	send-offsets   one partition's offset becomes part of the transaction. Invoke:
//	               Txn, Member, Topic, Partition, Offset. Return: Outcome: ok is
//	               that it is part of it, failed that it certainly is not.
//	end            Invoke: Txn, Commit. Return: Outcome. Of a commit: ok is that it
//	               is committed, failed that it never will be. Of an abort: ok is
//	               that it is aborted. An end that timed out may be tried again, as
//	               an operation of its own.
//	fenced         the process learned that another took its place. Invoke only.
//	               Producer, Txn if it was in one.
//
// Registers, which package checker/register judges:
//
//	alter-config     Invoke: Key, Text. Return: Outcome.
//	describe-config  Invoke: Key; Exact if the answer has to reflect everything
//	                 acknowledged before. Return: Outcome, Text.
//
// A poll, final read, commit or fetch of several partitions is recorded as one operation
// for each; polls when they return. A process is one session: a producer that restarts is another process. A log
// record that no client wrote (a control record) is a Record with Value 0.
//
// # Judging
//
// [Check] takes the events and the [Guarantees] of the run and returns every
// anomaly, each either a violation or allowed, with the reason. Allowed ones are
// reported too: a run under weak settings has to show some, else its faults were
// too weak.
//
// A transaction's fate is what its producer knows of it, or else what the final logs show
// ([Fates]). Whether two members that had one partition were both members is what the
// coordinator answered them (ownership.go has the exact rule). What the checks need of a
// run besides its events is in [Guarantees]: the settings, what the faults excuse, and
// which jobs are to be exactly once.
//
// # Where to start
//
// event.go and recorder.go are for who records. check.go has the order of the checks, and
// collect.go what they start from. Of logs: partition.go, check.go, order.go. Of
// transactions: transaction.go, isolation.go, cycle.go, producers.go. Of groups: group.go,
// ownership.go, committed.go, coverage.go, pipeline.go. Of compacted logs: table.go.
//
// # Rejected
//
// Ordering by time stamps; judging a failed operation by its last error alone (an
// earlier request of it may have been appended); keeping only violations; taking every
// overlap of two members for a violation, or none: a process that is cut off cannot know
// that its partitions are another's by now, but the coordinator may not serve both.
package history
