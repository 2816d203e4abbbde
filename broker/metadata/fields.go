package metadata

import (
	"github.com/twmb/franz-go/pkg/kbin"

	"odradek/broker/wire"
)

// Field encodings that several records share. All are those of flexible versions.

func appendNodes(dst []byte, nodes []wire.NodeID) []byte {
	dst = kbin.AppendCompactArrayLen(dst, len(nodes))
	for _, n := range nodes {
		dst = kbin.AppendInt32(dst, int32(n))
	}
	return dst
}

// readNodes returns nil for a null array and an empty slice for an empty one:
// change records give the two different meanings.
func readNodes(r *kbin.Reader) []wire.NodeID {
	n := int(r.CompactArrayLen())
	if n < 0 || !r.Ok() {
		return nil
	}
	nodes := make([]wire.NodeID, n)
	for i := range nodes {
		nodes[i] = wire.NodeID(r.Int32())
	}
	return nodes
}

func appendUUIDs(dst []byte, ids []wire.UUID) []byte {
	dst = kbin.AppendCompactArrayLen(dst, len(ids))
	for _, id := range ids {
		dst = kbin.AppendUuid(dst, id)
	}
	return dst
}

func readUUIDs(r *kbin.Reader) []wire.UUID {
	n := int(r.CompactArrayLen())
	if n < 0 || !r.Ok() {
		return nil
	}
	ids := make([]wire.UUID, n)
	for i := range ids {
		ids[i] = r.Uuid()
	}
	return ids
}

// noTags ends a struct that has no tagged fields set.
func noTags(dst []byte) []byte { return append(dst, 0) }

// tagWriter gathers tagged fields, which must be added in ascending order of tag.
type tagWriter struct {
	count uint32
	body  []byte
}

func (w *tagWriter) add(tag uint32, content []byte) {
	w.count++
	w.body = kbin.AppendUvarint(w.body, tag)
	w.body = kbin.AppendUvarint(w.body, uint32(len(content)))
	w.body = append(w.body, content...)
}

// addNodes adds a nullable array unless it is null, which is its default.
func (w *tagWriter) addNodes(tag uint32, nodes []wire.NodeID) {
	if nodes != nil {
		w.add(tag, appendNodes(nil, nodes))
	}
}

// addUUIDs adds an array unless it is null.
func (w *tagWriter) addUUIDs(tag uint32, ids []wire.UUID) {
	if ids != nil {
		w.add(tag, appendUUIDs(nil, ids))
	}
}

func (w *tagWriter) appendTo(dst []byte) []byte {
	dst = kbin.AppendUvarint(dst, w.count)
	return append(dst, w.body...)
}

// readTags hands every tagged field to field, which reads what it knows. What it
// leaves unread is skipped; running past the field's size invalidates r.
func readTags(r *kbin.Reader, field func(tag uint32, r *kbin.Reader)) {
	for range r.Uvarint() {
		tag, size := r.Uvarint(), r.Uvarint()
		content := r.Span(int(size))
		if !r.Ok() {
			return
		}
		sub := kbin.Reader{Src: content}
		if field != nil {
			field(tag, &sub)
		}
		if !sub.Ok() {
			r.Span(-1) // the only way to mark a reader as failed
			return
		}
	}
}
