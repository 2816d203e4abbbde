// Package assignor has the server-side assignors of consumer groups (KIP-848): who gets
// which partitions. They are pure functions of members, their subscriptions, and what
// they were assigned before; they neither know of epochs nor of who still has what.
//
//   - [Uniform] balances the number of partitions and moves as few as that takes.
//   - [Range] gives each member a contiguous range of every topic, so that topics with the
//     same number of partitions and subscribers are assigned alike (co-partitioning).
//
// # Imports
//
// wire. Start at assignor.go.
//
// # Rejected
//
// Kafka's heuristic for members with different subscriptions, which moves one partition
// at a time between two members and stops at its first local optimum: where A may take
// from B and B from C, but A not from C, it leaves C with too many. Moving along the
// shortest path of such steps is as short to write and ends at the best balance there is.
// Racks (KIP-1101): replicas are not read from the nearest broker here.
package assignor
