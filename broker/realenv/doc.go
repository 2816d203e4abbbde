// Package realenv is the seam (broker/env) on TCP, files and the machine's clock.
// It is the only package below broker that starts goroutines.
//
// # Threads
//
//   - One loop per [World] runs every callback: [World.Run]. Everything else hands
//     its completion to the loop's queue (loop.go).
//   - On Linux the loop reads and writes sockets itself, without blocking (poller.go,
//     socket.go, outbox.go, listener.go). What the node does not ask for stays in the
//     kernel, and pushes back. What a turn writes is sent at its end: all answers to
//     one connection at once. A connection has a budget for each turn, and goes on in
//     the next.
//   - The loop also reads files as far as the page cache has them, and writes what is
//     small (direct.go). Whatever could wait for a disk is done by a pool of threads:
//     other reads, regions of files on their way to a socket, large writes, truncations
//     and syncs. Each file's changes run in order, as do those of the directory tree
//     (lane.go, file.go, disk.go). A pool of its own does env.CPU.Work.
//   - Elsewhere each connection has a reader and a writer (the files *_other.go), and
//     all files are the pools'. A reset that a write saw first may read as the end of
//     the stream there. The build tag goroutines chooses this on Linux, too, to compare.
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
//   - Goroutines for connections on Linux: a request costs more hand-overs between
//     threads than system calls.
//   - A loop blocked in epoll_wait: it saves a microsecond for each sleep while
//     nothing else runs, but keeps its GOMAXPROCS slot from the disk's threads and from
//     other worlds of the process until the runtime's monitor takes it away, up to 10 ms
//     later.
//   - RWF_NOWAIT for writes: ext4 does not have it. A write on the loop that was slow
//     has those that follow go to threads for a while instead.
//   - TCPConn.ReadFrom for file regions: it uses the file's one position, so two
//     connections could not send the same file at once. sendfile takes an offset.
//   - io_uring: no library to be had, and not open to every container.
package realenv
