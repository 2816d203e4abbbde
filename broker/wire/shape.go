package wire

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kbin"
)

// A request is walked field by field before kmsg decodes it, because kmsg alone
// trusts too much: it ignores bytes after the last field, allocates an array for
// whatever count fits the rest of the frame (measured: 2 MB for a frame of 16
// KiB), and reads as many tags as a frame of a few bytes claims to have, which
// can be four thousand million. The walk allocates nothing and costs a few
// nanoseconds a field; records and other byte fields are skipped whole.

// MaxDecodedBytes bounds the memory that decoding one frame may take besides the
// frame itself, in bytes. A Fetch request of 300,000 partitions stays below it.
// Record bytes do not count: they alias the frame.
const MaxDecodedBytes = 32 << 20

// shape is the fields of a request or of a structure in it.
type shape struct {
	fields []field
	tags   uint32 // tagged fields with lower numbers than this are known
}

type field struct {
	kind     fieldKind
	nullable bool
	size     int // of kindFixed, in bytes
	min, max int16
	inner    shape  // of kindStruct; of kindArray: the element, a structure
	element  *field // of kindArray: the element if it is not a structure
	memory   int    // of kindArray: what one element takes when decoded
}

type fieldKind uint8

const (
	kindFixed fieldKind = iota
	kindString
	kindBytes
	kindArray
	kindStruct
)

// parseShape reads the notation of shapes.go.
func parseShape(s string) shape {
	p := shapeParser{rest: s}
	sh := p.shape()
	if p.rest != "" {
		panic(fmt.Sprintf("wire: shape %q: cannot read %q", s, p.rest))
	}
	return sh
}

type shapeParser struct{ rest string }

func (p *shapeParser) take(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *shapeParser) shape() shape {
	var sh shape
	for p.rest != "" && p.rest[0] != ']' && p.rest[0] != ')' {
		if p.take("#") {
			sh.tags = uint32(p.number())
			break
		}
		sh.fields = append(sh.fields, p.field())
		p.take(" ")
	}
	return sh
}

func (p *shapeParser) field() field {
	f := field{min: 0, max: 1<<15 - 1}
	f.nullable = p.take("?")
	switch {
	case p.take("["):
		f.kind = kindArray
		f.inner = p.shape()
		p.expect("]")
		f.memory = f.inner.memory()
	case p.take("("):
		f.kind = kindStruct
		f.inner = p.shape()
		p.expect(")")
	case p.take("s"):
		f.kind = kindString
	case p.take("y"):
		f.kind = kindBytes
	default:
		f.size = p.number()
	}
	if p.take("*") {
		element := f
		element.nullable = false
		f = field{kind: kindArray, nullable: f.nullable, max: f.max, element: &element, memory: fieldMemory(&element)}
	}
	if p.take("@") {
		f.min = int16(p.number())
		if !p.take("+") {
			p.expect("-")
			f.max = int16(p.number())
		}
	}
	return f
}

func (p *shapeParser) expect(s string) {
	if !p.take(s) {
		panic(fmt.Sprintf("wire: shape: want %q before %q", s, p.rest))
	}
}

func (p *shapeParser) number() int {
	n, digits := 0, 0
	for p.rest != "" && p.rest[0] >= '0' && p.rest[0] <= '9' {
		n = n*10 + int(p.rest[0]-'0')
		p.rest = p.rest[1:]
		digits++
	}
	if digits == 0 {
		panic(fmt.Sprintf("wire: shape: want a number before %q", p.rest))
	}
	return n
}

// memory bounds the size of kmsg's structure: fields of all versions, and 40
// bytes for the map of unknown tags and for tagged fields, which shapes leave out.
func (sh *shape) memory() int {
	n := 40
	for i := range sh.fields {
		n += fieldMemory(&sh.fields[i])
	}
	return n
}

func fieldMemory(f *field) int {
	switch f.kind {
	case kindFixed:
		return max(f.size, 8) // alignment
	case kindString:
		return 16
	case kindStruct:
		return f.inner.memory()
	}
	return 24 // a slice
}

// shapeWalk is one walk through a request body.
type shapeWalk struct {
	rest     []byte
	version  int16
	flexible bool
	memory   int // estimate of what decoding will allocate
	fault    FrameFault
	detail   string
}

func (w *shapeWalk) fail(fault FrameFault, format string, args ...any) bool {
	w.fault, w.detail = fault, fmt.Sprintf(format, args...)
	return false
}

func (w *shapeWalk) charge(n int) bool {
	if w.memory += n; w.memory > MaxDecodedBytes {
		return w.fail(TooMuchMemory, "decoding would take more than %d bytes", MaxDecodedBytes)
	}
	return true
}

// structure walks fields and, in flexible versions, the tags behind them.
func (w *shapeWalk) structure(sh *shape) bool {
	for i := range sh.fields {
		f := &sh.fields[i]
		if w.version < f.min || w.version > f.max {
			continue
		}
		if !w.field(f) {
			return false
		}
	}
	return !w.flexible || w.tags(sh.tags)
}

func (w *shapeWalk) field(f *field) bool {
	switch f.kind {
	case kindFixed:
		return w.skip(f.size)
	case kindString:
		n, ok := w.length(2, f.nullable)
		// Strings are copied; a nullable one is a pointer.
		return ok && (n == 0 || w.charge(n+24)) && w.skip(n)
	case kindBytes:
		n, ok := w.length(4, f.nullable)
		return ok && w.skip(n)
	case kindStruct:
		if f.nullable {
			if len(w.rest) == 0 {
				return w.skip(1)
			}
			isNull := int8(w.rest[0]) < 0
			w.rest = w.rest[1:]
			if isNull {
				return true
			}
			if !w.charge(f.inner.memory()) {
				return false
			}
		}
		return w.structure(&f.inner)
	}
	return w.array(f)
}

func (w *shapeWalk) array(f *field) bool {
	n, ok := w.length(4, f.nullable)
	if !ok {
		return false
	}
	if n > len(w.rest) { // every element takes at least a byte
		return w.fail(Incomplete, "array of %d elements with %d bytes left", n, len(w.rest))
	}
	if n > 0 && !w.charge(n*f.memory) {
		return false
	}
	if f.element != nil && f.element.kind == kindFixed {
		return w.skip(n * f.element.size)
	}
	for range n {
		if f.element != nil {
			ok = w.field(f.element)
		} else {
			ok = w.structure(&f.inner)
		}
		if !ok {
			return false
		}
	}
	return true
}

// tags walks the tagged fields of a structure (KIP-482). Those below known are
// fields of kmsg's structure, the others go to a map.
func (w *shapeWalk) tags(known uint32) bool {
	n, ok := w.uvarint()
	if !ok {
		return false
	}
	mapped := false
	for range n {
		tag, ok := w.uvarint()
		if !ok {
			return false
		}
		size, ok := w.uvarint()
		if !ok {
			return false
		}
		cost := 16 * min(int(size), len(w.rest)) // an array of ids, at worst
		if tag >= known {
			cost = 96
			if !mapped {
				cost += 400 // an empty map with room for a few
				mapped = true
			}
		}
		if !w.charge(cost) || !w.skip(int(size)) {
			return false
		}
	}
	return true
}

// length reads a length or count: one more as a varint in flexible versions, else
// an integer of size bytes. Null counts as 0 where it is allowed.
func (w *shapeWalk) length(size int, nullable bool) (int, bool) {
	var n int
	if w.flexible {
		u, ok := w.uvarint()
		if !ok {
			return 0, false
		}
		n = int(u) - 1
	} else {
		b := w.rest
		if !w.skip(size) {
			return 0, false
		}
		if size == 2 {
			n = int(int16(binary.BigEndian.Uint16(b)))
		} else {
			n = int(int32(binary.BigEndian.Uint32(b)))
		}
	}
	if n < 0 {
		if !nullable {
			return 0, w.fail(Malformed, "null where a value is required")
		}
		n = 0
	}
	if n > 1<<31-2 { // beyond what kmsg's int32 holds
		return 0, w.fail(Malformed, "length %d", n)
	}
	return n, true
}

func (w *shapeWalk) uvarint() (uint32, bool) {
	u, n := kbin.Uvarint(w.rest)
	if n <= 0 {
		if n < 0 {
			return 0, w.fail(Malformed, "a varint of more than 32 bits")
		}
		return 0, w.fail(Incomplete, "the frame ends inside a varint")
	}
	w.rest = w.rest[n:]
	return u, true
}

func (w *shapeWalk) skip(n int) bool {
	if n > len(w.rest) {
		return w.fail(Incomplete, "%d bytes wanted, %d left", n, len(w.rest))
	}
	w.rest = w.rest[n:]
	return true
}
