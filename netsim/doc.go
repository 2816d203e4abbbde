// Package netsim is the simulated network: env.Net as TCP-like byte streams over
// links between hosts, one for each direction of each pair.
//
// # Model
//
// A write goes into the sender's queue. Of that the world takes what fits into the
// window, which bounds the bytes between the two programs: on the wire and in the
// receiver's socket. The rest is Buffered and waits for the reader. What was taken
// crosses the link as chunks: serialised at the link's bandwidth, delayed by its
// latency and a jitter drawn from the link's stream, in order by construction. A
// chunk is usually all that one callback wrote, sometimes cut at a random point,
// so that framing is tested but a small message is one event.
//
// # Faults
//
//   - A cut link loses every segment: bytes stall at the sender and flow again
//     some time after the cut heals, as after a retransmission. If either direction
//     of a pair stays cut for Config.DeadAfter (or a host stays down for so long),
//     the pair's connections time out, at each end by itself.
//   - A process that dies on a living host leaves its sockets to the operating
//     system: what was taken is still sent, then comes the end of the stream, or a
//     reset if the process had left bytes unread. Whatever arrives later is
//     answered by a reset.
//   - A host that loses power says nothing. The peer notices by a time-out, or by
//     the reset that the restarted host answers with.
//   - Links can be slow, and connections can be reset.
//
// # Imports
//
// sim, broker/env and the standard library. Start reading at network.go; the life
// of a byte is stream.go.
//
// # Rejected
//
// Packets, acknowledgements and retransmissions as events of their own would cost
// ten times the events and test TCP, which is not ours. Messages instead of bytes
// would leave the broker's framing untested.
package netsim
