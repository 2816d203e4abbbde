// Package raft decides for the metadata quorum, in the style of KIP-595: Raft in
// which followers fetch, and the log is a partition log like any other. Votes,
// pre-votes (KIP-996), BeginQuorumEpoch, EndQuorumEpoch, Fetch with diverging epochs
// and FetchSnapshot (KIP-630) are Kafka's; the set of voters is static, brokers
// that are not in it observe.
//
// [Raft] is pure: inputs with a time go in, a list of effects comes out of
// [Raft.Take]. It does no I/O and owns no timer; [Raft.Deadline] says when to call
// [Raft.Tick]. The log belongs to the shell. The decider keeps of it what it needs
// to decide: where it starts and ends, what is readable, what is durable, where
// each epoch begins, and which snapshots there are.
//
// # The caller's duties
//
// After every input, Take the effects and execute them in order, before the next
// input. "Execute" means start, in that order; the disk may finish later, and only
// what is named here has to be finished or reported:
//
//   - [Persist] is atomic (a new file, synced, renamed, directory synced) and is
//     reported with [Raft.Persisted] once durable. The decider itself holds back
//     every message that another node may only see after that, and lets it out as
//     an effect of Persisted. If it fails, the node must stop: what it promised is
//     unknown.
//   - [AppendLeaderChange], [AppendFetched], [TruncateTo], [DeleteLogPrefix] and the
//     batches of [Raft.Append] change one log and take effect on it in this order,
//     as do InstallSnapshot's second step and what follows it. Every append is
//     reported with [Raft.Flushed], up to its end and not beyond, once it is
//     durable; [Raft.Written] may come before, when it can be read, and lets
//     followers fetch it while the local sync is under way. Truncations need no
//     report. If a sync fails, the node must stop. An observer does not count for
//     anything, so its shell may report Flushed when it has written.
//   - [AdvanceHighWatermark] never runs ahead of what is readable here.
//   - [ReadLog] and [ReadSnapshot] read when they are executed, not later. If
//     [Raft.LeaderAndEpoch] has changed by the time that the bytes are there, or the
//     bytes are not, the shell answers NOT_LEADER_OR_FOLLOWER in place of them.
//   - [SendRequest] names a voter. The answer comes back with [Raft.Response] and the
//     same [RequestID], or [Raft.RequestFailed] says that none will. An answer to a
//     request of a previous start of the node must not arrive: connections die with
//     the process. The shell checks the checksums of FetchResponse.Records and
//     describes them in Batches; if they are damaged it calls RequestFailed.
//   - The shell checks cluster id, topic and partition of requests and answers
//     INCONSISTENT_CLUSTER_ID and the like itself.
//   - [StartSnapshot], [WriteSnapshot] and [AbortSnapshot] use one temporary file.
//     [InstallSnapshot] first makes it durable under its final name, then empties
//     the log and lets it start there, then reports [Raft.SnapshotInstalled]. When a
//     crash comes in between, [New] decides the effect again.
//   - [DeleteLogPrefix] comes before the [DeleteSnapshot] of the snapshots below it.
//   - [LeaderChanged] and [LeaderReady] go to the controller: it leads from
//     LeaderReady, once everything up to the high watermark is replayed, until the
//     next LeaderChanged. Work of an ended leadership that is still under way must
//     fail; Append refuses it by its epoch.
//   - [Halt]: stop the node, delete nothing, tell people.
//
// On start the shell recovers its log and syncs it, reads the quorum state and the
// names of complete snapshots, and calls New. What New is told is durable must be:
// a log that was only in the page cache would be counted twice, once before and
// once after the power failed. Of the state machine the shell loads the latest
// snapshot when AdvanceHighWatermark names its end or InstallSnapshot itself.
//
// A shell in outline; a runnable one is in shell_test.go:
//
//	func (s *shell) input(f func(now int64, r *raft.Raft)) {
//		f(s.now(), s.raft)
//		for _, e := range s.raft.Take() {
//			switch e := e.(type) {
//			case raft.Persist:
//				s.file.Replace(e.State, func(err error) {
//					s.stopOn(err)
//					s.input(func(now int64, r *raft.Raft) { r.Persisted(now, e.Seq) })
//				})
//			case raft.AppendFetched:
//				s.log.AppendAndSync(e.Records, func(end wire.Offset, err error) {
//					s.stopOn(err)
//					s.input(func(now int64, r *raft.Raft) { r.Flushed(now, end) })
//				})
//			...
//			}
//		}
//		s.timer.Reset(s.raft.Deadline())
//	}
//
// # Where to start
//
// state.go lists the states and every legal transition; transition.go makes them.
// raft.go has the inputs. Each RPC has its handle_ file, with both its sides;
// leader.go and follower.go hold what is between them: what is committed, what to
// fetch next. output.go holds back what must not be seen yet. testdata has whole
// clusters as transcripts; read election, divergence and figure_8 first.
//
// # Imports
//
// Only the standard library, broker/wire and broker/failpoint.
//
// # Rejected
//
// go.etcd.io/raft: it pushes entries and owns its log format, where here the
// metadata log shares storage, epochs and truncation with the partitions and its
// RPCs are in the Kafka protocol; its election time-outs come from a process global.
//
// Letting the shell wait for durability before it sends: the rule would live
// outside what transcripts and schedules test. A purgatory in the shell for waiting
// fetches: who is answered when is a decision.
//
// Going on as candidate after a restart, as Kafka does: the votes are forgotten,
// and an epoch costs nothing.
//
// Comparing a snapshot's epoch with the log's before fetching it, as Kafka does when
// it truncates to the snapshot: records that were never committed can be of a later
// epoch than it, and the node would never catch up.
package raft
