// Command realmode measures the throughput of the broker on TCP and files, beside what the
// machine does with the same bytes and no broker:
//
//	go run ./bench/realmode [--size 256] [--reps 5]
//	go run ./bench/realmode --producers
//
// The second compares kinds of producers, without compression and with five requests in
// flight each: idempotent against plain ones, and transactions of 256 and of 4096 records
// against idempotent ones, as ratios of throughput within a repetition.
//
// One broker process, one partition, one client with franz-go's defaults (acks=all,
// idempotent, snappy; and again without compression), on loopback. Each repetition
// goes through all measurements, so that what changes on the machine meanwhile meets all
// of them alike; the medians are printed with the lowest and the highest.
//
//   - main.go: flags, rounds, the report.
//   - baseline.go: a sequential file write, a loopback TCP copy.
//   - kafka.go: produce and consume.
//
// # Imports
//
// internal/realtest, franz-go, golang.org/x/sys/unix, golang.org/x/term.
//
// # Rejected
//
// A testing.B benchmark: it decides by itself how often to repeat, one measurement after
// the other, and cannot interleave. Compressible records: they would measure the codec.
package main
