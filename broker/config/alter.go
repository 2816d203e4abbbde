package config

import (
	"maps"
	"slices"
	"strings"
)

// OpType is what an IncrementalAlterConfigs entry does (KIP-339).
type OpType int8

const (
	Set      OpType = 0
	Delete   OpType = 1
	Append   OpType = 2
	Subtract OpType = 3
)

func (o OpType) String() string {
	switch o {
	case Set:
		return "SET"
	case Delete:
		return "DELETE"
	case Append:
		return "APPEND"
	case Subtract:
		return "SUBTRACT"
	}
	return "UNKNOWN"
}

// Op is one change that a client asks for.
type Op struct {
	Type  OpType
	Name  string
	Value *string // nil with Delete
}

// Change is one config to write: a new value, or nil to remove it.
type Change struct {
	Name  string
	Value *string
}

// AlterTopic decides changes to a topic's dynamic configs, of which l.Topic holds
// the present ones. It returns what differs from them, by name, or an [Error];
// then nothing may be changed.
func (l *Layers) AlterTopic(ops []Op) ([]Change, error) {
	changes, after, err := alter(topicKeys, l.Topic, l.topicText, ops)
	if err != nil {
		return nil, err
	}
	if err := l.ValidateTopic(after); err != nil {
		return nil, err
	}
	return changes, nil
}

// topicText is the effective value that an append or subtraction starts from when
// the topic does not set the config itself.
func (l *Layers) topicText(k *Key) string { return *l.topicValues(k)[0].Value }

// ValidateTopic checks all dynamic configs that a topic is to have, with l's other
// layers behind them. The error is an [Error].
func (l *Layers) ValidateTopic(configs Values) error {
	if err := checkNames(configs, topicKeys, "Unknown topic config name"); err != nil {
		return err
	}
	after := *l
	after.Topic = configs
	_, err := after.TopicConfig()
	return err
}

// AlterBroker decides changes to the dynamic configs of one broker (with present
// the layer Broker) or of all (perBroker false, present the layer Cluster). Unlike
// for topics, unchanged values are returned too: writing them makes brokers read
// files again that a value points to (KAFKA-14136).
func AlterBroker(present Values, ops []Op, perBroker bool) ([]Change, error) {
	for _, op := range ops {
		k, ok := BrokerKey(op.Name)
		switch {
		case !ok:
			return nil, checkNames(Values{op.Name: ""}, brokerKeys, "Unknown broker config name")
		case k.Scope == ReadOnly:
			return nil, invalidRequest("Cannot update these configs dynamically: Set(%s)", op.Name)
		case k.Scope == PerBroker && !perBroker:
			return nil, invalidRequest("Cannot update these configs at default cluster level, broker id must be specified: Set(%s)", op.Name)
		}
	}
	startFrom := func(k *Key) string { return k.Default }
	_, after, err := alter(brokerKeys, present, startFrom, ops)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for _, op := range ops {
		k, _ := BrokerKey(op.Name)
		v, set := after[op.Name]
		if !set {
			changes = append(changes, Change{Name: op.Name})
			continue
		}
		if _, err := k.parse(v); err != nil {
			return nil, err
		}
		changes = append(changes, Change{op.Name, &v})
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	return changes, nil
}

// alter applies ops to present, and returns what differs and the whole outcome.
func alter(table []Key, present Values, startFrom func(*Key) string, ops []Op) ([]Change, Values, error) {
	after := maps.Clone(present)
	if after == nil {
		after = make(Values)
	}
	seen := make(map[string]bool, len(ops))
	for _, op := range ops {
		if seen[op.Name] {
			return nil, nil, invalidRequest("Error due to duplicate config keys")
		}
		seen[op.Name] = true
		if op.Value == nil && op.Type != Delete {
			return nil, nil, invalidRequest("Null value not supported for : %s:%s", op.Type, op.Name)
		}
		switch op.Type {
		case Set:
			after[op.Name] = *op.Value
		case Delete:
			delete(after, op.Name)
		case Append, Subtract:
			k, ok := find(table, op.Name)
			if !ok {
				after[op.Name] = *op.Value // the caller's check of names refuses it
				continue
			}
			if k.Type != List {
				return nil, nil, invalidConfig("Can't %s to key %s because its type is not LIST.", op.Type, op.Name)
			}
			old, set := present[op.Name]
			if !set {
				old = startFrom(k)
			}
			after[op.Name] = changeList(old, *op.Value, op.Type)
		default:
			return nil, nil, invalidRequest("Unknown operations type %d", op.Type)
		}
	}
	var changes []Change
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		before, was := present[name]
		now, is := after[name]
		switch {
		case is && (!was || before != now):
			changes = append(changes, Change{name, &now})
		case was && !is:
			changes = append(changes, Change{Name: name})
		}
	}
	return changes, after, nil
}

func changeList(old, operand string, op OpType) string {
	items := splitList(old)
	for _, item := range splitList(operand) {
		i := slices.Index(items, item)
		switch {
		case op == Append && i < 0:
			items = append(items, item)
		case op == Subtract && i >= 0:
			items = slices.Delete(items, i, i+1)
		}
	}
	return strings.Join(items, ",")
}
