// Package target has what the bench measures: systems that clients reach at addresses, and
// that can be asked what they take of the machine, and be killed.
//
//   - target.go: System, and the Options of what is started. Start here.
//   - processes.go: Processes, brokers as "odradek serve".
//   - kafka.go: Kafka, Apache Kafka's brokers, whose jars bench/kafka brings.
//   - inprocess.go: InProcess, nodes in this process.
//   - external.go: External, whatever answers at an address.
//   - fake.go: Fake, franz-go's broker in memory.
//   - cluster.go: what the first three have in common: start, kill, restart, logs.
//   - process.go, probe.go, ports.go, usage.go: their parts.
//
// # Fairness
//
// Every broker of every kind gets the same configs, and of what they leave out has its own
// default, which is Kafka's. All of them are brokers and controllers at once, on loopback, on
// the same disk, and are ended with kill -9. Kafka has the heap and the garbage collector of
// its own scripts.
//
// # Tests
//
// Those of Kafka take a minute and much memory: go test ./bench/target -run Kafka -kafka, which
// needs Java 17 and, the first time, mvn.
//
// # Imports
//
// bench, bench/kafka, broker with its config, env and realenv, franz-go.
//
// # Rejected
//
// internal/realtest, which starts processes as their users do: it reads readiness from the log,
// which Kafka's does not have in the same form, and forgets what a killed process has taken.
// Sampling /proc just before a kill: the system itself adds up a process's usage until its end.
// Port 0: a broker that is restarted has to get its old port again, and systems give such ports
// to outgoing connections.
package target
