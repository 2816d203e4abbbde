// Package clienttest is what the tests of clients and workloads run against: a small
// world in virtual time ([World]) and a scripted Kafka cluster in it ([Cluster]).
//
// The cluster answers real protocol bytes but is no broker: all its nodes share one
// log per partition, there is no replication, and what goes wrong is up to the test,
// which can refuse, delay, swallow or cut off any request ([Fault]), move leaders,
// and truncate logs. It knows producer ids and transactions in both protocols
// (producers.go, transactions.go), with markers that are there at once, and groups in both
// protocols (groups.go), with members but no rebalance delays. It is the known quantity by
// which the client is tested before the client tests the broker.
//
// Imports broker/env, broker/wire, kmsg and kerr. Start at world.go and cluster.go.
//
// Rejected: using sim and netsim. The client's tests would then fail for the
// simulator's faults and could not come before it.
package clienttest
