// Package broker is the node: the shell that turns the decisions of the pure
// packages (raft, controller, replica, coordinator, fetchsession) into effects on the world behind
// env.Env.
//
// A [Node] is one event loop. Every method and callback of this package runs on
// it, so there are no locks; what must wait runs in an env.Task. The life of a
// request is conn.go (frames, order of responses) -> dispatch.go (decode, find
// the handler) -> handle_*.go (one file per API, whose header says which
// versions and where it deviates from Kafka) -> partition.go, quorum.go or
// control.go -> request.go (the answer) -> conn.go. What has to wait is parked where
// the reason is: a produce in its partition's acks, a fetch in its partitions' fetches,
// what the controller or the quorum decides behind their tokens. The first two, which
// clients can make long, are taken out when the connection closes.
//
// Files by role:
//
//	node.go        start, stop, failure
//	conn.go        a client's connection: frames, and what a client may make us hold
//	request.go     a request, and its one answer
//	dispatch.go    the table of handlers
//	fetch.go       a Fetch that gathers, and waits
//	leaderhint.go  who leads a partition, for those who asked the wrong broker
//	peer.go        connections to other nodes
//	quorum.go      the metadata log: raft's shell; quorum_wire.go its messages,
//	               snapshot.go its snapshots, image.go what it replays into
//	control.go     the active controller's shell, and forwarding to it
//	lifecycle.go   registration, heartbeats, controlled shutdown of a broker
//	replicas.go    the partitions this broker holds, following the metadata
//	partition.go   one of them: its log and its leader or follower
//	append.go      what is appended to it, and waits for the high watermark;
//	               validation.go how it is checked before, verification.go what waits for a
//	               transaction coordinator first
//	cleaning.go    which of their logs are compacted, and when
//	fetcher.go     fetching from leaders
//	alterisr.go    AlterPartition requests to the controller
//	coordinators.go  the shards of groups and transactions, and the way to them;
//	               coordinator_shard.go one of them, coordinator_load.go its beginning,
//	               coordinator_transactions.go what the log demands beforehand,
//	               coordinator_spread.go requests for several, coordinator_topics.go
//	               the internal topics
//	transactions.go  what the transaction coordinator's shards want done: txn_markers.go
//	               sends markers, txn_verify.go asks other brokers' shards, both by way
//	               of outbox.go
//	inspect.go     what a node shows of itself; probe.go what it tells a checker
//
// It imports everything under broker/ but realenv, and nothing else of the
// project. No code here may know which world it runs in.
//
// # Rejected
//
// A purgatory of delayed operations by key with one timer, as Kafka has: two kinds of
// requests wait, for different reasons, and each wait is a slice and a timer in the
// place that ends it. Answering requests strictly one by one, as Kafka does: a produce
// would wait for the followers of the one before it; only a Fetch holds up those behind it.
package broker
