package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordPrinter prints one record.
type recordPrinter func(*bufio.Writer, *kgo.Record) error

func (f *consumeFlags) printer() (recordPrinter, error) {
	switch {
	case f.asJSON:
		return func(w *bufio.Writer, r *kgo.Record) error { return printJSON(w, jsonRecord(r)) }, nil
	case f.format != "":
		format, err := kgo.NewRecordFormatter(f.format)
		if err != nil {
			return nil, fmt.Errorf("--format: %w", err)
		}
		var line []byte
		return func(w *bufio.Writer, r *kgo.Record) error {
			line = format.AppendRecord(line[:0], r)
			_, err := w.Write(line)
			return err
		}, nil
	}
	separator, err := unescape("--key-separator", f.separator)
	if err != nil {
		return nil, err
	}
	return func(w *bufio.Writer, r *kgo.Record) error {
		if separator != "" && r.Key != nil { // produce reads it back the same
			_, _ = w.Write(r.Key) // an error stays with the writer
			_, _ = w.WriteString(separator)
		}
		_, _ = w.Write(r.Value)
		return w.WriteByte('\n')
	}, nil
}

// recordJSON is a record for tools. Bytes that are not UTF-8 come as base64, in a field
// of their own.
type recordJSON struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Offset    int64   `json:"offset"`
	Timestamp string  `json:"timestamp"`
	Key       *string `json:"key"`
	KeyBytes  string  `json:"keyBase64,omitempty"`
	Value     *string `json:"value"`
	Bytes     string  `json:"valueBase64,omitempty"`

	Headers []headerJSON `json:"headers,omitempty"`
}

type headerJSON struct {
	Key   string  `json:"key"`
	Value *string `json:"value"`
	Bytes string  `json:"valueBase64,omitempty"`
}

func jsonRecord(r *kgo.Record) recordJSON {
	out := recordJSON{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		Timestamp: r.Timestamp.UTC().Format("2006-01-02T15:04:05.000Z07:00"),
	}
	out.Key, out.KeyBytes = text(r.Key)
	out.Value, out.Bytes = text(r.Value)
	for _, h := range r.Headers {
		value, encoded := text(h.Value)
		out.Headers = append(out.Headers, headerJSON{h.Key, value, encoded})
	}
	return out
}

// text is a string, null, or base64 of what is neither.
func text(b []byte) (*string, string) {
	if b == nil {
		return nil, ""
	}
	if !utf8.Valid(b) {
		return nil, base64.StdEncoding.EncodeToString(b)
	}
	s := string(b)
	return &s, ""
}
