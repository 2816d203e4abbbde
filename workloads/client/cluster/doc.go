// Package cluster is a client's view of the cluster: brokers and their
// addresses, topics by name and id, leaders and their epochs, the controller;
// and the policy of when to ask for a newer view.
//
// It is a pure core: responses and now (nanoseconds of a monotonic clock) in,
// requests and a Deadline out. Leader epochs make views comparable: a response
// that names an older leader epoch than one already seen is stale in that
// partition and ignored there (KIP-320), unless the topic was re-created, which
// its id shows (KIP-516).
//
// Imports broker/wire, kmsg and workloads/client/attempt. Start at metadata.go.
//
// Rejected: one view shared by all producers and consumers of a process. Each
// Java client has its own, and sharing would let one user's refresh hide a bug
// in another's.
package cluster
