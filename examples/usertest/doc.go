// Package usertest shows how a module outside of Odradek tests its own idea of what a
// Kafka cluster promises, under simulated faults: ledger.go has a workload,
// ledger_test.go runs it.
//
//	go test .                            a few seeds
//	go test . -odradek.for 1m            as many as fit into a minute
//	go test . -odradek.seed 7            one, and everything about it
package usertest
