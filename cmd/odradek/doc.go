// Command odradek runs the broker, in a simulation or for real, and talks to it.
//
// Exit codes: 0 fine, 1 a finding (a violated guarantee), 2 wrong usage or a problem of
// the environment.
//
// # Files
//
//   - main.go: the command tree and the exit codes.
//   - run.go, hunt.go, repeat.go: the simulation; report.go tells people what came of it.
//   - serve.go, serve_config.go, server.go: the broker on TCP and files.
//   - bench.go and what continues it: measuring brokers; bench_targets.go says which.
//   - topic.go, produce.go, consume.go, group.go, txn.go, reassign.go, broker.go, config.go,
//     feature.go and what continues them: the console, an ordinary Kafka client (client.go)
//     that works against any Kafka cluster; list.go prints what they show.
//
// # Imports
//
// Anything in the module; cobra, franz-go (kgo, kadm) and golang.org/x/term.
//
// # Rejected
//
// A console built on workloads/client: talking to the broker through somebody else's
// client is worth more as a check.
package main
