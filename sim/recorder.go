package sim

import (
	"io"
	"strconv"

	"odradek/broker/env"
)

// JSONRecorder writes every record as one line of JSON:
//
//	{"id":7,"cause":3,"t":1500000,"node":"broker-1","kind":"net-deliver","digest":"9f.."}
//	{"id":7,"cause":3,"t":1500000,"node":"broker-1","kind":"leader-elected","level":"info","attrs":{"epoch":4}}
//
// t is in nanoseconds. Events have a digest, notes a level. The first error of the
// writer stops the recording and is kept in Err.
type JSONRecorder struct {
	w   io.Writer
	buf []byte
	Err error
}

// NewJSONRecorder writes to w; buffer it, a line is one Write.
func NewJSONRecorder(w io.Writer) *JSONRecorder { return &JSONRecorder{w: w} }

var levelNames = [...]string{env.Debug: "debug", env.Detail: "detail", env.Info: "info", env.Warn: "warn", env.Error: "error"}

// Record implements Recorder.
func (j *JSONRecorder) Record(k *Kernel, r *Record) {
	if j.Err != nil {
		return
	}
	b := append(j.buf[:0], `{"id":`...)
	b = strconv.AppendUint(b, r.ID, 10)
	b = append(b, `,"cause":`...)
	b = strconv.AppendUint(b, r.Cause, 10)
	b = append(b, `,"t":`...)
	b = strconv.AppendInt(b, int64(r.At), 10)
	b = append(b, `,"node":`...)
	b = appendJSONString(b, k.nodes[r.Node])
	b = append(b, `,"kind":`...)
	b = appendJSONString(b, k.trace.names[r.Kind])
	if r.Note {
		b = append(b, `,"level":"`...)
		b = append(b, levelNames[r.Level]...)
		b = append(b, `","attrs":{`...)
		for i := range r.Attrs {
			if i > 0 {
				b = append(b, ',')
			}
			a := &r.Attrs[i]
			b = appendJSONString(b, a.Key)
			b = append(b, ':')
			if a.IsInt {
				b = strconv.AppendInt(b, a.Int, 10)
			} else {
				b = appendJSONString(b, a.Str)
			}
		}
		b = append(b, "}}\n"...)
	} else {
		b = append(b, `,"digest":"`...)
		b = strconv.AppendUint(b, r.Digest, 16)
		b = append(b, "\"}\n"...)
	}
	j.buf = b
	_, j.Err = j.w.Write(b)
}

// appendJSONString quotes s. Invalid UTF-8 becomes U+FFFD.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c < 0x20:
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		default:
			b = append(b, string(c)...)
		}
	}
	return append(b, '"')
}
