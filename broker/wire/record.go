package wire

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
func (r *Record) Headers() []Header { return nil }

// Records iterates over the records of one batch without allocating for each.
//
//	recs, err := codec.Records(batch)
//	for recs.Next(&rec) { ... }
//	err = recs.Err()
type Records struct {
	err error
}

// Records opens the whole batch for iteration, decompressing it if need be into
// a buffer of the codec that lives until its next use. The CRC is not checked.
func (c *Codec) Records(batch []byte) (Records, error) { return Records{}, nil }

// Next reads the next record into r and reports whether there was one.
func (it *Records) Next(r *Record) bool { return false }

// Err is why Next stopped, nil at the proper end. It wraps [ErrInvalidRecord].
func (it *Records) Err() error { return it.err }
