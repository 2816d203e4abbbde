package wire

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// RequestHeader precedes every request (versions 0 to 2).
type RequestHeader struct {
	Key           int16
	Version       int16
	CorrelationID int32
	ClientID      *string
}

// MaxFrame is the largest frame, without its length prefix, that a broker accepts
// by default (socket.request.max.bytes), in bytes.
const MaxFrame = 100 << 20

// FrameFault says what is wrong with a request frame.
type FrameFault uint8

const (
	UnknownKey         FrameFault = iota + 1 // no such API, or not served here
	UnsupportedVersion                       // the API is served, this version is not
	Incomplete                               // the frame ends inside a field
	TrailingBytes                            // bytes after the last field
	Malformed                                // null where there must be a value, negative lengths
	TooMuchMemory                            // decoding would take more than [MaxDecodedBytes]
)

// FrameError is why a frame is not a request that can be served.
type FrameError struct {
	Fault  FrameFault
	Header RequestHeader // as far as it could be read
	Detail string
}

func (e *FrameError) Error() string {
	return fmt.Sprintf("request key %d version %d: %s", e.Header.Key, e.Header.Version, e.Detail)
}

// ReadFrameSize reads a frame's length prefix: 4 bytes. Less than the smallest
// header or more than max bytes is an error, and the connection is beyond help.
func ReadFrameSize(prefix []byte, max int) (int, error) { return 0, nil }

// DecodeRequest decodes a frame without its length prefix, if versions serves its
// key and version. Errors are *[FrameError].
//
// Byte fields of the request (Produce records, group metadata) alias frame.
func DecodeRequest(frame []byte, versions *Versions) (RequestHeader, kmsg.Request, error) {
	return RequestHeader{}, nil, nil
}

// AppendRequest appends a request with its length prefix and header to dst.
func AppendRequest(dst []byte, correlationID int32, clientID string, req kmsg.Request) []byte {
	return nil
}
