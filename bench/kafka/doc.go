// Package kafka makes Apache Kafka's own broker runnable: the real one, from its Maven
// artifacts, in KRaft mode. bench/target runs it as a target.
//
//   - pom.xml: the version, and its jars, which Maven brings into a cache directory once.
//   - kafka.go: finds them and Java, formats storage, and has the command of a broker.
//   - log4j2.properties: its logs, from warnings on.
//
// It needs Java 17 or later, and for the first time mvn; without them Open's error is
// ErrNotInstalled. Maven takes the jars from wherever it is set up to.
//
// # Imports
//
// The standard library.
//
// # Rejected
//
// Kafka's distribution: an archive of 130 MB from a server that only has the newest, while
// Maven's repositories keep every version and have mirrors everywhere. A shell script around
// java: who kills a broker needs its process, and properties would be quoted twice. A
// container: not everybody may start one, and its network and disk would be measured, too.
package kafka
