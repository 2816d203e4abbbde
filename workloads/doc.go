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
// Workloads: append-read (append_read.go). Its parts: producing.go, consuming.go,
// churn.go, final.go; recording.go ties a client to a history.
//
// Imports broker/env, broker/wire, checker/history and workloads/client. Start at
// workload.go.
//
// Rejected: judging here. A workload that knew what is right would hide what it
// forgot; it only records.
package workloads
