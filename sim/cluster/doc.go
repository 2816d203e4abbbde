// Package cluster builds simulated machines, and clusters out of them. A [Host] is
// a machine: disk, network interface, clock and a cost model of its processor,
// which all outlive the process that runs on it, and env.Env for each of its
// lives.
//
// # Imports
//
// sim, sim/disk, netsim and broker. Start reading at host.go.
//
// # Rejected
//
// Letting a rebooted process keep its env.Env: callbacks of two lives would meet.
package cluster
