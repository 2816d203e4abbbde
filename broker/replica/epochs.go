package replica

import "odradek/broker/wire"

// EpochCache is what replication needs to know of the leader epochs in the
// local log. storage.Log is one.
type EpochCache interface {
	// LatestEpoch is the largest epoch in the log, or NoLeaderEpoch.
	LatestEpoch() wire.LeaderEpoch
	// EndOffsetForEpoch returns the largest epoch <= epoch in the log and the
	// offset after its last record, which is the start of the next larger epoch
	// or the log end (KIP-279). If every epoch in the log is larger, it returns
	// (epoch, start of the first one); if the log knows none as large,
	// (NoLeaderEpoch, NoOffset).
	EndOffsetForEpoch(epoch wire.LeaderEpoch) (wire.LeaderEpoch, wire.Offset)
}

// EpochEnd is an epoch and the offset after its last record. Epoch is
// NoLeaderEpoch where there is none.
type EpochEnd struct {
	Epoch wire.LeaderEpoch
	End   wire.Offset
}

// NoEpochEnd is the absent EpochEnd.
var NoEpochEnd = EpochEnd{Epoch: wire.NoLeaderEpoch, End: wire.NoOffset}
