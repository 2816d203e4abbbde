// Package env is the seam between the broker and the world it runs in.
//
// A node's complete logic sees time, the network, disks, randomness and CPU
// cost only through the values gathered in [Env]. Two implementations exist:
// the simulation (sim, sim/disk, netsim), where one seed decides everything,
// and broker/realenv, which is TCP, files and the machine's clock. The suite in
// envtest states the contract below as tests and runs against both.
//
// # Contract
//
//   - A node is one event loop. Every callback registered through the seam runs
//     on that loop, one at a time, and never inside the call that registered it.
//   - After a node crashed or was stopped, none of its callbacks ever fires.
//   - Time is integers: nanoseconds. [Clock.Now] is monotonic and has no
//     meaning across nodes or restarts; [Clock.Wall] may jump.
//   - Buffers handed to the seam belong to it until the callback (or, for
//     [Conn.Write], for ever: nobody may modify them again).
//   - Nothing here blocks. Code that reads better in sequence (recovery, start
//     up, scripted users) runs as a [Task], a coroutine on the same loop.
//
// # Imports
//
// Only the standard library and broker/failpoint. Start reading at env.go.
//
// # Rejected
//
// An interface shaped like os.File (Sync that always returns nil, one call that
// both creates and makes durable) loses torn writes, lost directory entries and
// failed syncs for ever. A message-shaped network would leave framing untested
// and keep ordinary Kafka clients out. Contexts and goroutines in the interface
// would hand the order of events to the Go scheduler.
package env
