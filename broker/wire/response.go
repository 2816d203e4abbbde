package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// AppendResponse appends a response with its length prefix and header to dst.
func AppendResponse(dst []byte, correlationID int32, resp kmsg.Response) []byte { return nil }

// DecodeResponse decodes a response frame without its length prefix into resp,
// whose version must be set to the request's. Byte fields alias the frame.
func DecodeResponse(frame []byte, correlationID int32, resp kmsg.Response) error { return nil }

// FetchPart is a run of an encoded Fetch response: Bytes, and then, unless
// Records is -1, the record bytes of a partition, which the caller supplies.
type FetchPart struct {
	Bytes   []byte
	Records int // position of the partition in the response, topics flattened
}

// EncodeFetchResponse encodes everything of a Fetch response (versions 4 to 18)
// except record bytes, with length prefix and header. sizes has the number of
// record bytes for each partition, in the order of the response; -1 is null. The
// RecordBatches fields are ignored. Parts of size 0 get no FetchPart of their own.
func EncodeFetchResponse(correlationID int32, resp *kmsg.FetchResponse, sizes []int) []FetchPart {
	return nil
}
