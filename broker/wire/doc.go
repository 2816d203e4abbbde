// Package wire is the Kafka protocol below the level of single requests: frames,
// request and response headers, the table of served versions, and the record
// batch format with its codecs. The messages themselves are kmsg's. It also holds
// the identifiers that every layer shares (ids.go).
//
// It is pure: bytes in, values or errors out. It imports the standard library,
// kmsg, kbin and kerr, and the compression codecs.
//
// # Where to start
//
// A connection reads a length with [ReadFrameSize] and hands the frame to
// [Decoder.Decode]; the answer goes out by [AppendResponse], [AppendProduceResponse] or
// [FetchEncoder.Encode]. The records of a Produce request go through
// [Codec.Validate], which returns the batch as the leader stores it; storage and
// replicas look at batches with [ReadBatchHeader], [NextBatch] and [Batches];
// whoever needs the records uses [Codec.Records], and whoever makes some (the
// coordinator, the metadata quorum, clients) a [Builder].
//
//	batch.go record.go builder.go      the record batch, magic 2 (KIP-98)
//	marker.go                          the control batch that ends a transaction
//	validate.go                        what a leader checks before it appends
//	compress.go snappy.go              codecs
//	request.go shape.go shapes.go      frames in, walked before they are decoded
//	decoder.go                         the frames that come all the time, in one pass
//	response.go produce.go fetch.go    frames out
//	answer.go                          answers with an error for every partition
//	versions.go names.go ids.go        tables and names
//
// # Errors
//
// A frame that cannot be served is a [*FrameError], whose Fault tells unknown
// keys, versions, cut-off, trailing and malformed bytes apart. A batch that cannot
// be stored is a [*BatchError] with Kafka's error code. Both are what a client can
// cause; panics mean a bug of the caller.
//
// # Rejected
//
// Own message types: kmsg has them all, generated and tested by a client's users.
// What it lacks is suspicion, which shape.go adds. Finding trailing bytes by
// encoding the request again would cost a copy of every Produce and fail on
// encodings that are legal but not kmsg's. Pools of codecs (sync.Pool) would make
// reuse depend on the garbage collector: a [Codec] is a plain value with one owner.
// Record formats before magic 2 are not read: no client in use writes them, and
// Kafka 4 dropped them (KIP-724).
package wire
