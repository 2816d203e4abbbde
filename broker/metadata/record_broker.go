package metadata

import (
	"github.com/twmb/franz-go/pkg/kbin"

	"odradek/broker/wire"
)

// Endpoint is where one listener of a broker can be reached.
type Endpoint struct {
	Listener         string // such as "PLAINTEXT"
	Host             string
	Port             uint16
	SecurityProtocol int16 // Kafka's ids: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL
}

// FeatureRange is the range of levels of one feature that a broker supports.
type FeatureRange struct {
	Name     string
	Min, Max int16
}

// RegisterBrokerRecord (0): a broker process introduced itself. It replaces any
// earlier registration of the same id.
type RegisterBrokerRecord struct {
	BrokerID      wire.NodeID
	IncarnationID wire.UUID
	// BrokerEpoch is the offset of this very record.
	BrokerEpoch          wire.BrokerEpoch
	Endpoints            []Endpoint
	Features             []FeatureRange
	Rack                 string // "" is none
	Fenced               bool
	InControlledShutdown bool
	LogDirs              []wire.UUID // KIP-858
}

func (*RegisterBrokerRecord) Type() RecordType { return TypeRegisterBroker }
func (*RegisterBrokerRecord) version() uint32  { return 3 }

func (m *RegisterBrokerRecord) append(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, int32(m.BrokerID))
	dst = kbin.AppendBool(dst, false) // migrating from ZooKeeper
	dst = kbin.AppendUuid(dst, m.IncarnationID)
	dst = kbin.AppendInt64(dst, int64(m.BrokerEpoch))
	dst = kbin.AppendCompactArrayLen(dst, len(m.Endpoints))
	for _, e := range m.Endpoints {
		dst = kbin.AppendCompactString(dst, e.Listener)
		dst = kbin.AppendCompactString(dst, e.Host)
		dst = kbin.AppendUint16(dst, e.Port)
		dst = kbin.AppendInt16(dst, e.SecurityProtocol)
		dst = noTags(dst)
	}
	dst = kbin.AppendCompactArrayLen(dst, len(m.Features))
	for _, f := range m.Features {
		dst = kbin.AppendCompactString(dst, f.Name)
		dst = kbin.AppendInt16(dst, f.Min)
		dst = kbin.AppendInt16(dst, f.Max)
		dst = noTags(dst)
	}
	var rack *string
	if m.Rack != "" {
		rack = &m.Rack
	}
	dst = kbin.AppendCompactNullableString(dst, rack)
	dst = kbin.AppendBool(dst, m.Fenced)
	dst = kbin.AppendBool(dst, m.InControlledShutdown)
	var tags tagWriter
	if len(m.LogDirs) > 0 {
		tags.addUUIDs(0, m.LogDirs)
	}
	return tags.appendTo(dst)
}

func (m *RegisterBrokerRecord) decode(r *kbin.Reader, version uint32) {
	m.BrokerID = wire.NodeID(r.Int32())
	if version >= 2 {
		r.Bool() // migrating from ZooKeeper: no such brokers here
	}
	m.IncarnationID = r.Uuid()
	m.BrokerEpoch = wire.BrokerEpoch(r.Int64())
	for range max(0, r.CompactArrayLen()) {
		var e Endpoint
		e.Listener = r.CompactString()
		e.Host = r.CompactString()
		e.Port = r.Uint16()
		e.SecurityProtocol = r.Int16()
		readTags(r, nil)
		m.Endpoints = append(m.Endpoints, e)
	}
	for range max(0, r.CompactArrayLen()) {
		var f FeatureRange
		f.Name = r.CompactString()
		f.Min = r.Int16()
		f.Max = r.Int16()
		readTags(r, nil)
		m.Features = append(m.Features, f)
	}
	if rack := r.CompactNullableString(); rack != nil {
		m.Rack = *rack
	}
	m.Fenced = r.Bool()
	if version >= 1 {
		m.InControlledShutdown = r.Bool()
	}
	readTags(r, func(tag uint32, r *kbin.Reader) {
		if tag == 0 {
			m.LogDirs = readUUIDs(r)
		}
	})
}

// UnregisterBrokerRecord (1): the cluster forgets a broker.
type UnregisterBrokerRecord struct {
	BrokerID    wire.NodeID
	BrokerEpoch wire.BrokerEpoch
}

func (*UnregisterBrokerRecord) Type() RecordType { return TypeUnregisterBroker }
func (*UnregisterBrokerRecord) version() uint32  { return 0 }
func (m *UnregisterBrokerRecord) append(dst []byte) []byte {
	return appendBroker(dst, m.BrokerID, m.BrokerEpoch)
}
func (m *UnregisterBrokerRecord) decode(r *kbin.Reader, _ uint32) {
	m.BrokerID, m.BrokerEpoch = readBroker(r)
}

// FenceBrokerRecord (7) fences a broker. We read it but write
// [BrokerRegistrationChangeRecord], as Kafka has since 3.3.
type FenceBrokerRecord struct {
	BrokerID    wire.NodeID
	BrokerEpoch wire.BrokerEpoch
}

func (*FenceBrokerRecord) Type() RecordType { return TypeFenceBroker }
func (*FenceBrokerRecord) version() uint32  { return 0 }
func (m *FenceBrokerRecord) append(dst []byte) []byte {
	return appendBroker(dst, m.BrokerID, m.BrokerEpoch)
}
func (m *FenceBrokerRecord) decode(r *kbin.Reader, _ uint32) {
	m.BrokerID, m.BrokerEpoch = readBroker(r)
}

// UnfenceBrokerRecord (8) is the opposite of [FenceBrokerRecord].
type UnfenceBrokerRecord struct {
	BrokerID    wire.NodeID
	BrokerEpoch wire.BrokerEpoch
}

func (*UnfenceBrokerRecord) Type() RecordType { return TypeUnfenceBroker }
func (*UnfenceBrokerRecord) version() uint32  { return 0 }
func (m *UnfenceBrokerRecord) append(dst []byte) []byte {
	return appendBroker(dst, m.BrokerID, m.BrokerEpoch)
}
func (m *UnfenceBrokerRecord) decode(r *kbin.Reader, _ uint32) {
	m.BrokerID, m.BrokerEpoch = readBroker(r)
}

func appendBroker(dst []byte, id wire.NodeID, epoch wire.BrokerEpoch) []byte {
	dst = kbin.AppendInt32(dst, int32(id))
	dst = kbin.AppendInt64(dst, int64(epoch))
	return noTags(dst)
}

func readBroker(r *kbin.Reader) (wire.NodeID, wire.BrokerEpoch) {
	id, epoch := wire.NodeID(r.Int32()), wire.BrokerEpoch(r.Int64())
	readTags(r, nil)
	return id, epoch
}

// Values of BrokerRegistrationChangeRecord.Fenced and, of the first two,
// InControlledShutdown.
const (
	NoChange int8 = 0
	SetTrue  int8 = 1
	SetFalse int8 = -1
)

// BrokerRegistrationChangeRecord (17) changes parts of a registration.
type BrokerRegistrationChangeRecord struct {
	BrokerID             wire.NodeID
	BrokerEpoch          wire.BrokerEpoch
	Fenced               int8        // NoChange, SetTrue or SetFalse
	InControlledShutdown int8        // NoChange or SetTrue: it ends only with the registration
	LogDirs              []wire.UUID // empty is no change
}

func (*BrokerRegistrationChangeRecord) Type() RecordType { return TypeBrokerRegistrationChange }
func (*BrokerRegistrationChangeRecord) version() uint32  { return 2 }

func (m *BrokerRegistrationChangeRecord) append(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, int32(m.BrokerID))
	dst = kbin.AppendInt64(dst, int64(m.BrokerEpoch))
	var tags tagWriter
	if m.Fenced != NoChange {
		tags.add(0, kbin.AppendInt8(nil, m.Fenced))
	}
	if m.InControlledShutdown != NoChange {
		tags.add(1, kbin.AppendInt8(nil, m.InControlledShutdown))
	}
	if len(m.LogDirs) > 0 {
		tags.addUUIDs(2, m.LogDirs)
	}
	return tags.appendTo(dst)
}

func (m *BrokerRegistrationChangeRecord) decode(r *kbin.Reader, _ uint32) {
	m.BrokerID = wire.NodeID(r.Int32())
	m.BrokerEpoch = wire.BrokerEpoch(r.Int64())
	readTags(r, func(tag uint32, r *kbin.Reader) {
		switch tag {
		case 0:
			m.Fenced = r.Int8()
		case 1:
			m.InControlledShutdown = r.Int8()
		case 2:
			m.LogDirs = readUUIDs(r)
		}
	})
}
