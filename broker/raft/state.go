package raft

import (
	"fmt"
	"math"
	"slices"

	"odradek/broker/wire"
)

// The states of a node and every legal transition, with its trigger.
//
// Unattached (epoch known, leader unknown; may have voted) goes to
//   - Unattached: learned of a higher epoch without its leader, or gave a vote
//   - Prospective: election time-out (voters)
//   - Follower: learned who leads this or a higher epoch
//
// Prospective (asks for pre-votes; changes nothing durable) goes to
//   - Unattached: learned of a higher epoch without its leader; or lost the
//     pre-vote, or had no answer in time, and knows no leader
//   - Candidate: a majority would vote for it
//   - Follower: learned who leads; or lost the pre-vote, had no answer in time or
//     heard BeginQuorumEpoch, and goes back to the leader it knew
//
// Candidate (voted for itself in a new epoch) goes to
//   - Unattached: learned of a higher epoch without its leader
//   - Prospective: election time-out, whether or not the election is lost already
//   - Follower: another node won this or a higher epoch
//   - Leader: a majority, its own durable vote included, voted for it
//
// Leader goes to
//   - Unattached: learned of a higher epoch without its leader
//   - Follower: learned who leads a higher epoch
//   - Resigned: was told to, or heard no fetch of a majority for too long
//
// Follower goes to
//   - Unattached: learned of a higher epoch without its leader
//   - Prospective: fetch time-out (voters), cut short by EndQuorumEpoch
//   - Follower: learned who leads a higher epoch
//
// Resigned (led this epoch, before a restart or until it resigned, and never
// leads it again) goes to
//   - Unattached: learned of a higher epoch without its leader; or election
//     time-out, into the next epoch, so that nobody takes it for the leader
//   - Follower: learned who leads a higher epoch
//
// Observers are Unattached or Follower only. A node starts as Resigned if its
// quorum state says that it leads, as Follower if another node does, and as
// Unattached otherwise, even if it was a candidate: it does not remember who
// voted for it.

// StateKind names a state.
type StateKind uint8

const (
	Unattached StateKind = iota
	Prospective
	Candidate
	Leader
	Follower
	Resigned
	numStates
)

var stateNames = [numStates]string{"Unattached", "Prospective", "Candidate", "Leader", "Follower", "Resigned"}

func (k StateKind) String() string { return stateNames[k] }

// legal has the bit of each state that may follow.
var legal = [numStates]uint8{
	Unattached:  1<<Unattached | 1<<Prospective | 1<<Follower,
	Prospective: 1<<Unattached | 1<<Candidate | 1<<Follower,
	Candidate:   1<<Unattached | 1<<Prospective | 1<<Follower | 1<<Leader,
	Leader:      1<<Unattached | 1<<Follower | 1<<Resigned,
	Follower:    1<<Unattached | 1<<Prospective | 1<<Follower,
	Resigned:    1<<Unattached | 1<<Follower,
}

const never = math.MaxInt64

// state is one of the six structs below: what a node remembers only while it is in
// that state. Epoch, leader and vote are in Raft.quorum.
type state interface {
	kind() StateKind
	// deadline is when the state changes by itself.
	deadline() int64
}

type unattached struct {
	electionDeadline int64 // never for an observer
}

type prospective struct {
	election
}

type candidate struct {
	election
}

// election counts answers to Vote requests.
type election struct {
	electionDeadline int64
	granted          []wire.NodeID // including this node once its own vote is durable
	rejected         []wire.NodeID
	majority         int
	voters           int
}

type leader struct {
	epochStart wire.Offset // of the LeaderChange record
	ready      bool        // that record is committed
	granting   []wire.NodeID
	voters     []replica // the other voters, in order of id
	observers  []replica // in order of id
	parked     []parkedFetch
	majority   int
	// quorumTimeout is how long the leader leads without fetches of a majority.
	quorumTimeout int64
	// beginDeadline is when voters that have not fetched for beginInterval are told
	// (again) who leads.
	beginDeadline, beginInterval int64
}

type follower struct {
	timeout       int64 // from one sign of life of the leader to fetchDeadline
	fetchDeadline int64
	// lost: the fetch time-out of an observer has passed, so it asks any voter.
	lost bool
	// heard: the leader has answered a fetch, so pre-votes are refused.
	heard bool
	// ended: the leader has resigned, so they are granted after all.
	ended    bool
	download *download
}

type resigned struct {
	electionDeadline int64
	unacked          []wire.NodeID // voters yet to hear of it
	successors       []wire.NodeID
}

func (*unattached) kind() StateKind  { return Unattached }
func (*prospective) kind() StateKind { return Prospective }
func (*candidate) kind() StateKind   { return Candidate }
func (*leader) kind() StateKind      { return Leader }
func (*follower) kind() StateKind    { return Follower }
func (*resigned) kind() StateKind    { return Resigned }

func (s *unattached) deadline() int64 { return s.electionDeadline }
func (s *election) deadline() int64   { return s.electionDeadline }
func (s *follower) deadline() int64   { return s.fetchDeadline }
func (s *resigned) deadline() int64   { return s.electionDeadline }
func (s *leader) deadline() int64 {
	d := min(s.quorumDeadline(), s.beginDeadline)
	for i := range s.parked {
		d = min(d, s.parked[i].until)
	}
	return d
}

// record notes an answer; a voter's first one stands.
func (s *election) record(voter wire.NodeID, granted bool) {
	switch {
	case slices.Contains(s.granted, voter) || slices.Contains(s.rejected, voter):
	case granted:
		s.granted = append(s.granted, voter)
	default:
		s.rejected = append(s.rejected, voter)
	}
}

func (s *election) won() bool { return len(s.granted) >= s.majority }

func (s *election) lost() bool { return s.voters-len(s.rejected) < s.majority }

func (s *election) answered(voter wire.NodeID) bool {
	return slices.Contains(s.granted, voter) || slices.Contains(s.rejected, voter)
}

// check panics if what only a bug can make false is false.
func check(ok bool, format string, args ...any) {
	if !ok {
		panic("raft: " + fmt.Sprintf(format, args...))
	}
}
