// Package broker is the node: the shell that turns the decisions of the pure
// packages (raft, controller, replica, fetchsession, purgatory) into effects on
// the world behind env.Env.
//
// A [Node] is one event loop. Every method and callback of this package runs on
// it, so there are no locks; what must wait runs in an env.Task. The life of a
// request is conn.go (frames, order of responses) -> dispatch.go (decode, find
// the handler) -> handle_*.go (one file per API, whose header says which
// versions and where it deviates from Kafka) -> partition.go, quorum.go or
// control.go -> purgatory -> conn.go.
//
// Files by role:
//
//	node.go        start, stop, failure
//	conn.go        a client's connection
//	dispatch.go    the table of handlers
//	peer.go        connections to other nodes
//	quorum.go      the metadata log: raft's shell
//	control.go     the active controller's shell, and forwarding to it
//	lifecycle.go   registration, heartbeats, controlled shutdown of a broker
//	replicas.go    the partitions this broker holds, following the metadata
//	partition.go   one of them: its log and its leader or follower
//	fetcher.go     fetching from leaders
//	alterisr.go    AlterPartition requests to the controller
//
// It imports everything under broker/ but realenv, and nothing else of the
// project. No code here may know which world it runs in.
package broker
