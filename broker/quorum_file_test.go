package broker

import (
	"testing"

	"odradek/broker/raft"
)

// Kafka's own reader (FileQuorumStateStore) refuses version 1 without any of these.
func TestQuorumStateFileIsKafkas(t *testing.T) {
	got, err := formatQuorumState(raft.QuorumState{LeaderID: 3, LeaderEpoch: 7, VotedID: 2})
	const want = `{"leaderId":3,"leaderEpoch":7,"votedId":2,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}
