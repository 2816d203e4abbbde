// Package invariant checks what must hold of a simulated cluster at every step,
// seen from outside and with perfect knowledge.
//
// The harness tells the checkers of every change, as plain values: [Replication]
// gets each partition as the controller sees it ([Partition]) and each replica
// ([Replica]) whenever it changed, with what happened to its log since
// ([Change]); [Quorum] gets each member of the metadata quorum ([Member]) and each
// vote as it is answered ([Vote]). Every call returns the invariants that do not
// hold (any more), and costs a few map look-ups and binary searches, whatever the
// length of the logs: only the partition that changed is looked at.
//
// Two logs are compared by digest. Each batch extends its log's digest by its
// offsets, epoch and CRC, so equal digests at an offset mean equal logs up to
// there. What any replica has below its high watermark is committed, and kept as
// the partition's one true history ([Replication.Excuse] cuts it when the fault
// plan allows a loss).
//
// Replicas are compacted at different times, so that their batches differ. They are
// compared all the same: a replica counts as having what compaction has removed from its
// log ([CleanedTo]), and a batch that it has rewritten as what that was before. A follower
// that copies a compacted log counts as having copied what is left out there.
//
// # Coordinators
//
// What the harness has to hand in, besides the above:
//
//   - [Coordinators.Loaded] when a node has loaded a shard, and [Coordinators.Group] with a
//     group whenever a decision of its coordinator changed it: the coordinator's state, not
//     only what has committed, for that is what members are told.
//   - [Transactions.Committed] with every record of __transaction_state once it is below
//     the high watermark, [Transactions.Granted] when a client is told its producer id,
//     [Transactions.Marked] when a replica appends a marker and
//     [Transactions.MarkerCommitted] when the marker is below a high watermark.
//   - [Compaction.Read], of one replica, with every record below the high watermark, and
//     [Compaction.Cleaned] with the records of each part of the log that the cleaner rewrites.
//   - Replica.LastStable with every [Replica].
//
// It imports the ids of broker/wire only. Start at violation.go, then lineage.go.
//
// # Rejected
//
// Reading the broker's own structures: a bug in the code that keeps them would
// hide itself. Comparing whole logs after every step: quadratic in the length of a
// run. Comparing compacted logs by their last offsets only: what a wrong truncation
// leaves behind differs in its contents.
package invariant
