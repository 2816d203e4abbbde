package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
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

// ReadFrameSize reads a frame's length prefix, of [FramePrefix] bytes. Less than
// the smallest header or more than max bytes is a *[FrameError], and the
// connection is beyond help: nobody knows where the next frame begins.
func ReadFrameSize(prefix []byte, max int) (int, error) {
	n := int32(binary.BigEndian.Uint32(prefix))
	if n < minRequestHeader {
		return 0, &FrameError{Fault: Malformed, Detail: fmt.Sprintf("a frame of %d bytes", n)}
	}
	if int(n) > max {
		return 0, &FrameError{Fault: TooMuchMemory, Detail: fmt.Sprintf("a frame of %d bytes, more than %d", n, max)}
	}
	return int(n), nil
}

// FramePrefix is the size of the length in front of every frame, in bytes.
const FramePrefix = 4

// minRequestHeader is key, version and correlation id.
const minRequestHeader = 8

// DecodeRequest decodes a frame without its length prefix, if versions serves its
// key and version. Errors are *[FrameError]; the header in them is as complete as
// the frame allows, so that a response can be correlated. Produce requests of the
// versions that are advertised and not served come decoded with the error, unless they
// are malformed, because their refusal has to name every partition.
//
// Byte fields of the request (Produce records, group metadata) alias frame.
// Decoding takes at most [MaxDecodedBytes] of memory besides it.
func DecodeRequest(frame []byte, versions *Versions) (RequestHeader, kmsg.Request, error) {
	var h RequestHeader
	if len(frame) < minRequestHeader {
		return h, nil, &FrameError{Fault: Incomplete, Detail: fmt.Sprintf("a frame of %d bytes", len(frame))}
	}
	be := binary.BigEndian
	h.Key = int16(be.Uint16(frame))
	h.Version = int16(be.Uint16(frame[2:]))
	h.CorrelationID = int32(be.Uint32(frame[4:]))
	w := shapeWalk{rest: frame[minRequestHeader:], version: h.Version}

	// The client id is no compact string in any version, so it can be read even
	// if nothing else is known about the request.
	idAt := w.rest
	idOK := w.field(&clientIDField)
	if idOK && int16(be.Uint16(idAt)) >= 0 {
		id := string(idAt[2 : len(idAt)-len(w.rest)])
		h.ClientID = &id
	}
	shape, known := shapes[h.Key]
	if _, ok := versions.Lookup(h.Key); !ok || !known {
		return h, nil, &FrameError{UnknownKey, h, "the API is not served"}
	}
	if !versions.Serves(h.Key, h.Version) {
		refused := &FrameError{UnsupportedVersion, h, "the version is not served"}
		if h.Key == keyProduce && h.Version >= 0 && h.Version < lowestProduce && idOK {
			return h, decodeOldProduce(h, &w), refused
		}
		return h, nil, refused
	}
	req := kmsg.RequestForKey(h.Key)
	req.SetVersion(h.Version)
	w.flexible = req.IsFlexible()
	if !idOK || w.flexible && !w.tags(0) {
		return h, nil, &FrameError{w.fault, h, "in the header: " + w.detail}
	}
	body, start := w.rest, w
	if !w.structure(&shape) {
		return h, nil, &FrameError{w.fault, h, w.detail}
	}
	if len(w.rest) > 0 && hasWideNull(h, w.flexible, body) {
		mended := start
		mended.rest = body[3:]
		if mended.structure(&shape) && len(mended.rest) == 0 {
			body, w = body[3:], mended
		}
	}
	if len(w.rest) > 0 {
		return h, nil, &FrameError{TrailingBytes, h, fmt.Sprintf("%d bytes after the last field", len(w.rest))}
	}
	if err := req.ReadFrom(body); err != nil {
		return h, nil, &FrameError{Malformed, h, err.Error()}
	}
	return h, req, nil
}

// hasWideNull reports whether the body may be librdkafka's request for all topics:
// in flexible versions of Metadata it writes the null list of topics as four zero
// bytes instead of one (its issue 5049, in 2.16 still). Kafka takes the first and
// ignores what is left over after the last field; to go without the three zeroes also
// gets the fields behind them right.
func hasWideNull(h RequestHeader, flexible bool, body []byte) bool {
	return h.Key == keyMetadata && flexible && len(body) > 4 && binary.BigEndian.Uint32(body) == 0
}

// decodeOldProduce decodes a Produce request of a version that is not served; nil if
// it is malformed besides.
func decodeOldProduce(h RequestHeader, w *shapeWalk) kmsg.Request {
	shape, body := shapes[keyProduce], w.rest
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(h.Version)
	if !w.structure(&shape) || len(w.rest) > 0 || req.ReadFrom(body) != nil {
		return nil
	}
	return req
}

var clientIDField = field{kind: kindString, nullable: true}

// AppendRequest appends a request, in the version set in it, with its length
// prefix and header to dst. (kmsg's own formatter writes the length to the start
// of dst, so it cannot append.)
func AppendRequest(dst []byte, correlationID int32, clientID string, req kmsg.Request) []byte {
	if dst == nil {
		dst = make([]byte, 0, 192) // grown by single numbers it would be allocated seven times
	}
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = kbin.AppendInt16(dst, req.Key())
	dst = kbin.AppendInt16(dst, req.GetVersion())
	dst = kbin.AppendInt32(dst, correlationID)
	dst = kbin.AppendString(dst, clientID)
	if req.IsFlexible() {
		dst = append(dst, 0)
	}
	dst = req.AppendTo(dst)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-FramePrefix))
	return dst
}
