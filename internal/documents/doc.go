// Package documents holds the tests that keep docs/ true where it repeats what the source
// says: parameters of workloads, and names of findings. (The table of APIs is held to a
// running node, in package broker.)
//
// It has no code. It imports workloads, and reads the rest as text. Start at
// documents_test.go.
//
// # Rejected
//
// Making the documents out of the source: what a parameter means to a reader, and what is
// legal because of it, is in no table of the source.
package documents
