package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// appendResponseHeader appends a length prefix to be filled in and the response
// header: version 1, with tags, for flexible responses. ApiVersions has version 0
// always, because its reader may not know yet what the broker speaks (KIP-511).
func appendResponseHeader(dst []byte, correlationID int32, resp kmsg.Response) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = kbin.AppendInt32(dst, correlationID)
	if resp.IsFlexible() && resp.Key() != keyApiVersions {
		dst = append(dst, 0)
	}
	return dst
}

// AppendResponse appends a response, in the version set in it, with its length
// prefix and header to dst.
func AppendResponse(dst []byte, correlationID int32, resp kmsg.Response) []byte {
	at := len(dst)
	dst = appendResponseHeader(dst, correlationID, resp)
	dst = resp.AppendTo(dst)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-FramePrefix))
	return dst
}

// ErrCorrelation means that a response answers another request than the one it
// was taken for: the stream is out of step and has to be closed.
var ErrCorrelation = errors.New("response out of order")

// ErrBadResponse means that a response frame cannot be decoded.
var ErrBadResponse = errors.New("malformed response")

// DecodeResponse decodes a response frame without its length prefix into resp,
// whose version must be set to the request's. Byte fields alias the frame. Only
// brokers' own answers are read this way: unlike requests they are not guarded
// against hostile senders.
func DecodeResponse(frame []byte, correlationID int32, resp kmsg.Response) error {
	if len(frame) < 4 {
		return fmt.Errorf("%w: %d bytes", ErrBadResponse, len(frame))
	}
	if got := int32(binary.BigEndian.Uint32(frame)); got != correlationID {
		return fmt.Errorf("%w: correlation id %d, want %d", ErrCorrelation, got, correlationID)
	}
	w := shapeWalk{rest: frame[4:], flexible: resp.IsFlexible()}
	if w.flexible && resp.Key() != keyApiVersions && !w.tags(0) {
		return fmt.Errorf("%w: header: %s", ErrBadResponse, w.detail)
	}
	if err := resp.ReadFrom(w.rest); err != nil {
		return fmt.Errorf("%w: %v", ErrBadResponse, err)
	}
	return nil
}
