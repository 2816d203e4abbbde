package wire

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
)

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte // nil is null
}

// Record is one record of a batch. Its bytes are slices of the batch, or of the
// codec's buffer if the batch was compressed.
type Record struct {
	Offset    Offset
	Timestamp int64  // milliseconds since the Unix epoch
	Key       []byte // nil is null
	Value     []byte // nil is null: a tombstone in a compacted topic
	// OffsetDelta is Offset relative to the batch.
	OffsetDelta int32
	// NumHeaders is the number of headers; [Record.Headers] decodes them.
	NumHeaders int
	headers    []byte
}

// Headers decodes the record's headers. It allocates; keys are copied, values
// are slices of the batch.
func (r *Record) Headers() []Header {
	if r.NumHeaders == 0 {
		return nil
	}
	hs := make([]Header, 0, r.NumHeaders)
	rd := kbin.Reader{Src: r.headers}
	for range r.NumHeaders {
		hs = append(hs, Header{Key: rd.VarintString(), Value: rd.VarintBytes()})
	}
	return hs
}

// Records iterates over the records of one batch without allocating for each.
//
//	recs, err := codec.Records(batch)
//	for recs.Next(&rec) { ... }
//	err = recs.Err()
type Records struct {
	header BatchHeader
	rest   []byte // encoded records not yet read
	left   int32  // how many of them the batch declares
	err    error
}

// Records opens the whole batch for iteration, decompressing it if need be into
// a buffer of the codec that lives until its next use: nothing else may be done
// with the codec while the records are in use. The CRC is not checked.
func (c *Codec) Records(batch []byte) (Records, error) {
	h, batch, _, err := NextBatch(batch)
	if err != nil {
		return Records{}, err
	}
	if batch == nil {
		return Records{}, ErrShortBatch
	}
	body, err := c.body(&h, batch)
	if err != nil {
		return Records{}, err
	}
	if h.Count < 0 {
		return Records{}, fmt.Errorf("%w: batch declares %d records", ErrInvalidRecord, h.Count)
	}
	return Records{header: h, rest: body, left: h.Count}, nil
}

// body is the uncompressed records of a batch: a slice of it, or of c.scratch.
func (c *Codec) body(h *BatchHeader, batch []byte) ([]byte, error) {
	body := batch[BatchHeaderSize:]
	if h.Compression() == None {
		return body, nil
	}
	if cap(c.scratch) > keepScratch {
		c.scratch = nil
	}
	out, err := c.Decompress(c.scratch[:0], h.Compression(), body)
	c.scratch = out[:0]
	return out, err
}

// Header is the batch's header.
func (it *Records) Header() *BatchHeader { return &it.header }

// Next reads the next record into r and reports whether there was one.
func (it *Records) Next(r *Record) bool {
	if it.left == 0 || it.err != nil {
		if len(it.rest) > 0 && it.err == nil {
			it.err = fmt.Errorf("%w: %d bytes after the last of %d records", ErrInvalidRecord, len(it.rest), it.header.Count)
		}
		return false
	}
	ts, rest, err := readRecord(it.rest, r)
	if err != nil {
		it.err = fmt.Errorf("record %d of %d: %w", it.header.Count-it.left, it.header.Count, err)
		return false
	}
	it.rest = rest
	it.left--
	r.Offset = it.header.BaseOffset + Offset(r.OffsetDelta)
	if it.header.TimestampType() == LogAppendTime {
		r.Timestamp = it.header.MaxTimestamp
	} else {
		r.Timestamp = it.header.BaseTimestamp + ts
	}
	return true
}

// Err is why Next stopped, nil at the proper end. It wraps [ErrInvalidRecord].
func (it *Records) Err() error { return it.err }

// readRecord decodes the record at the start of b, except for the fields that
// depend on the batch, and returns its timestamp delta and what follows it.
func readRecord(b []byte, r *Record) (timestampDelta int64, rest []byte, err error) {
	if delta, end := readPlainRecord(b, r); end > 0 {
		return delta, b[end:], nil
	}
	return readAnyRecord(b, r)
}

// readPlainRecord is readAnyRecord for what nearly every record is: one without headers whose
// numbers take at most four bytes. end is 0 if it is something else, or nothing valid. A batch
// may have a hundred thousand records: this takes a third of the time.
func readPlainRecord(b []byte, r *Record) (timestampDelta int64, end int) {
	size, at := shortVarint(b, 0)
	if at == 0 || size < 0 || size > len(b)-at {
		return 0, 0
	}
	end = at + size
	b = b[:end]
	at++ // attributes, of which none is defined
	ts, at := shortVarint(b, at)
	if at == 0 {
		return 0, 0
	}
	delta, at := shortVarint(b, at)
	if at == 0 {
		return 0, 0
	}
	key, at := shortBytes(b, at)
	if at == 0 {
		return 0, 0
	}
	value, at := shortBytes(b, at)
	if at == 0 || at != end-1 || b[at] != 0 {
		return 0, 0
	}
	r.OffsetDelta, r.Key, r.Value, r.NumHeaders, r.headers = int32(delta), key, value, 0, b[end:]
	return int64(ts), end
}

// shortVarint reads a zigzag number of at most four bytes at b[at:], and returns where it ends,
// 0 if it is none.
func shortVarint(b []byte, at int) (v, next int) {
	var u uint32
	for shift := 0; shift < 28 && at < len(b); shift += 7 {
		c := b[at]
		at++
		u |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return int(int32(u>>1) ^ -int32(u&1)), at
		}
	}
	return 0, 0
}

// shortBytes reads bytes behind their length, which is -1 for null.
func shortBytes(b []byte, at int) (v []byte, next int) {
	n, at := shortVarint(b, at)
	switch {
	case at == 0 || n < -1 || n > len(b)-at:
		return nil, 0
	case n < 0:
		return nil, at
	}
	return b[at : at+n : at+n], at + n
}

func readAnyRecord(b []byte, r *Record) (timestampDelta int64, rest []byte, err error) {
	size, n := kbin.Varint(b)
	if n <= 0 || size < 0 || int(size) > len(b)-n {
		return 0, b, fmt.Errorf("%w: size %d with %d bytes left", ErrInvalidRecord, size, len(b))
	}
	rest = b[n+int(size):]
	rd := kbin.Reader{Src: b[n : n+int(size)]}
	rd.Int8() // attributes, of which none is defined
	timestampDelta = rd.Varlong()
	r.OffsetDelta = rd.Varint()
	r.Key = rd.VarintBytes()
	r.Value = rd.VarintBytes()
	headers := rd.Varint()
	if headers < 0 || int(headers) > len(rd.Src) {
		return 0, b, fmt.Errorf("%w: %d headers", ErrInvalidRecord, headers)
	}
	r.NumHeaders = int(headers)
	r.headers = rd.Src
	for range headers {
		keySize := rd.Varint()
		rd.Span(int(keySize)) // a negative size is refused
		rd.VarintBytes()
	}
	if !rd.Ok() {
		return 0, b, fmt.Errorf("%w: a field runs over the record's end", ErrInvalidRecord)
	}
	if len(rd.Src) > 0 {
		return 0, b, fmt.Errorf("%w: %d bytes after its last field", ErrInvalidRecord, len(rd.Src))
	}
	return timestampDelta, rest, nil
}
