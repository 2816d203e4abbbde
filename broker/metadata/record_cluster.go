package metadata

import (
	"github.com/twmb/franz-go/pkg/kbin"

	"odradek/broker/wire"
)

// ResourceType says what a config belongs to, with Kafka's ids.
type ResourceType int8

const (
	TopicResource  ResourceType = 2
	BrokerResource ResourceType = 4
	GroupResource  ResourceType = 32
)

func (t ResourceType) String() string {
	switch t {
	case TopicResource:
		return "TOPIC"
	case BrokerResource:
		return "BROKER"
	case GroupResource:
		return "GROUP"
	}
	return "UNKNOWN"
}

// Resource owns configs: a topic by name, a broker by decimal id, all brokers by the
// empty name, or a group by its id, which need not exist.
type Resource struct {
	Type ResourceType
	Name string
}

// ConfigRecord (4) sets one dynamic config, or deletes it if Value is nil.
type ConfigRecord struct {
	Resource Resource
	Name     string
	Value    *string
}

func (*ConfigRecord) Type() RecordType { return TypeConfig }
func (*ConfigRecord) version() uint32  { return 0 }

func (m *ConfigRecord) append(dst []byte) []byte {
	dst = kbin.AppendInt8(dst, int8(m.Resource.Type))
	dst = kbin.AppendCompactString(dst, m.Resource.Name)
	dst = kbin.AppendCompactString(dst, m.Name)
	dst = kbin.AppendCompactNullableString(dst, m.Value)
	return noTags(dst)
}

func (m *ConfigRecord) decode(r *kbin.Reader, _ uint32) {
	m.Resource.Type = ResourceType(r.Int8())
	m.Resource.Name = r.CompactString()
	m.Name = r.CompactString()
	m.Value = r.CompactNullableString()
	readTags(r, nil)
}

// Names of features.
const (
	// MetadataVersion is the level of the metadata log's schemas.
	MetadataVersion = "metadata.version"
	// GroupVersion enables consumer groups of KIP-848.
	GroupVersion = "group.version"
	// TransactionVersion enables transactions of KIP-890.
	TransactionVersion = "transaction.version"
	// ELRVersion enables eligible leader replicas (KIP-966).
	ELRVersion = "eligible.leader.replicas.version"
)

// FeatureLevelRecord (12) finalises a feature at a level; 0 is off. A log starts
// with the one of metadata.version.
type FeatureLevelRecord struct {
	Name  string
	Level int16
}

func (*FeatureLevelRecord) Type() RecordType { return TypeFeatureLevel }
func (*FeatureLevelRecord) version() uint32  { return 0 }

func (m *FeatureLevelRecord) append(dst []byte) []byte {
	dst = kbin.AppendCompactString(dst, m.Name)
	dst = kbin.AppendInt16(dst, m.Level)
	return noTags(dst)
}

func (m *FeatureLevelRecord) decode(r *kbin.Reader, _ uint32) {
	m.Name = r.CompactString()
	m.Level = r.Int16()
	readTags(r, nil)
}

// ProducerIDsRecord (15): a block of producer ids was handed to a broker.
type ProducerIDsRecord struct {
	BrokerID    wire.NodeID
	BrokerEpoch wire.BrokerEpoch
	// NextProducerID is the first id that is still free.
	NextProducerID int64
}

func (*ProducerIDsRecord) Type() RecordType { return TypeProducerIDs }
func (*ProducerIDsRecord) version() uint32  { return 0 }

func (m *ProducerIDsRecord) append(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, int32(m.BrokerID))
	dst = kbin.AppendInt64(dst, int64(m.BrokerEpoch))
	dst = kbin.AppendInt64(dst, m.NextProducerID)
	return noTags(dst)
}

func (m *ProducerIDsRecord) decode(r *kbin.Reader, _ uint32) {
	m.BrokerID = wire.NodeID(r.Int32())
	m.BrokerEpoch = wire.BrokerEpoch(r.Int64())
	m.NextProducerID = r.Int64()
	readTags(r, nil)
}

// NoOpRecord (20) changes nothing; it moves the log's end (KIP-835).
type NoOpRecord struct{}

func (*NoOpRecord) Type() RecordType                { return TypeNoOp }
func (*NoOpRecord) version() uint32                 { return 0 }
func (*NoOpRecord) append(dst []byte) []byte        { return noTags(dst) }
func (*NoOpRecord) decode(r *kbin.Reader, _ uint32) { readTags(r, nil) }
