package env

import (
	"errors"
	"time"
)

// Net makes and accepts byte-stream connections.
type Net interface {
	// Listen binds addr ("host:port") and calls accept on the loop for every
	// connection that arrives. Port 0 asks for any free port.
	Listen(addr string, accept func(Conn)) (Listener, error)
	// Dial connects to addr. done gets the connection or an error, which is
	// [ErrTimeout] when nothing answered within timeout (> 0).
	Dial(addr string, timeout time.Duration, done func(Conn, error))
}

// Listener is a bound address.
type Listener interface {
	// Addr is the bound address with the real port.
	Addr() string
	// Close stops accepting; connections already accepted live on.
	Close()
}

// Conn is one byte stream. Bytes arrive in order and unaltered, or the
// connection ends.
type Conn interface {
	// Read delivers at least min and at most len(buf) bytes, then calls done with
	// their number. At the end of the stream err is io.EOF, after a failure it is
	// something else; then 0 <= n < min bytes are valid. One Read may be
	// outstanding. Not calling Read is how a reader pushes back.
	Read(buf []byte, min int, done func(n int, err error))
	// Write queues the segments for sending, in order. It never fails: an error of
	// the connection reaches the pending or next Read. The bytes must never be
	// modified again.
	Write(segs []Segment)
	// Buffered is how many written bytes the world has not taken yet. A writer
	// that cares for memory stops when this grows and waits for OnDrain.
	Buffered() int
	// OnDrain calls fn once, as soon as Buffered() <= low (on a later turn of the
	// loop if that is already so). A new call replaces the pending one. If the
	// connection fails, fn may never be called.
	OnDrain(low int, fn func())
	// Close ends the connection: no callback of it fires any more, bytes that the
	// world has not taken yet are dropped. Closing twice is allowed.
	Close()
	LocalAddr() string
	RemoteAddr() string
}

// Segment is a run of bytes to send: Bytes, or Len bytes of File from Off on when
// File is not nil. A file region must stay unchanged until it is sent; if it
// cannot be read whole, the connection fails.
type Segment struct {
	Bytes []byte
	File  File
	Off   int64
	Len   int
}

// Size is the number of bytes in the segment.
func (s Segment) Size() int {
	if s.File != nil {
		return s.Len
	}
	return len(s.Bytes)
}

// Errors of connections. Implementations wrap these.
var (
	ErrTimeout = errors.New("timed out")
	ErrRefused = errors.New("connection refused")
	ErrReset   = errors.New("connection reset")
)
