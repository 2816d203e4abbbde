package bench

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// Scenario is one workload, as its file describes it. Names and meanings of the fields
// are those of the OpenMessaging Benchmark's workload and driver files where it has them.
type Scenario struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	// Variant is which of the file's variants this is, "" if it has none.
	Variant string `yaml:"-"`

	// Brokers is how many brokers there are, for targets that are started: 1 or 3.
	Brokers            int               `yaml:"brokers"`
	BrokerConfig       map[string]string `yaml:"brokerConfig"`
	Topics             int               `yaml:"topics"`
	PartitionsPerTopic int               `yaml:"partitionsPerTopic"`
	ReplicationFactor  int               `yaml:"replicationFactor"`
	TopicConfig        map[string]string `yaml:"topicConfig"`

	// MessageSize is the bytes of a record's value.
	MessageSize int `yaml:"messageSize"`
	// UseRandomizedPayloads fills RandomBytesRatio of each value with bytes that do not
	// compress, the rest with zeros. Without it all of them are random.
	UseRandomizedPayloads bool    `yaml:"useRandomizedPayloads"`
	RandomBytesRatio      float64 `yaml:"randomBytesRatio"`
	// KeyDistributor is NO_KEY, KEY_ROUND_ROBIN, RANDOM or ZIPFIAN (exponent 1.1), over
	// Keys keys.
	KeyDistributor string `yaml:"keyDistributor"`
	Keys           int    `yaml:"keys"`

	ProducersPerTopic int `yaml:"producersPerTopic"`
	// ProducerRate is in records a second over all producers; 0 is as fast as they can.
	ProducerRate float64 `yaml:"producerRate"`
	// ProducerRates are the rates of a sweep, instead of ProducerRate.
	ProducerRates []float64 `yaml:"producerRates"`
	// ProducerConfig and ConsumerConfig are Kafka's client configs, of those that
	// [ClientConfigs] lists.
	ProducerConfig map[string]string `yaml:"producerConfig"`
	// RecordsPerTransaction groups what a producer sends; 0 is without transactions.
	RecordsPerTransaction int `yaml:"recordsPerTransaction"`

	// SubscriptionsPerTopic is how many consumer groups read each topic, each with
	// ConsumerPerSubscription members. With 1 and 0, or 0, nobody reads.
	SubscriptionsPerTopic   int               `yaml:"subscriptionsPerTopic"`
	ConsumerPerSubscription int               `yaml:"consumerPerSubscription"`
	ConsumerConfig          map[string]string `yaml:"consumerConfig"`
	// CatchUpReaders read every topic from its beginning, again and again.
	CatchUpReaders int `yaml:"catchUpReaders"`
	// ConsumerBacklogSizeGB is written before consumers start; the run then lasts until
	// they have caught up.
	ConsumerBacklogSizeGB float64 `yaml:"consumerBacklogSizeGB"`

	WarmupDuration time.Duration `yaml:"warmupDuration"`
	TestDuration   time.Duration `yaml:"testDuration"`
	Repetitions    int           `yaml:"repetitions"`
	Faults         []Fault       `yaml:"faults"`
}

// Fault strikes in mid-run.
type Fault struct {
	// Kind is kill-leader (kill -9 of the leader of the first topic's partition 0; a
	// machine that loses no power), or add-consumer and remove-consumer, which make each
	// group rebalance.
	Kind string `yaml:"kind"`
	// At counts from the end of the warm-up.
	At time.Duration `yaml:"at"`
	// For is how long what was killed stays down, or what was added stays.
	For time.Duration `yaml:"for"`
}

// file is a scenario with its variants, each of which says only what differs.
type file struct {
	Scenario `yaml:",inline"`
	Variants []yaml.Node `yaml:"variants"`
}

// Defaults of what a file leaves out.
func defaults() Scenario {
	return Scenario{
		Brokers: 1, Topics: 1, PartitionsPerTopic: 1, ReplicationFactor: 1, MessageSize: 1024,
		KeyDistributor: "NO_KEY", Keys: 10_000, ProducersPerTopic: 1, SubscriptionsPerTopic: 1, ConsumerPerSubscription: 1,
		WarmupDuration: 3 * time.Second, TestDuration: 10 * time.Second, Repetitions: 3,
	}
}

// Parse reads a scenario file: one scenario for each variant, in order, or one if there
// are none. Unknown fields are errors.
func Parse(text []byte) ([]Scenario, error) {
	f := file{Scenario: defaults()}
	if err := Decode(text, &f); err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	list := []Scenario{f.Scenario}
	if len(f.Variants) > 0 {
		list = nil
	}
	for i := range f.Variants {
		s, err := f.variant(&f.Variants[i])
		if err != nil {
			return nil, fmt.Errorf("scenario %s: variant %d: %w", f.Name, i+1, err)
		}
		list = append(list, s)
	}
	for i := range list {
		if err := list[i].Validate(); err != nil {
			return nil, fmt.Errorf("scenario %s: %w", list[i].Title(), err)
		}
	}
	return list, nil
}

// variant is the scenario with what a variant says over it. Maps are merged.
func (f *file) variant(n *yaml.Node) (Scenario, error) {
	v := struct {
		Variant  string `yaml:"variant"`
		Scenario `yaml:",inline"`
	}{Scenario: f.Scenario.clone()}
	text, err := yaml.Marshal(n)
	if err != nil {
		return Scenario{}, err
	}
	if err := Decode(text, &v); err != nil {
		// Lines would be counted from the variant's own first one.
		return Scenario{}, errors.New(lineNumber.ReplaceAllString(err.Error(), ""))
	}
	if v.Variant == "" {
		return Scenario{}, errors.New("it has no name: give it one as variant: NAME")
	}
	v.Scenario.Variant = v.Variant
	return v.Scenario, nil
}

func (s *Scenario) clone() Scenario {
	c := *s
	c.BrokerConfig, c.TopicConfig = maps.Clone(s.BrokerConfig), maps.Clone(s.TopicConfig)
	c.ProducerConfig, c.ConsumerConfig = maps.Clone(s.ProducerConfig), maps.Clone(s.ConsumerConfig)
	c.ProducerRates, c.Faults = slices.Clone(s.ProducerRates), slices.Clone(s.Faults)
	return c
}

// Title names the scenario and its variant.
func (s *Scenario) Title() string {
	if s.Variant == "" {
		return s.Name
	}
	return s.Name + "/" + s.Variant
}

// Consumers is how many members all groups have.
func (s *Scenario) Consumers() int {
	return s.Topics * s.SubscriptionsPerTopic * s.ConsumerPerSubscription
}

// Rates are the rates to run at, in records a second: those of a sweep, or one.
func (s *Scenario) Rates() []float64 {
	if len(s.ProducerRates) > 0 {
		return s.ProducerRates
	}
	return []float64{s.ProducerRate}
}

// ClientConfigs are the client configs that a scenario may set, with what they are if it
// does not. The same ones reach every client that the bench drives.
var ClientConfigs = struct{ Producer, Consumer map[string]string }{
	Producer: map[string]string{
		"acks": "all", "enable.idempotence": "true", "linger.ms": "0", "batch.size": "1048576",
		"compression.type": "none", "max.in.flight.requests.per.connection": "5", "transaction.timeout.ms": "60000",
	},
	Consumer: map[string]string{
		"isolation.level": "read_uncommitted", "fetch.min.bytes": "1", "fetch.max.wait.ms": "500",
		"fetch.max.bytes": "52428800", "max.partition.fetch.bytes": "1048576", "group.protocol": "classic",
	},
}

// Producer is a producer config, or its default.
func (s *Scenario) Producer(name string) string {
	if v, ok := s.ProducerConfig[name]; ok {
		return v
	}
	return ClientConfigs.Producer[name]
}

// Consumer is a consumer config, or its default.
func (s *Scenario) Consumer(name string) string {
	if v, ok := s.ConsumerConfig[name]; ok {
		return v
	}
	return ClientConfigs.Consumer[name]
}

// Validate reports what no run could do.
func (s *Scenario) Validate() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(s.Name == "", "name is empty")
	wrong(s.Brokers != 1 && s.Brokers != 3, "brokers: %d, want 1 or 3", s.Brokers)
	wrong(s.ReplicationFactor < 1 || s.ReplicationFactor > s.Brokers, "replicationFactor: %d, want 1 to brokers (%d)", s.ReplicationFactor, s.Brokers)
	wrong(s.Topics < 1 || s.PartitionsPerTopic < 1, "topics: %d, partitionsPerTopic: %d, want 1 or more", s.Topics, s.PartitionsPerTopic)
	wrong(s.MessageSize < minMessage, "messageSize: %d, want %d or more: a value carries its number and the time it was due", s.MessageSize, minMessage)
	wrong(s.RandomBytesRatio < 0 || s.RandomBytesRatio > 1, "randomBytesRatio: %v, want 0 to 1", s.RandomBytesRatio)
	wrong(!slices.Contains([]string{"NO_KEY", "KEY_ROUND_ROBIN", "RANDOM", "ZIPFIAN"}, s.KeyDistributor), "keyDistributor: %q, want NO_KEY, KEY_ROUND_ROBIN, RANDOM or ZIPFIAN", s.KeyDistributor)
	wrong(s.Keys < 1, "keys: %d, want 1 or more", s.Keys)
	wrong(s.ProducersPerTopic < 0 || s.SubscriptionsPerTopic < 0 || s.ConsumerPerSubscription < 0 || s.CatchUpReaders < 0 || s.RecordsPerTransaction < 0,
		"numbers of users cannot be negative")
	wrong(s.ProducersPerTopic == 0 && s.ConsumerBacklogSizeGB == 0, "there is nothing to do: no producers, no backlog")
	for _, r := range s.Rates() {
		wrong(r < 0, "producerRate: %v, want 0 (as fast as they can) or more", r)
	}
	wrong(s.TestDuration <= 0 || s.WarmupDuration < 0, "testDuration: %v, warmupDuration: %v, want a time such as 10s", s.TestDuration, s.WarmupDuration)
	wrong(s.Repetitions < 1, "repetitions: %d, want 1 or more", s.Repetitions)
	for _, c := range []struct {
		field     string
		set, have map[string]string
	}{{"producerConfig", s.ProducerConfig, ClientConfigs.Producer}, {"consumerConfig", s.ConsumerConfig, ClientConfigs.Consumer}} {
		for _, name := range slices.Sorted(maps.Keys(c.set)) {
			_, ok := c.have[name]
			wrong(!ok, "%s: %s is not known; those that are: %v", c.field, name, slices.Sorted(maps.Keys(c.have)))
		}
	}
	for _, f := range s.Faults {
		wrong(!slices.Contains([]string{"kill-leader", "add-consumer", "remove-consumer"}, f.Kind), "faults: kind %q, want kill-leader, add-consumer or remove-consumer", f.Kind)
		wrong(f.At < 0 || f.At+f.For > s.TestDuration, "faults: %s at %v for %v is not within testDuration %v", f.Kind, f.At, f.For, s.TestDuration)
	}
	return errors.Join(errs...)
}

// minMessage is the header of every value: its number and when it was due (ns).
const minMessage = 16
