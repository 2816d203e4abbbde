// Package metadata is the cluster's metadata: the records of the metadata log
// and the [Image] that they replay into.
//
// Records carry Kafka's schemas and framing (record type ids, versions, tagged
// fields), so that Kafka's own dump tool can read our log. [Append] and [Decode]
// turn them into the value bytes of a record batch and back; keys are null.
//
// An [Image] is a plain value owned by one node. Brokers replay committed records
// into theirs and learn from a [Delta] which partitions changed; the active
// controller keeps a second one with what it has decided but not committed yet.
// Every list that leaves the package is sorted, so no caller can see map order.
//
// # Imports
//
// The standard library, broker/wire, and kbin for primitive encodings. Start
// reading at record.go, then image.go and apply.go.
//
// # Rejected
//
// A persistent (copy-on-write tree) image, as Kafka's, lets many threads read old
// versions. One loop per node needs no such thing: [Image.Apply] changes the image
// in place, and only [Partition] and [Broker] values are immutable, so that they
// can be kept across changes and compared by pointer. Generated codecs would need
// a generator larger than the dozen records they would write.
package metadata
