// Package reference is the least any log broker must do, as fast as is reasonable: take
// frames from loopback TCP, check their CRC-32C, append them to a file, acknowledge. What
// a broker's throughput is divided by, on the same machine in the same minute, says more
// than its megabytes a second.
//
// There is one log. It has no protocol, index, topics, ids, elections or recovery: a log
// begins empty, and a follower that is lost ends the run. On request a frame is
// acknowledged only when fdatasync has returned (one sync for all frames that wait: group
// commit), and only when a number of followers, servers like it, have acknowledged their
// copies. Readers are sent what is acknowledged with sendfile.
//
//   - frame.go: a frame, and taking whole ones from a stream.
//   - log.go: the file, and how far it is durable and copied.
//   - server.go: connections. program.go: servers, and kfake, as processes of their own.
//   - client.go: a producer and a reader. They use as little of the machine as they can.
//   - measure.go: a load on servers, into a bench.Sample. load.go: what is under way.
//   - ceiling.go: franz-go against kfake, which is what the client alone can do.
//   - cmd/reference: prints what the machine gives. Start there.
//
// # Imports
//
// bench, bench/target (what processes take), golang.org/x/sys/unix, franz-go and kfake.
//
// # Rejected
//
// splice(2) from socket to file: nothing would have seen the bytes, and a broker must check
// them. io_uring and threads that spin: other brokers on two cores could not use them
// either. A frame for each record: Kafka's clients send batches, and so a frame is a batch;
// Config.Record says how many records it counts as.
package reference
