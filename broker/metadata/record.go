package metadata

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
)

// Record is one entry of the metadata log. The implementations are the pointer
// types named ...Record in this package; a record is never modified once built.
type Record interface {
	// Type is Kafka's id of the record type (its "apiKey" in the schemas).
	Type() RecordType
	// version is the schema version that we write.
	version() uint32
	// append encodes the fields at the version that we write.
	append(dst []byte) []byte
	// decode reads fields of the given version; the reader collects errors.
	decode(r *kbin.Reader, version uint32)
}

// RecordType is the id of a record type.
type RecordType int16

// Kafka's ids of the record types that we write.
const (
	TypeRegisterBroker           RecordType = 0
	TypeUnregisterBroker         RecordType = 1
	TypeTopic                    RecordType = 2
	TypePartition                RecordType = 3
	TypeConfig                   RecordType = 4
	TypePartitionChange          RecordType = 5
	TypeFenceBroker              RecordType = 7
	TypeUnfenceBroker            RecordType = 8
	TypeRemoveTopic              RecordType = 9
	TypeFeatureLevel             RecordType = 12
	TypeProducerIDs              RecordType = 15
	TypeBrokerRegistrationChange RecordType = 17
	TypeNoOp                     RecordType = 20
)

// frameVersion is the only version of the frame around a record.
const frameVersion = 1

// ErrUnknownRecord is wrapped by [Decode] for a record of a type or version that
// this build does not know.
var ErrUnknownRecord = errors.New("unknown metadata record")

// ErrMalformed is wrapped by [Decode] for bytes that are no record.
var ErrMalformed = errors.New("malformed metadata record")

// newRecord returns an empty record of a type and the highest version of it that
// we can read, or nil.
func newRecord(t RecordType) (Record, uint32) {
	switch t {
	case TypeRegisterBroker:
		return new(RegisterBrokerRecord), 3
	case TypeUnregisterBroker:
		return new(UnregisterBrokerRecord), 0
	case TypeTopic:
		return new(TopicRecord), 0
	case TypePartition:
		return new(PartitionRecord), 2
	case TypeConfig:
		return new(ConfigRecord), 0
	case TypePartitionChange:
		return new(PartitionChangeRecord), 2
	case TypeFenceBroker:
		return new(FenceBrokerRecord), 0
	case TypeUnfenceBroker:
		return new(UnfenceBrokerRecord), 0
	case TypeRemoveTopic:
		return new(RemoveTopicRecord), 0
	case TypeFeatureLevel:
		return new(FeatureLevelRecord), 0
	case TypeProducerIDs:
		return new(ProducerIDsRecord), 0
	case TypeBrokerRegistrationChange:
		return new(BrokerRegistrationChangeRecord), 2
	case TypeNoOp:
		return new(NoOpRecord), 0
	}
	return nil, 0
}

// Append appends the framed record to dst: frame version, type and version as
// unsigned varints, then the flexible-version message.
func Append(dst []byte, r Record) []byte {
	dst = kbin.AppendUvarint(dst, frameVersion)
	dst = kbin.AppendUvarint(dst, uint32(r.Type()))
	dst = kbin.AppendUvarint(dst, r.version())
	return r.append(dst)
}

// Decode reads one framed record, which must fill b exactly. Unknown tagged
// fields are skipped, as flexible versions demand. Errors wrap [ErrMalformed] or
// [ErrUnknownRecord].
func Decode(b []byte) (Record, error) {
	r := kbin.Reader{Src: b}
	frame, typ, version := r.Uvarint(), r.Uvarint(), r.Uvarint()
	if !r.Ok() || frame != frameVersion || typ > 1<<15-1 {
		return nil, fmt.Errorf("%w: bad frame", ErrMalformed)
	}
	rec, highest := newRecord(RecordType(typ))
	if rec == nil || version > highest {
		return nil, fmt.Errorf("%w: type %d version %d", ErrUnknownRecord, typ, version)
	}
	rec.decode(&r, version)
	if err := r.Complete(); err != nil {
		return nil, fmt.Errorf("%w: type %d: %w", ErrMalformed, typ, err)
	}
	if len(r.Src) != 0 {
		return nil, fmt.Errorf("%w: type %d: %d bytes too many", ErrMalformed, typ, len(r.Src))
	}
	return rec, nil
}
