// Package storage is the segmented record log, in Kafka's on-disk format, and the
// data directory that holds the logs of a node. Kafka's own DumpLogSegments can
// read what it writes.
//
// A [Store] is the data directory: its identity (meta.properties), the partition
// directories, the offset checkpoints, and whether the last stop was clean. A [Log]
// is one partition: a run of segment files, appended to at the end, deleted
// from the beginning, and compacted between. Everything acts through env.Disk, so it never blocks:
// results arrive by callback on the node's loop, never inside the call, and what
// reads better in sequence (opening, truncating, recovery) runs as an env.Task.
//
// # Promises
//
//   - What was acknowledged after a sync survives power loss, file names included.
//   - What was acknowledged without one survives a crash of the process, and after
//     power loss is there, or is missing with everything after it: a log is
//     always a prefix of what was appended.
//   - After an I/O error the log is offline ([OfflineError]): nothing later is ever
//     acknowledged, so there are no holes, and a failed sync is never retried into
//     success.
//   - What is on the disk is checked, not trusted. Damage above the recovery point
//     is the torn tail of a crash and is cut off; damage below it had been durable
//     and is a [CorruptError] that names the file: cutting it would lose
//     acknowledged records silently.
//   - Compaction removes records that a later one of their key replaces, tombstones and
//     markers after delete.retention.ms, and what was aborted; it changes no offset and no
//     order, and does not touch what is not replicated, decided and synced. Until it has
//     replaced a segment for good, the old ones are there.
//
// # Gaps
//
// Where compaction was at work, here or at the leader, offsets are missing within segments.
// A log that has had a gap has an entry in cleaner-offset-checkpoint, made before the gap;
// in every other log a missing offset is lost data. Segments have no gap between them: the
// last batch of a segment stays, emptied if need be, so that recovery can tell in either
// kind of log that a segment has lost its end. An epoch whose first records are gone counts
// from the end of the batch before: an earlier start makes a diverging replica cut more than
// it must, a later one too little.
//
// # Files of a partition
//
//	00000000000000000000.log        record batches (format v2), one after the other
//	00000000000000000000.index      offset -> position, sparse
//	00000000000000000000.timeindex  timestamp -> offset, sparse
//	00000000000000000000.txnindex   aborted transactions, if there are any
//	00000000000000000000.snapshot   the producers at that offset: every segment's start,
//	                                and the end at a clean stop
//	leader-epoch-checkpoint         (leader epoch, start offset) pairs
//	partition.metadata              topic id
//	<offset>-<epoch>.checkpoint     snapshots of the metadata log
//	*.cleaned, *.swap, *.deleted    a segment being compacted, taking the place of others,
//	                                on its way out (cleanswap.go)
//
// Index files are empty, and the transaction index is missing, until their segment is sealed
// or closed; the active segment's live in memory, since recovery reads that segment anyway. Kafka preallocates and maps
// them instead; the finished files are the same.
//
// # Where to start
//
//	log.go         state of a log, and what takes it offline
//	append.go      plan, queue and group commit of writes; sync.go: grouped syncs
//	read.go        tail.go (recent appends), memory.go (how many, of all logs), scan.go (files through the index), timestamp.go
//	segment.go     a segment's files; index.go, roll.go
//	epochs.go      the leader epoch cache
//	producer.go    the state of producers: kept, snapshotted, made again; txnindex.go: of
//	               what they aborted
//	truncate.go    and retention.go: the two ends of a log that move back and up
//	clean.go       compaction: cleanable.go says when and up to where, cleankeys.go has the
//	               map of keys, cleantransactions.go and cleansieve.go decide what stays,
//	               cleanswap.go exchanges the segments
//	open.go        what is loaded and what is checked; recovery.go: the checking
//	store.go       the data directory; partitions.go: its directories; checkpoint.go: its files
//	snapshot.go    of the metadata log
//	diskio.go      disk operations for coroutines; lane.go: orders them
//
// # Imports
//
// The standard library, broker/env, broker/wire, broker/failpoint, broker/producers. Tests also import sim,
// sim/disk and broker/realenv: model_test.go compares random lives with a model,
// crash_test.go crashes one life at every effect.
//
// # Rejected
//
// Memory-mapped indexes, as Kafka has them: their I/O errors are signals, their
// writes are durable at no known moment, and a simulation cannot own them. Marking
// a log readable before its bytes are written (serving from memory first): a
// follower could then hold what its leader loses on an append error. Taking a log that is
// damaged below its recovery point as far as it goes: the node would claim to be in sync
// with less than it acknowledged. A second state of the producers, of what is written, to
// take snapshots from: a snapshot is encoded when its roll is queued, and written by it, behind
// everything that it speaks of. Accepting gaps where cleanup.policy says compact: a topic
// that is not compacted any more would refuse what it has, and what its leader has. Rewriting
// segments that would not change, as Kafka does with every cleaning.
package storage
