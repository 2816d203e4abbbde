// Package workloads holds scripted users of a cluster: what they do, and the
// recording of what happened to them into a history that checkers judge. They run in
// both worlds, against any broker that speaks Kafka's protocol.
//
// A [Workload] is made of phases. Whoever runs it (the simulation's harness, a test,
// the command line)
//
//  1. runs Setup as a task, with the cluster healthy;
//  2. runs each of Users as a task, on a host of its own or all on one, while it
//     injects faults;
//  3. heals the cluster, tells the users to stop ([Site.Stopping]), and waits until
//     their tasks have ended;
//  4. runs Final as a task on a fresh host: it reads every partition from beginning to
//     end.
//
// All users of a run share one [Recorder], so they must share one loop (every
// simulated host does). Each user has its own client, named as the process in the
// history.
//
// Workloads, each in a file of its name:
//
//	append-read       producers with all settings of acks, consumers by assignment
//	group-churn       members join, leave, crash and pause while they read
//	queue-and-pubsub  one group shares the records, or several get all of them
//	registers         committed offsets, configs and producer epochs as registers
//	exactly-once      consume, transform and produce in transactions (worker.go)
//	compacted-table   keys are put and deleted; readers rebuild the table
//	scale-out         brokers join, are restarted, and leave under load (operator.go)
//
// What they are made of: feed.go and producing.go (topics of unique values and who writes
// them), consuming.go, crew.go and overseeing.go (members of groups, and who looks after
// them), churn.go, final.go. What ties clients to a history: recording.go,
// membership.go, transacting.go, administering.go.
//
// A workload that is to be judged by more than the run's configuration says so ([Promising]):
// which topics are compacted, which job is exactly once.
//
// Imports broker/env, broker/wire, checker/history and workloads/client. Start at
// workload.go.
//
// Rejected: judging here. A workload that knew what is right would hide what it
// forgot; it only records. (That a group does not become stable, or a rolling restart does
// not end, is no event of a history: such a [Finding] is the workload's.)
package workloads
