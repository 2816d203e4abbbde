package client

import (
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/group"
	"odradek/workloads/client/txn"
)

// Listener hears of changes of a member's assignment. It is called within Poll, Leave or
// Unsubscribe, on their task, and may take its time (heartbeats go on, and
// max.poll.interval.ms runs) and use the consumer, except for Poll, Leave and Close.
type Listener interface {
	// OnAssigned is called after partitions were added and before anything of them is
	// read. Where it does not seek, reading begins at the committed offset, or as the
	// reset policy says.
	OnAssigned(t *env.Task, tps []wire.TopicPartition)
	// OnRevoked is called before partitions are given up: what was processed can still
	// be committed.
	OnRevoked(t *env.Task, tps []wire.TopicPartition)
	// OnLost is called before partitions are dropped that may have another owner
	// already, so that it is too late to commit.
	OnLost(t *env.Task, tps []wire.TopicPartition)
}

// NopListener hears nothing; embed it to implement only some methods.
type NopListener struct{}

func (NopListener) OnAssigned(*env.Task, []wire.TopicPartition) {}
func (NopListener) OnRevoked(*env.Task, []wire.TopicPartition)  {}
func (NopListener) OnLost(*env.Task, []wire.TopicPartition)     {}

// GroupConsumer is a member of a consumer group.
type GroupConsumer struct {
	net *network
}

// NewGroupConsumer makes a member of a group. l may be nil.
func (c *Client) NewGroupConsumer(cfg consumer.Config, g group.Config, l Listener) *GroupConsumer {
	panic("not yet")
}

// Subscribe replaces the topics. The member joins with the next Poll.
func (g *GroupConsumer) Subscribe(topics ...string) { panic("not yet") }

// Poll takes part in rebalances, then waits at most maxWait for records or events and
// returns what is there, in log order within a partition. It takes longer where the
// listener does, or an automatic commit before partitions are given up. The assignment
// changes only within Poll and Leave. The error is that of a membership that has failed
// for good.
func (g *GroupConsumer) Poll(t *env.Task, maxWait time.Duration) ([]consumer.Record, []consumer.Event, error) {
	panic("not yet")
}

// Commit commits offsets, as the member that the consumer is at the moment, and waits for
// the result.
func (g *GroupConsumer) Commit(t *env.Task, offsets group.Offsets) group.Commit { panic("not yet") }

// CommitAsync commits offsets with a single attempt; done gets the result on a later turn
// of the loop.
func (g *GroupConsumer) CommitAsync(offsets group.Offsets, done func(group.Commit)) group.CommitID {
	panic("not yet")
}

// Consumed are the positions after what Poll has returned so far, of all partitions that
// have one: what Commit takes once that is processed.
func (g *GroupConsumer) Consumed() group.Offsets { panic("not yet") }

// Committed reads the group's committed offsets.
func (g *GroupConsumer) Committed(t *env.Task, tps []wire.TopicPartition) (group.Offsets, error) {
	panic("not yet")
}

// Metadata is what a transactional producer needs to send offsets on behalf of this
// member.
func (g *GroupConsumer) Metadata() txn.Group { panic("not yet") }

// Assignment lists the partitions held, sorted.
func (g *GroupConsumer) Assignment() []wire.TopicPartition { panic("not yet") }

// Freeze stops the member as a long pause of its process does: it sends nothing and learns
// nothing, and operations under way wait, while time passes. What it believed it still
// believes after Thaw.
func (g *GroupConsumer) Freeze() { panic("not yet") }

// Thaw lets a frozen member go on.
func (g *GroupConsumer) Thaw() { panic("not yet") }

// Leave commits if that is automatic, gives up all partitions, leaves the group and closes
// the consumer. It gives up after Config.Timeout.
func (g *GroupConsumer) Leave(t *env.Task) error { panic("not yet") }

// Close ends the consumer as a crash does: it does not leave the group, nobody hears of
// anything, and pending operations end with group.ErrClosed.
func (g *GroupConsumer) Close() { panic("not yet") }

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
