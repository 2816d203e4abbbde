package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Type is how a config's text is read, with the ids of DescribeConfigs (KIP-569).
type Type int8

const (
	Boolean  Type = 1
	String   Type = 2
	Int      Type = 3 // 32 bits
	Short    Type = 4 // 16 bits
	Long     Type = 5 // 64 bits
	Double   Type = 6 // decimal, kept as parts per million
	List     Type = 7 // separated by commas
	Class    Type = 8
	Password Type = 9
)

func (t Type) String() string {
	names := [...]string{1: "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}
	if t < 1 || int(t) >= len(names) {
		return fmt.Sprintf("Type(%d)", int8(t))
	}
	return names[t]
}

// Scope says where a broker config may be changed while the broker runs.
type Scope int8

const (
	// ReadOnly configs come from the file only.
	ReadOnly Scope = iota
	// PerBroker configs may be set for one broker.
	PerBroker
	// ClusterWide configs may be set for one broker or for all.
	ClusterWide
)

// Key is one config. Keys are never modified.
type Key struct {
	Name string
	Type Type
	// Default is the text of the default; NoDefault means that there is none and
	// the value is null (for a required key: must be set).
	Default   string
	NoDefault bool
	Doc       string
	Sensitive bool
	// Scope is meaningful for broker configs; those of topics and groups can always be changed.
	Scope Scope
	// Synonyms are the broker configs behind a topic's or group's config, the first
	// one that is set wins.
	Synonyms []Synonym

	check check
	// least and most are the broker configs that a group's config is bounded by.
	least, most string
	// Where the typed value lives. Nil for keys that only feed others.
	topic  func(*Topic) any
	group  func(*Group) any
	broker func(*Broker) any
}

// Synonym is a broker config that a topic's or group's config falls back to.
type Synonym struct {
	Name string
	// Factor converts the broker's unit, such as hours, to the topic's.
	Factor int64
}

// ErrInvalidConfig is wrapped by errors that Kafka answers with INVALID_CONFIG.
var ErrInvalidConfig = errors.New("invalid config")

// ErrInvalidRequest is wrapped by errors that Kafka answers with INVALID_REQUEST.
var ErrInvalidRequest = errors.New("invalid request")

// Error is a refusal with the text that a client gets.
type Error struct {
	Kind    error // ErrInvalidConfig or ErrInvalidRequest
	Message string
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Kind }

func invalidConfig(format string, args ...any) error {
	return &Error{ErrInvalidConfig, fmt.Sprintf(format, args...)}
}

func invalidRequest(format string, args ...any) error {
	return &Error{ErrInvalidRequest, fmt.Sprintf(format, args...)}
}

// invalidValue has the wording of Kafka's ConfigException.
func invalidValue(name, value, why string) error {
	return invalidConfig("Invalid value %s for configuration %s: %s", value, name, why)
}

// TopicKey finds a topic config by name.
func TopicKey(name string) (*Key, bool) { return find(topicKeys, name) }

// BrokerKey finds a broker config by name.
func BrokerKey(name string) (*Key, bool) { return find(brokerKeys, name) }

// TopicKeys lists the topic configs by name.
func TopicKeys() []*Key { return pointers(topicKeys) }

// GroupKeys lists the configs of groups by name.
func GroupKeys() []*Key { return pointers(groupKeys) }

// BrokerKeys lists the broker configs by name.
func BrokerKeys() []*Key { return pointers(brokerKeys) }

func pointers(table []Key) []*Key {
	keys := make([]*Key, len(table))
	for i := range table {
		keys[i] = &table[i]
	}
	return keys
}

func find(table []Key, name string) (*Key, bool) {
	i, ok := slices.BinarySearchFunc(table, name, func(k Key, name string) int { return strings.Compare(k.Name, name) })
	if !ok {
		return nil, false
	}
	return &table[i], true
}

// sorted puts a table in order of names, which [find] relies on.
func sorted(tables ...[]Key) []Key {
	table := slices.Concat(tables...)
	slices.SortFunc(table, func(a, b Key) int { return strings.Compare(a.Name, b.Name) })
	return table
}
