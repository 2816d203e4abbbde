package config

import (
	"fmt"
	"slices"
)

// Values are configs by name, as text.
type Values map[string]string

// Layers are the places where a config can be set, nearest first. Missing layers
// are nil. Nothing is validated on the way in: a value that does not parse is an
// error of whoever reads it.
type Layers struct {
	Topic   Values // dynamic configs of the topic
	Group   Values // dynamic configs of the group
	Broker  Values // dynamic configs of this broker
	Cluster Values // dynamic configs of all brokers
	Static  Values // the broker's file
}

// Source says which layer a value came from, with the ids of DescribeConfigs.
type Source int8

const (
	DynamicTopic   Source = 1
	DynamicBroker  Source = 2
	DynamicCluster Source = 3
	StaticBroker   Source = 4
	DefaultValue   Source = 5
	DynamicGroup   Source = 8
)

func (s Source) String() string {
	names := [...]string{
		1: "DYNAMIC_TOPIC_CONFIG", "DYNAMIC_BROKER_CONFIG", "DYNAMIC_DEFAULT_BROKER_CONFIG",
		"STATIC_BROKER_CONFIG", "DEFAULT_CONFIG", 8: "DYNAMIC_GROUP_CONFIG",
	}
	if s < 1 || int(s) >= len(names) || names[s] == "" {
		return fmt.Sprintf("Source(%d)", int8(s))
	}
	return names[s]
}

// Entry is one effective config, as DescribeConfigs tells it.
type Entry struct {
	Key    *Key
	Value  *string // nil for null and for sensitive values
	Source Source
	// Synonyms are all places that set the config, the effective one first.
	Synonyms []SynonymValue
	ReadOnly bool
}

// SynonymValue is a value that some layer has for a config.
type SynonymValue struct {
	Name   string
	Value  *string
	Source Source
}

type layer struct {
	values Values
	source Source
}

func (l *Layers) brokerLayers() [3]layer {
	return [3]layer{{l.Broker, DynamicBroker}, {l.Cluster, DynamicCluster}, {l.Static, StaticBroker}}
}

// topicValues lists what every layer says of a topic config, the effective value
// first. The default is always there.
func (l *Layers) topicValues(k *Key) []SynonymValue { return l.values(layer{l.Topic, DynamicTopic}, k) }

// groupValues is the same for a config of the group.
func (l *Layers) groupValues(k *Key) []SynonymValue { return l.values(layer{l.Group, DynamicGroup}, k) }

// values lists what a layer and those of the broker say of a config with synonyms.
func (l *Layers) values(own layer, k *Key) []SynonymValue {
	var found []SynonymValue
	if v, ok := own.values[k.Name]; ok {
		found = append(found, SynonymValue{k.Name, &v, own.source})
	}
	for _, layer := range l.brokerLayers() {
		for _, s := range k.Synonyms {
			if v, ok := layer.values[s.Name]; ok {
				v = scale(v, s.Factor)
				found = append(found, SynonymValue{s.Name, &v, layer.source})
			}
		}
	}
	name := k.Name
	if len(k.Synonyms) > 0 {
		name = k.Synonyms[len(k.Synonyms)-1].Name
	}
	return append(found, SynonymValue{name, &k.Default, DefaultValue})
}

// brokerValues is the same for a broker config.
func (l *Layers) brokerValues(k *Key) []SynonymValue {
	var found []SynonymValue
	for _, layer := range l.brokerLayers() {
		if v, ok := layer.values[k.Name]; ok {
			found = append(found, SynonymValue{k.Name, &v, layer.source})
		}
	}
	if !k.NoDefault {
		found = append(found, SynonymValue{k.Name, &k.Default, DefaultValue})
	}
	return found
}

// TopicValue is the text of one topic config. The name must be known.
func (l *Layers) TopicValue(name string) string {
	k, ok := TopicKey(name)
	if !ok {
		panic("config: no topic config " + name)
	}
	return *l.topicValues(k)[0].Value
}

// TopicInt is a numeric topic config; of one that does not parse, the default.
// The name must be known.
func (l *Layers) TopicInt(name string) int64 { return l.topicValue(name).num }

// TopicBool is a Boolean topic config, likewise.
func (l *Layers) TopicBool(name string) bool { return l.topicValue(name).num != 0 }

func (l *Layers) topicValue(name string) value {
	k, ok := TopicKey(name)
	if !ok {
		panic("config: no topic config " + name)
	}
	return k.parseOrDefault(*l.topicValues(k)[0].Value)
}

// brokerInt is a numeric broker config that has a default; of one that does not
// parse, the default. The name must be known.
func (l *Layers) brokerInt(name string) int64 {
	k, ok := BrokerKey(name)
	if !ok {
		panic("config: no broker config " + name)
	}
	return k.parseOrDefault(*l.brokerValues(k)[0].Value).num
}

func (k *Key) parseOrDefault(text string) value {
	v, err := k.parse(text)
	if err != nil {
		v, err = k.parse(k.Default)
	}
	if err != nil {
		panic(fmt.Sprintf("config: default of %s: %v", k.Name, err))
	}
	return v
}

// TopicConfig is the typed form of all topic configs. An error wraps
// ErrInvalidConfig and is about a value that some layer should not have let in.
func (l *Layers) TopicConfig() (Topic, error) {
	var t Topic
	for i := range topicKeys {
		k := &topicKeys[i]
		v, err := k.parse(*l.topicValues(k)[0].Value)
		if err != nil {
			return Topic{}, err
		}
		assign(k.topic(&t), v)
	}
	if err := t.validate(); err != nil {
		return Topic{}, err
	}
	return t, nil
}

// validate checks what no single value shows.
func (t *Topic) validate() error {
	if t.MinCompactionLagMs > t.MaxCompactionLagMs {
		return invalidConfig("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)",
			t.MinCompactionLagMs, t.MaxCompactionLagMs)
	}
	return nil
}

// BrokerConfig is the typed form of all broker configs; l.Topic and l.Group play no part.
// Errors wrap ErrInvalidConfig: an unknown name, a value that does not parse, a
// missing required one, or values that do not fit together.
func (l *Layers) BrokerConfig() (*Broker, error) {
	for _, layer := range l.brokerLayers() {
		if err := checkNames(layer.values, brokerKeys, "Unknown broker config name"); err != nil {
			return nil, err
		}
	}
	b := new(Broker)
	for i := range brokerKeys {
		k := &brokerKeys[i]
		values := l.brokerValues(k)
		if len(values) == 0 {
			if k.broker != nil {
				return nil, invalidConfig("Missing required configuration %q which has no default value.", k.Name)
			}
			continue
		}
		v, err := k.parse(*values[0].Value)
		if err != nil {
			return nil, err
		}
		if k.broker != nil {
			assign(k.broker(b), v)
		}
	}
	withoutTopic := Layers{Broker: l.Broker, Cluster: l.Cluster, Static: l.Static}
	var err error
	if b.TopicDefaults, err = withoutTopic.TopicConfig(); err != nil {
		return nil, err
	}
	if err := b.resolve(); err != nil {
		return nil, err
	}
	return b, nil
}

// DescribeTopic answers DescribeConfigs for a topic: the named configs, or all of
// them if names is nil, by name. Unknown names are left out, as in Kafka.
func (l *Layers) DescribeTopic(names []string) []Entry {
	return describe(topicKeys, names, func(k *Key) Entry {
		return entry(k, l.topicValues(k), false)
	})
}

// DescribeGroup is the same for a group: what it sets is told as it is, also where
// [Broker.Group] takes a bound instead.
func (l *Layers) DescribeGroup(names []string) []Entry {
	return describe(groupKeys, names, func(k *Key) Entry { return entry(k, l.groupValues(k), false) })
}

// DescribeBroker is the same for a broker.
func (l *Layers) DescribeBroker(names []string) []Entry {
	return describe(brokerKeys, names, func(k *Key) Entry {
		return entry(k, l.brokerValues(k), k.Scope == ReadOnly)
	})
}

func describe(table []Key, names []string, describeKey func(*Key) Entry) []Entry {
	var entries []Entry
	for i := range table {
		if k := &table[i]; names == nil || slices.Contains(names, k.Name) {
			entries = append(entries, describeKey(k))
		}
	}
	return entries
}

func entry(k *Key, values []SynonymValue, readOnly bool) Entry {
	e := Entry{Key: k, Source: DefaultValue, Synonyms: values, ReadOnly: readOnly}
	if len(values) > 0 {
		e.Value, e.Source = values[0].Value, values[0].Source
	}
	if k.Sensitive {
		e.Value = nil
		e.Synonyms = slices.Clone(values)
		for i := range e.Synonyms {
			e.Synonyms[i].Value = nil
		}
	}
	return e
}
