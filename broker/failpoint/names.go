package failpoint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Points that a correct broker must survive.
const (
	// StorageAppend makes an append to a log fail before anything is written:
	// "io" or "nospace".
	StorageAppend Name = "storage/append"
	// StorageSync makes a sync of a log fail, with its dirty pages lost: "io".
	StorageSync Name = "storage/sync"
	// StorageRoll makes the creation of a new segment fail: "io" or "nospace".
	StorageRoll Name = "storage/roll"
	// ReplicaAlterPartitionLost drops the response of an AlterPartition request.
	ReplicaAlterPartitionLost Name = "replica/alter-partition-lost"
	// ReplicaFetchDropped drops a follower's fetch response.
	ReplicaFetchDropped Name = "replica/fetch-dropped"
	// RaftPersist makes writing the quorum state fail, which stops the node: "io".
	RaftPersist Name = "raft/persist"
	// RaftFetchDropped drops a quorum fetch response.
	RaftFetchDropped Name = "raft/fetch-dropped"
	// TxnFirstEpoch makes new transactional ids begin with a producer epoch near its end,
	// such as "32760".
	TxnFirstEpoch Name = "txn/first-epoch"
	// BrokerValidateOffLoop has produced batches checked off the loop however small they are.
	BrokerValidateOffLoop Name = "broker/validate-off-loop"
)

// The zoo: each switch plants one historical bug.
const (
	// ZooTruncateToHighWatermark: a new follower truncates to its own high
	// watermark instead of asking by epoch (KIP-101).
	ZooTruncateToHighWatermark Name = "zoo/01-truncate-to-high-watermark"
	// ZooUnfencedReplicaFetch: the leader serves replica fetches of any leader
	// epoch (KIP-320).
	ZooUnfencedReplicaFetch Name = "zoo/08-unfenced-replica-fetch"
	// ZooZombieController: the controller answers AlterPartition before its decision
	// has committed (KAFKA-14154).
	ZooZombieController Name = "zoo/10-zombie-controller"
	// ZooFencedReplicaJoins: the controller lets a fenced replica, or one of an
	// earlier registration, into the ISR (KIP-841, KIP-903).
	ZooFencedReplicaJoins Name = "zoo/12-fenced-replica-joins"
	// ZooLastReplicaStanding: the high watermark advances below
	// min.insync.replicas and a replica that restarted uncleanly stays eligible
	// (KIP-966).
	ZooLastReplicaStanding Name = "zoo/14-last-replica-standing"
	// ZooLatestBeforeEpochStart: ListOffsets(latest) is answered by a new leader whose
	// high watermark may be behind (KIP-207).
	ZooLatestBeforeEpochStart Name = "zoo/20-latest-before-epoch-start"
	// ZooPositionWithoutEpoch: where a consumer stands is judged by the offset alone, and not
	// by the epoch of what it has read last (KIP-320).
	ZooPositionWithoutEpoch Name = "zoo/21-position-without-epoch"
	// ZooVoteBeforeDurable: a vote is answered before it is on disk (KIP-595).
	ZooVoteBeforeDurable Name = "zoo/26-vote-before-durable"
	// ZooDuplicateOutOfOrder: a batch that comes again is refused as out of order instead
	// of being answered like the first copy (Redpanda 3039).
	ZooDuplicateOutOfOrder Name = "zoo/34-duplicate-out-of-order"
	// ZooProducerStateBeforeAppend: producer state is changed by batches that are then
	// refused, so that their second copy passes for a duplicate (KAFKA-6683).
	ZooProducerStateBeforeAppend Name = "zoo/36-producer-state-before-append"
	// ZooLateEndTxn: an EndTxn with the epoch of the transaction before ends the one that is
	// ongoing (KAFKA-17754).
	ZooLateEndTxn Name = "zoo/38-late-end-txn"
	// ZooVerificationRacesAppend: a verified batch is appended even if its transaction
	// ended in the meantime (KAFKA-14884).
	ZooVerificationRacesAppend Name = "zoo/39-verification-races-append"
	// ZooMarkerRemovedByKeyOnly: markers that a coordinator of an earlier epoch has sent
	// take those of this epoch for the same transactional id out of the queue (KAFKA-16352).
	ZooMarkerRemovedByKeyOnly Name = "zoo/42-marker-removed-by-key-only"
	// ZooTransactionBeginInMemory: partitions are added to a transaction without a
	// record of it (Redpanda 6018).
	ZooTransactionBeginInMemory Name = "zoo/45-transaction-begin-in-memory"
	// ZooTransactionDoneEarly: a transaction is answered as done while its offsets are
	// not yet what OffsetFetch answers (KAFKA-17507).
	ZooTransactionDoneEarly Name = "zoo/46-transaction-done-before-offsets-visible"
	// ZooEpochOverflow: producer epochs are counted past their end, below zero
	// (KAFKA-19367). TxnFirstEpoch makes that happen soon.
	ZooEpochOverflow Name = "zoo/47-epoch-overflow"
	// ZooPartialCleaning: when the memory for keys is full in the middle of a segment, the
	// rest of the segment loses its part of the index of aborted transactions (KAFKA-13727).
	ZooPartialCleaning Name = "zoo/48-partial-cleaning-drops-aborted-index"
	// ZooCleaningAboveHighWatermark: the log is compacted up to its active segment, whether
	// that is replicated or not (KAFKA-13194).
	ZooCleaningAboveHighWatermark Name = "zoo/50-cleaning-above-high-watermark"
	// ZooPartitionEpochLost: a partition that is given back to the member that was giving it
	// up counts as free, so that another member may get it as well (KAFKA-16147).
	ZooPartitionEpochLost Name = "zoo/56-partition-epoch-lost"
	// ZooStaticMemberNotFenced: requests of a static member's earlier process are taken
	// for those of the one that replaced it (KIP-345).
	ZooStaticMemberNotFenced Name = "zoo/58-static-member-not-fenced"
	// ZooOffsetsExpireInRebalance: offsets expire while their group rebalances, by what its
	// members subscribed to before (KAFKA-13636).
	ZooOffsetsExpireInRebalance Name = "zoo/60-offsets-expire-in-rebalance"
)

var all = []Name{
	StorageAppend, StorageSync, StorageRoll,
	ReplicaAlterPartitionLost, ReplicaFetchDropped,
	RaftPersist, RaftFetchDropped, TxnFirstEpoch, BrokerValidateOffLoop,
	ZooTruncateToHighWatermark, ZooUnfencedReplicaFetch, ZooZombieController, ZooFencedReplicaJoins,
	ZooLastReplicaStanding, ZooLatestBeforeEpochStart, ZooPositionWithoutEpoch, ZooVoteBeforeDurable,
	ZooDuplicateOutOfOrder, ZooProducerStateBeforeAppend, ZooVerificationRacesAppend,
	ZooLateEndTxn, ZooMarkerRemovedByKeyOnly, ZooTransactionBeginInMemory, ZooEpochOverflow,
	ZooPartialCleaning, ZooCleaningAboveHighWatermark,
	ZooTransactionDoneEarly, ZooPartitionEpochLost, ZooStaticMemberNotFenced, ZooOffsetsExpireInRebalance,
}

// All lists the names of all points, sorted.
func All() []Name {
	names := slices.Clone(all)
	slices.Sort(names)
	return names
}

var term = regexp.MustCompile(`^(\d+\*)?(off|return(\(("[^"]*"|\d+|true|false)?\))?)$`)

func checkTerms(terms string) error {
	for t := range strings.SplitSeq(terms, "->") {
		if !term.MatchString(t) {
			return fmt.Errorf("term %q: want N*return(value) or N*off, joined by ->", t)
		}
	}
	return nil
}
