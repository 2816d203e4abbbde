// Package group is the pure core of a consumer group's member: the script's polls and
// commits in; requests to the group's coordinator out; answers in; changes of the
// assignment, results of commits and events out. It does no I/O and has no timers (see
// [Core.Deadline]). Reading records is package consumer's: the two meet in the shell.
//
// There are two protocols, with the Java client's behaviour:
//
//	Classic    JoinGroup, SyncGroup, Heartbeat, LeaveGroup. One member leads and divides the
//	           partitions: range, roundrobin, sticky, cooperative-sticky. States: classic.go.
//	Consumer   ConsumerGroupHeartbeat (KIP-848). The coordinator divides. States: consumer.go.
//
// # Changes
//
// The assignment changes only when the script has heard of it. A [Change] waits until the
// script polls; while it is being told (which may take long, and may commit), heartbeats
// go on; and only after Changed does the coordinator hear that partitions were given up.
// So a member that is revoked can commit before anybody else begins, and one that is
// fenced meanwhile loses the rest after that.
//
//	Revoke   the member is in the group: commits are still taken
//	Lose     it is not any more: somebody else may already read
//	Assign   partitions, maybe none, are added; they are owned from the telling on
//
// # Commits
//
// A commit is sent as the member that this is at the time of each attempt. Its outcome is
// put together from all attempts: an answer that was lost leaves it unknown, whatever
// came later, unless that was OK (see package attempt). Once, Retry and Insist are Java's
// commitAsync, commitSync and the automatic commit before partitions are given up.
//
// # Imports
//
// kmsg, kerr, broker/wire and workloads/client/{attempt,cluster,coordinator}.
//
// # Where to start
//
// core.go, with the caller's duties; then classic.go or consumer.go; commit.go and fetch.go
// for offsets; assignor.go for how partitions are divided.
//
// # Deviations from Java
//
// An automatic commit before a revocation holds up the poll until it has ended, instead of
// letting polls return empty. A subscription tells the generation that its partitions are
// from, not that of the latest join, which may never have brought an assignment. Of what
// comes after a revocation the newest target decides, so that a member never takes what
// the coordinator has withdrawn meanwhile. Not there: subscriptions by pattern, the
// assignors' rack awareness, and committing without being a member (the admin client does).
//
// # Rejected
//
// One state machine for both protocols: they have the telling of changes, commits and the
// coordinator in common (core.go), and no state.
//
// Joining in the background, without the script's polls, as KIP-848's Java consumer does:
// callbacks wait for a poll there too, and one rule for both is easier to test.
package group
