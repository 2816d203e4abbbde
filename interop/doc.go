// Package interop runs unmodified Kafka clients, and Kafka's own log tool, against
// the built broker. It is a Go module of its own, so that the clients' dependencies
// and the minutes that this takes stay out of the broker's.
//
// It has only tests. They build ../cmd/odradek (or take the binary that
// ODRADEK_BIN names), run it on loopback, and let each client list, create, produce
// and consume; what it wrote is read back by itself and by franz-go, and the other
// way round.
//
// Start reading at suite_test.go (what every client must be able to do), then
// restart_test.go (the same while nodes are killed), job_test.go (groups and transactions
// while coordinators are killed, and diary_test.go, which takes down what members tell),
// dumplog_test.go and coordinatorfiles_test.go (Kafka reads our files), tools_test.go
// (Kafka's commands) and one of the files with a client's name. Clients that are not Go are
// small programs under clients/, which speak the line protocol of
// program_test.go. What they need is installed by the script setup; without it,
// their tests are skipped.
//
// It imports the clients, the standard library, and of the broker's module only
// checker/history and the ids of broker/wire that it speaks of: what it knows of the broker is
// what a user knows.
//
// # Rejected
//
// Containers: the clients' runtimes are installed into a folder instead, so that
// nothing but those runtimes is needed. The clients' own test suites: they test
// the clients against one broker's quirks, and need ACLs and TLS to start. A checker of its
// own for groups and transactions: the one that judges simulated runs also judges what
// real clients tell, and whatever it is wrong about shows in both.
package interop
