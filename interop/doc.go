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
// restart_test.go (the same while nodes are killed), dumplog_test.go (Kafka reads our
// files) and one of the files with a client's name. Clients that are not Go are
// small programs under clients/, which speak the line protocol of
// program_test.go. What they need is installed by the script setup; without it,
// their tests are skipped.
//
// It imports the clients and the standard library, nothing of the broker: what
// it knows of the broker is what a user knows.
//
// # Rejected
//
// Containers: the clients' runtimes are installed into a folder instead, so that
// nothing but those runtimes is needed. The clients' own test suites: they test
// the clients against one broker's quirks, and need groups, ACLs and TLS to start.
package interop
