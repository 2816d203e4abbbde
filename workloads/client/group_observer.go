package client

import (
	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/group"
)

// GroupEvent is what happened to a member of a group.
type GroupEvent uint8

const (
	// GroupJoined: a new generation or member epoch.
	GroupJoined GroupEvent = iota
	// GroupAssigned: Partitions were added, before the listener hears of it.
	GroupAssigned
	// GroupRevoked: Partitions were given up, after the listener has heard of it and
	// before the coordinator does.
	GroupRevoked
	// GroupLost: Partitions were dropped because the member was fenced or has left.
	GroupLost
	// GroupFenced: the coordinator does not count the member in any more; Err.
	GroupFenced
	// GroupLeft: the member left by itself.
	GroupLeft
	// GroupFailed: the membership is of no more use; Err.
	GroupFailed
	// CommitInvoked and CommitReturned are the call and the return of a commit.
	CommitInvoked
	CommitReturned
)

func (e GroupEvent) String() string {
	return [...]string{
		"joined", "assigned", "revoked", "lost", "fenced", "left", "failed", "commit-invoked", "commit-returned",
	}[e]
}

// GroupInfo describes an event of a member of a group.
type GroupInfo struct {
	ClientID string
	Event    GroupEvent
	At       env.Time
	Protocol group.Protocol
	group.Member
	// Partitions that came or went. Owned is all that is held after the event. Not to
	// be modified.
	Partitions, Owned []wire.TopicPartition
	// Commit of CommitInvoked (only ID and Offsets) and CommitReturned. Not to be
	// modified.
	Commit *group.Commit
	// Auto: the consumer commits by itself.
	Auto bool
	// Err of GroupFenced and GroupFailed.
	Err error
}

// observe tells the observer.
func (g *GroupConsumer) observe(info GroupInfo) {
	o := g.net.cfg.Observer
	if o == nil {
		return
	}
	info.ClientID, info.At, info.Protocol = g.net.cfg.ClientID, g.net.env.Clock.Now(), g.cfg.Protocol
	o.Group(info)
}

// observeMembership passes on what has happened to the membership.
func (g *GroupConsumer) observeMembership() {
	for _, e := range g.member.Events() {
		event := [...]GroupEvent{
			group.Joined: GroupJoined, group.Fenced: GroupFenced, group.Left: GroupLeft, group.Failed: GroupFailed,
		}[e.Kind]
		g.observe(GroupInfo{Event: event, Member: e.Member, Owned: g.member.Owned(), Err: e.Err})
	}
}
