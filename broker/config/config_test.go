package config

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func node(overrides Values) *Layers {
	static := Values{"node.id": "1", "process.roles": "broker"}
	for k, v := range overrides {
		static[k] = v
	}
	return &Layers{Static: static}
}

func TestEveryKeyIsWellFormed(t *testing.T) {
	for _, table := range [][]*Key{TopicKeys(), GroupKeys(), BrokerKeys()} {
		for i, k := range table {
			if i > 0 && table[i-1].Name >= k.Name {
				t.Errorf("%s is there twice or out of order", k.Name)
			}
			if k.Doc == "" || !strings.HasSuffix(k.Doc, ".") {
				t.Errorf("%s: documentation %q", k.Name, k.Doc)
			}
			if k.NoDefault {
				continue
			}
			if _, err := k.parse(k.Default); err != nil && k.check != nil {
				t.Errorf("default: %v", err)
			}
		}
	}
}

// A topic's or group's config that nobody sets must be the default of its last synonym: a
// client is told that that is where it comes from.
func TestDefaultsOfSynonymsAgree(t *testing.T) {
	for _, k := range slices.Concat(TopicKeys(), GroupKeys()) {
		for i, s := range k.Synonyms {
			broker, ok := BrokerKey(s.Name)
			switch {
			case !ok:
				t.Errorf("%s: synonym %s is no broker config", k.Name, s.Name)
			case i < len(k.Synonyms)-1 && !broker.NoDefault:
				t.Errorf("%s: synonym %s has a default and hides the next one", k.Name, s.Name)
			case i == len(k.Synonyms)-1 && scale(broker.Default, s.Factor) != k.Default:
				t.Errorf("%s defaults to %s, but %s to %s", k.Name, k.Default, s.Name, broker.Default)
			}
		}
	}
}

func TestEveryKeyHasAFieldOfItsOwn(t *testing.T) {
	var topic Topic
	var broker Broker
	seen := make(map[any]string)
	feeds := make(map[string]bool)
	for _, k := range TopicKeys() {
		for _, s := range k.Synonyms {
			feeds[s.Name] = true
		}
		p := k.topic(&topic)
		if other := seen[p]; other != "" {
			t.Errorf("%s and %s share a field", k.Name, other)
		}
		seen[p] = k.Name
	}
	for _, k := range BrokerKeys() {
		if k.broker == nil {
			if !feeds[k.Name] {
				t.Errorf("%s goes nowhere", k.Name)
			}
			continue
		}
		p := k.broker(&broker)
		if other := seen[p]; other != "" {
			t.Errorf("%s and %s share a field", k.Name, other)
		}
		seen[p] = k.Name
	}
}

func TestNearestLayerWins(t *testing.T) {
	l := node(Values{"log.retention.hours": "2"})
	steps := []struct {
		change func()
		ms     int64
		source Source
		name   string
	}{
		{func() {}, 2 * 3_600_000, StaticBroker, "log.retention.hours"},
		{func() { l.Static["log.retention.minutes"] = "3" }, 180_000, StaticBroker, "log.retention.minutes"},
		{func() { l.Static["log.retention.ms"] = "4" }, 4, StaticBroker, "log.retention.ms"},
		{func() { l.Cluster = Values{"log.retention.ms": "5"} }, 5, DynamicCluster, "log.retention.ms"},
		{func() { l.Broker = Values{"log.retention.ms": "6"} }, 6, DynamicBroker, "log.retention.ms"},
		{func() { l.Topic = Values{"retention.ms": "7"} }, 7, DynamicTopic, "retention.ms"},
		{func() { l.Topic = Values{"retention.ms": "-1"} }, -1, DynamicTopic, "retention.ms"},
	}
	for _, s := range steps {
		s.change()
		topic, err := l.TopicConfig()
		if err != nil {
			t.Fatal(err)
		}
		e := l.DescribeTopic([]string{"retention.ms"})[0]
		if topic.RetentionMs != s.ms || *e.Value != strconv.FormatInt(s.ms, 10) || e.Source != s.source || e.Synonyms[0].Name != s.name {
			t.Errorf("retention.ms is %d (%s from %s %s), want %d from %s %s",
				topic.RetentionMs, *e.Value, e.Source, e.Synonyms[0].Name, s.ms, s.source, s.name)
		}
	}
	var places []string
	for _, s := range l.DescribeTopic([]string{"retention.ms"})[0].Synonyms {
		places = append(places, s.Name+"="+*s.Value+" "+s.Source.String())
	}
	want := []string{
		"retention.ms=-1 DYNAMIC_TOPIC_CONFIG", "log.retention.ms=6 DYNAMIC_BROKER_CONFIG", "log.retention.ms=5 DYNAMIC_DEFAULT_BROKER_CONFIG",
		"log.retention.ms=4 STATIC_BROKER_CONFIG", "log.retention.minutes=180000 STATIC_BROKER_CONFIG", "log.retention.hours=7200000 STATIC_BROKER_CONFIG",
		"log.retention.hours=604800000 DEFAULT_CONFIG",
	}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("synonyms: %s", diff)
	}
}

func TestUnitsSaturate(t *testing.T) {
	for text, want := range map[string]string{
		"2": "7200000", "-1": "-1", "0": "0", "2147483647": "7730941129200000",
		"9223372036854775807": strconv.FormatInt(math.MaxInt64, 10),
	} {
		if got := scale(text, msPerHour); got != want {
			t.Errorf("%s hours are %s ms, want %s", text, got, want)
		}
	}
}

func TestValuesAreRefusedWithKafkasWords(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"retention.ms", "x", "Invalid value x for configuration retention.ms: Not a number of type LONG"},
		{"retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"},
		{"segment.bytes", "9999999999", "Invalid value 9999999999 for configuration segment.bytes: Not a number of type INT"},
		{"segment.bytes", "13", "Invalid value 13 for configuration segment.bytes: Value must be at least 14"},
		{"preallocate", "yes", "Invalid value yes for configuration preallocate: Expected value to be either true or false"},
		{"compression.type", "zip", "Invalid value zip for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"},
		{"compression.gzip.level", "0", "Invalid value 0 for configuration compression.gzip.level: Value must be at least 1, or be equal to -1"},
		{"cleanup.policy", "delete,shred", "Invalid value delete,shred for configuration cleanup.policy: String must be one of: compact, delete"},
		{"cleanup.policy", "", "Invalid value  for configuration cleanup.policy: List must not be empty"},
		{"min.cleanable.dirty.ratio", "1.01", "Invalid value 1.01 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"},
		{"min.cleanable.dirty.ratio", "-0.5", "Invalid value -0.5 for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE"},
		{"min.insync.replicas", "0", "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1"},
		{"leader.replication.throttled.replicas", "1:2,*", "Invalid value 1:2,* for configuration leader.replication.throttled.replicas: must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."},
		{"retention.mss", "1", "Unknown topic config name: retention.mss (did you mean retention.ms?)"},
		{"quite.another.thing", "1", "Unknown topic config name: quite.another.thing"},
	} {
		err := new(Layers).ValidateTopic(Values{c.name: c.value})
		if err == nil || err.Error() != c.want || !errors.Is(err, ErrInvalidConfig) {
			t.Errorf("%s=%s:\n got %v\nwant %s", c.name, c.value, err, c.want)
		}
	}
	for _, good := range []Values{
		{"min.cleanable.dirty.ratio": "0.25"}, {"preallocate": "TRUE"}, {"retention.ms": " 5 "}, {"cleanup.policy": "compact, delete"},
		{"leader.replication.throttled.replicas": "0:1,1:2"}, {"leader.replication.throttled.replicas": "*"}, nil,
	} {
		if err := new(Layers).ValidateTopic(good); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
}

func TestRatiosAreExact(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "0.5": 500_000, ".25": 250_000, "1": 1_000_000, "0.000001": 1, "1.0": 1_000_000} {
		if got, ok := parsePPM(text); !ok || got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
	for _, text := range []string{"", ".", "x", "0.0000001", "1e-3", "+1", "0.-5"} {
		if got, ok := parsePPM(text); ok {
			t.Errorf("%q was read as %d", text, got)
		}
	}
}

func TestIncrementalChanges(t *testing.T) {
	s := func(v string) *string { return &v }
	present := Values{"retention.ms": "1", "cleanup.policy": "delete"}
	for _, c := range []struct {
		name string
		ops  []Op
		want []Change
		err  string
		kind error
	}{
		{"set", []Op{{Set, "segment.ms", s("5")}, {Set, "flush.ms", s("6")}}, []Change{{"flush.ms", s("6")}, {"segment.ms", s("5")}}, "", nil},
		{"set the same", []Op{{Set, "retention.ms", s("1")}}, nil, "", nil},
		{"delete", []Op{{Delete, "retention.ms", nil}}, []Change{{"retention.ms", nil}}, "", nil},
		{"delete what is not set", []Op{{Delete, "segment.ms", nil}}, nil, "", nil},
		{"append", []Op{{Append, "cleanup.policy", s("compact,delete")}}, []Change{{"cleanup.policy", s("delete,compact")}}, "", nil},
		{"subtract to nothing", []Op{{Subtract, "cleanup.policy", s("delete")}}, nil, "List must not be empty", ErrInvalidConfig},
		{"append to the default", []Op{{Append, "leader.replication.throttled.replicas", s("0:1")}}, []Change{{"leader.replication.throttled.replicas", s("0:1")}}, "", nil},
		{"append to a number", []Op{{Append, "retention.ms", s("1")}}, nil, "Can't APPEND to key retention.ms because its type is not LIST.", ErrInvalidConfig},
		{"twice", []Op{{Set, "retention.ms", s("1")}, {Delete, "retention.ms", nil}}, nil, "Error due to duplicate config keys", ErrInvalidRequest},
		{"null", []Op{{Set, "retention.ms", nil}}, nil, "Null value not supported for : SET:retention.ms", ErrInvalidRequest},
		{"unknown operation", []Op{{7, "retention.ms", s("1")}}, nil, "Unknown operations type 7", ErrInvalidRequest},
		{"unknown name", []Op{{Append, "retention", s("1")}}, nil, "Unknown topic config name: retention", ErrInvalidConfig},
	} {
		got, err := (&Layers{Topic: present}).AlterTopic(c.ops)
		if c.err == "" {
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%s: %v %s", c.name, err, diff)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.err) || !errors.Is(err, c.kind) {
			t.Errorf("%s: %v, want %s", c.name, err, c.err)
		}
	}
	if present["cleanup.policy"] != "delete" || len(present) != 2 {
		t.Errorf("the present configs were modified: %v", present)
	}
	_, err := AlterBroker(nil, []Op{{Set, "log.segment.bytes", s("3")}}, true)
	if !errors.Is(err, ErrInvalidConfig) {
		t.Errorf("a bad broker value: %v", err)
	}
	if got, err := AlterBroker(Values{"log.segment.bytes": "100"}, []Op{{Set, "log.segment.bytes", s("100")}}, true); err != nil || len(got) != 1 {
		t.Errorf("an unchanged broker value: %v %v", got, err)
	}
}

func TestPropertiesFiles(t *testing.T) {
	got, err := ParseProperties("# a comment\n! another\r\n\n node.id = 7 \nlisteners=PLAINTEXT://h:1,\\\n   CONTROLLER://h:2\nlog.dirs:/a\nbroker.rack=x=y\nnode.id=8")
	if err != nil {
		t.Fatal(err)
	}
	want := Values{"node.id": "8", "listeners": "PLAINTEXT://h:1,CONTROLLER://h:2", "log.dirs": "/a", "broker.rack": "x=y"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := ParseProperties("\nnode.id\n"); err == nil || !strings.HasPrefix(err.Error(), "line 2:") {
		t.Errorf("a line without a value: %v", err)
	}
}

func TestNodesAreResolved(t *testing.T) {
	b, err := node(Values{
		"process.roles": "broker,controller", "log.dirs": "/a, /b",
		"listeners":                  "INTERNAL://:9092,CONTROLLER://[::1]:9093",
		"advertised.listeners":       "INTERNAL://b1.example:9092",
		"inter.broker.listener.name": "INTERNAL", "listener.security.protocol.map": "INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"controller.quorum.voters": "1@h1:9093,2@h2:9093", "retention.ms": "1",
	}).BrokerConfig()
	if err == nil || !strings.Contains(err.Error(), "Unknown broker config name: retention.ms (did you mean log.retention.ms?)") {
		t.Fatalf("a topic config in a broker's file: %v", err)
	}
	if b != nil {
		t.Fatal("an error came with a config")
	}
	b, err = node(Values{
		"process.roles": "broker,controller", "log.dirs": "/a, /b",
		"listeners":                  "INTERNAL://:9092,CONTROLLER://[::1]:9093",
		"advertised.listeners":       "INTERNAL://b1.example:9092",
		"inter.broker.listener.name": "INTERNAL", "listener.security.protocol.map": "INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"controller.quorum.voters": "1@h1:9093,2@h2:9093", "log.retention.hours": "1",
	}).BrokerConfig()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Listener{{"INTERNAL", "PLAINTEXT", "", 9092}, {"CONTROLLER", "PLAINTEXT", "::1", 9093}}, b.Listeners); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Voter{{1, "h1", 9093}, {2, "h2", 9093}}, b.QuorumVoters); diff != "" {
		t.Error(diff)
	}
	if b.MetadataLogDir != "/a" || !b.IsController() || b.TopicDefaults.RetentionMs != 3_600_000 {
		t.Errorf("%+v", b)
	}
}

func TestAbsurdNodesAreRefused(t *testing.T) {
	for want, overrides := range map[string]Values{
		"Value must be at least 0":                               {"node.id": "-1"},
		"did you mean broker.session.timeout.ms?":                {"broker.session.timeout": "5"},
		"broker.heartbeat.interval.ms (2000) must be less than":  {"broker.session.timeout.ms": "2000"},
		"replica.fetch.wait.max.ms (500) must be at most":        {"replica.lag.time.max.ms": "400"},
		"must be in controller.quorum.voters exactly":            {"controller.quorum.voters": "1@h:1"},
		"must be id@host:port":                                   {"controller.quorum.voters": "1@h"},
		"id given twice":                                         {"controller.quorum.voters": "2@h:1,2@g:1"},
		"must be NAME://host:port":                               {"listeners": "9092"},
		"No security protocol defined for listener FOO":          {"listeners": "FOO://:1"},
		"Each listener must have a different name":               {"listeners": "PLAINTEXT://:1,PLAINTEXT://:2"},
		"at least one listener is needed":                        {"listeners": ""},
		"inter.broker.listener.name SSL is not among":            {"inter.broker.listener.name": "SSL"},
		"At least one log directory must be defined":             {"log.dir": ""},
		"String must be one of: broker, controller":              {"process.roles": "zookeeper"},
		"Value must be at least 1":                               {"min.insync.replicas": "0"},
		"group.min.session.timeout.ms (6000) must be at most":    {"group.max.session.timeout.ms": "5"},
		"conflict topic config setting min.compaction.lag.ms (5": {"log.cleaner.min.compaction.lag.ms": "5", "log.cleaner.max.compaction.lag.ms": "4"},
	} {
		_, err := node(overrides).BrokerConfig()
		if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, ErrInvalidConfig) {
			t.Errorf("%v: %v, want %s", overrides, err, want)
		}
	}
	_, err := new(Layers).BrokerConfig()
	if err == nil || !strings.Contains(err.Error(), `Missing required configuration "node.id"`) {
		t.Errorf("without an id: %v", err)
	}
}

func TestDescribingABroker(t *testing.T) {
	l := node(nil)
	l.Cluster = Values{"min.insync.replicas": "2"}
	all := l.DescribeBroker(nil)
	if len(all) != len(BrokerKeys()) {
		t.Errorf("%d entries for %d keys", len(all), len(BrokerKeys()))
	}
	for _, e := range all {
		switch e.Key.Name {
		case "node.id":
			if e.Source != StaticBroker || *e.Value != "1" || !e.ReadOnly {
				t.Errorf("%+v", e)
			}
		case "min.insync.replicas":
			if e.Source != DynamicCluster || *e.Value != "2" || e.ReadOnly || len(e.Synonyms) != 2 {
				t.Errorf("%+v", e)
			}
		case "log.retention.ms":
			if e.Source != DefaultValue || e.Value != nil {
				t.Errorf("%+v", e)
			}
		}
	}
	if got := l.DescribeBroker([]string{"nope"}); len(got) != 0 {
		t.Errorf("an unknown name: %v", got)
	}
}

// Whatever a client may set, the typed config can be read from.
func TestWhatAlterAcceptsCanBeRead(t *testing.T) {
	names := []string{"nope"}
	for _, k := range TopicKeys() {
		names = append(names, k.Name)
	}
	values := []string{"", "0", "1", "-1", "5", "0.5", "true", "delete", "compact,delete", "*", "1:2", "gzip", "9223372036854775807", "LogAppendTime"}
	rapid.Check(t, func(t *rapid.T) {
		l := &Layers{Topic: Values{}}
		t.Repeat(map[string]func(*rapid.T){
			"alter": func(t *rapid.T) {
				v := rapid.SampledFrom(values).Draw(t, "value")
				op := Op{OpType(rapid.Int8Range(0, 3).Draw(t, "op")), rapid.SampledFrom(names).Draw(t, "name"), &v}
				changes, err := l.AlterTopic([]Op{op})
				if err != nil && len(changes) > 0 {
					t.Fatal("an error with changes")
				}
				for _, c := range changes {
					if c.Value == nil {
						delete(l.Topic, c.Name)
					} else {
						l.Topic[c.Name] = *c.Value
					}
				}
			},
			"": func(t *rapid.T) {
				if _, err := l.TopicConfig(); err != nil {
					t.Fatalf("%v: %v", l.Topic, err)
				}
				if !slices.IsSortedFunc(l.DescribeTopic(nil), func(a, b Entry) int { return strings.Compare(a.Key.Name, b.Key.Name) }) {
					t.Fatal("entries are not sorted")
				}
			},
		})
	})
}
