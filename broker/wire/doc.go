// Package wire is the Kafka protocol below the level of single requests: frames,
// request and response headers, the table of served versions, and the record
// batch format with its codecs. The messages themselves are kmsg's.
//
// It also holds the identifiers that every layer shares (ids.go).
//
// It imports the standard library, kmsg and the compression codecs, and is pure:
// bytes in, values or errors out.
package wire
