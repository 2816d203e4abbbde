// Package config is the registry of topic, group and broker configs under Kafka's names:
// type, default, limits, synonyms, documentation, and who may change them when.
//
// A config's value comes from the first layer that sets it: the topic or group
// itself, the broker's dynamic configs, the cluster-wide dynamic configs, the
// broker's file, the default ([Layers]). A topic's or group's config looks at each
// broker layer under its synonyms there, so that retention.ms follows
// log.retention.hours.
//
// [Topic], [Group] and [Broker] hold all effective values in Go types; code reads
// those. [Layers.DescribeTopic], [Layers.DescribeGroup] and [Layers.DescribeBroker]
// answer DescribeConfigs, [Layers.AlterTopic], [Layers.AlterGroup] and [AlterBroker]
// decide IncrementalAlterConfigs, and [ParseProperties] reads a server.properties file.
//
// Unknown names are refused, with the nearest known one, so that a misspelt
// setting cannot be silently without effect.
//
// # Imports
//
// The standard library and broker/wire. Start reading at key.go.
//
// # Rejected
//
// Struct tags and reflection: the table with one accessor per key can be searched,
// and the compiler checks the types. Floating point: ratios are read as decimal
// text into parts per million, because decisions must not depend on rounding.
package config
