// Package realtest runs the odradek binary as its users do, with real clients: a process
// to start, stop and kill, a torture of kill -9 that judges itself, and tests.
//
// The tests build the binary once and need nothing but Go (kcat's is skipped where there
// is no kcat). internal/kill9 runs the torture at length.
//
// # Imports
//
// franz-go (kgo, kadm) and the standard library; nothing of the module, so that only the
// binary's promises are tested. Start reading at process.go.
//
// # Rejected
//
// Nodes inside the test process alone: a kill -9 that is only played keeps what a real one
// loses. Tests inside the process are beside the code that they test, in cmd/odradek.
package realtest
