// Package replica decides how one partition is replicated.
//
// A [Leader] exists for one leader epoch of one partition: it judges fetches,
// raises the high watermark, keeps the in-sync replicas (ISR) and says when an
// acks=all produce is done. A [Follower] is the partition's half of the fetcher:
// what to ask the leader next and what an answer means for the local log. Both
// are pure: values and now in, values out. The shell owns the log, the network
// and the timers.
//
// # Duties of the shell
//
//   - Give every input with the node's monotonic time in nanoseconds, and call
//     Tick no later than Deadline.
//   - Carry out what an output says before the next input of that partition that
//     depends on it, and report storage work by the matching On method.
//   - Make a new Leader for every leader epoch, also when the same broker leads
//     again, from the log end that storage reports once all its writes are done.
//   - Forget the fetch session when a response was not used
//     ([FollowerStep.ForgetSession]): the leader believes that it was.
//
// # Sources
//
// KIP-101, 279, 320 and 595 (truncation by epoch), KIP-207 (latest offset after
// an election), KIP-497 (AlterPartition, maximal ISR), KIP-841 (fenced replicas
// stay out of the ISR), KIP-903 (broker epochs against zombies), KIP-966 (no
// high watermark below the minimum ISR).
//
// # Imports
//
// wire, failpoint, kerr. Start at leader.go and follower.go; testdata tells
// each KIP's story as a transcript.
//
// # Rejected
//
// One type for both roles, with an epoch and a mode: every method would begin by
// asking which one it is. Reading log ends through an interface of the log: an
// append in flight would be visible to one decision and not to the next, so ends
// are inputs. Asking the leader by OffsetForLeaderEpoch before the first fetch
// (KIP-101): since Fetch version 12 the fetch itself carries the last fetched
// epoch, so there is no window between asking and fetching.
package replica
