package fetchsession

import "odradek/broker/wire"

// Key names a partition in a session: TopicID with an empty Topic from Fetch version
// 13 on, Topic with a zero TopicID before.
type Key struct {
	TopicID   wire.UUID
	Topic     string
	Partition int32
}

// Partition is what a client asks of one partition.
type Partition struct {
	Key
	FetchOffset        wire.Offset
	CurrentLeaderEpoch wire.LeaderEpoch
	LastFetchedEpoch   wire.LeaderEpoch
	// LogStart is the follower's log start, NoOffset for consumers.
	LogStart wire.Offset
	MaxBytes int32
}

// Epochs of sessions. Those above NewSession count the requests of a session.
const (
	// NewSession asks for a session; any session that it names is closed first.
	NewSession int32 = 0
	// NoSession asks for none, and closes the one that it names.
	NoSession int32 = -1
)

// nextEpoch follows a request's epoch; it wraps around to 1.
func nextEpoch(epoch int32) int32 {
	if epoch == 1<<31-1 {
		return 1
	}
	return epoch + 1
}
