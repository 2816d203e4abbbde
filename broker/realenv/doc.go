// Package realenv is the seam (broker/env) on TCP, files and the machine's clock.
// It is the only package below broker that starts goroutines.
//
// # Threads
//
//   - One loop per [World] runs every callback: [World.Run]. Everything else hands
//     its completion to the loop's queue (loop.go). A batch of completions costs one
//     wake-up.
//   - Each connection has a reader and a writer (conn.go, writer.go). Each read of
//     the node is one hand-over to the reader, which reads straight into the node's
//     buffer: what the node does not ask for stays in the kernel, and pushes back.
//   - Each file's changes run in order on a pool of threads, as do those of the
//     directory tree; reads run on another pool, at the same time (lane.go, file.go,
//     disk.go). A pool of its own does env.CPU.Work.
//
// Fields say who may touch them: "loop" is the loop's goroutine (before Run and
// after its end, whoever calls Open and Close).
//
// # Imports
//
// broker/env, broker/failpoint, golang.org/x/sys/unix and the standard library.
// Unix only. Start reading at world.go.
//
// # Rejected
//
//   - An epoll loop of our own that reads and writes inline would save two thread
//     hand-overs for each round trip, but makes one thread copy every byte, and
//     rewrites what the runtime has.
//   - TCPConn.ReadFrom for file regions: it uses the file's one position, so two
//     connections could not send the same file at once. sendfile takes an offset.
//   - io_uring: no library to be had, and not open to every container.
package realenv
