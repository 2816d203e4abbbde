package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wide is a broker's file with wider bounds than the defaults.
var wide = Values{
	"group.consumer.min.session.timeout.ms": "1000", "group.consumer.max.session.timeout.ms": "90000",
	"group.consumer.min.heartbeat.interval.ms": "100", "group.consumer.max.heartbeat.interval.ms": "40000",
	"group.consumer.session.timeout.ms": "30000", "group.consumer.heartbeat.interval.ms": "3000",
}

func TestGroupConfigsAreHeldToTheBroker(t *testing.T) {
	for _, c := range []struct {
		name    string
		file    Values
		present Values
		ops     []Op
		refused string // "" if it is not
	}{
		{"the bounds themselves", nil, nil, []Op{set(sessionOfGroup, "60000"), set(heartbeatOfGroup, "15000")}, ""},
		{"below the least", nil, nil, []Op{set(sessionOfGroup, "44999")}, "Value must be at least 45000"},
		{"above the most", nil, nil, []Op{set(heartbeatOfGroup, "15001")}, "Value must be no more than 15000"},
		{"bounds in the file", wide, nil, []Op{set(sessionOfGroup, "1000"), set(heartbeatOfGroup, "100")}, ""},
		{"below the least of the file", wide, nil, []Op{set(sessionOfGroup, "999")}, "Value must be at least 1000"},
		{"equal to the heartbeat", wide, nil, []Op{set(sessionOfGroup, "5000"), set(heartbeatOfGroup, "5000")},
			"consumer.heartbeat.interval.ms (5000) must be less than consumer.session.timeout.ms (5000)"},
		{"less than the broker's heartbeat", wide, nil, []Op{set(sessionOfGroup, "3000")}, "consumer.heartbeat.interval.ms (3000) must be less than"},
		{"a heartbeat as long as the broker's session", wide, nil, []Op{set(heartbeatOfGroup, "30000")}, "must be less than consumer.session.timeout.ms (30000)"},
		{"with what is set already", wide, Values{sessionOfGroup: "50000"}, []Op{set(heartbeatOfGroup, "30000")}, ""},
		{"without what the other needs", wide, Values{sessionOfGroup: "50000", heartbeatOfGroup: "35000"}, []Op{{Type: Delete, Name: sessionOfGroup}},
			"consumer.heartbeat.interval.ms (35000) must be less than consumer.session.timeout.ms (30000)"},
		{"deleting all, though it is out of bounds", nil, Values{sessionOfGroup: "1"}, []Op{{Type: Delete, Name: sessionOfGroup}}, ""},
		{"a topic's", nil, nil, []Op{set("retention.ms", "1")}, "Unknown group config name: retention.ms"},
		{"not a number", nil, nil, []Op{set(sessionOfGroup, "")}, "Not a number of type INT"},
	} {
		l := node(c.file)
		l.Group = c.present
		changes, err := l.AlterGroup(c.ops)
		if c.refused == "" {
			if err != nil || len(changes) != len(c.ops) {
				t.Errorf("%s: %v, %v", c.name, changes, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.refused) || !errors.Is(err, ErrInvalidConfig) || changes != nil {
			t.Errorf("%s: %v, %v, want %s", c.name, changes, err, c.refused)
		}
	}
}

func set(name, value string) Op { return Op{Set, name, &value} }

func TestGroupIsClampedToTheBounds(t *testing.T) {
	b, err := node(nil).BrokerConfig()
	if err != nil {
		t.Fatal(err)
	}
	other, err := node(wide).BrokerConfig()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		b    *Broker
		own  Values
		want Group
	}{
		{"nothing set", b, nil, Group{45_000, 5000}},
		{"nothing set, another broker", other, nil, Group{30_000, 3000}},
		{"one set", b, Values{sessionOfGroup: "50000"}, Group{50_000, 5000}},
		{"both set", b, Values{sessionOfGroup: "50000", heartbeatOfGroup: " 7000 "}, Group{50_000, 7000}},
		{"too low", b, Values{sessionOfGroup: "1000", heartbeatOfGroup: "100"}, Group{45_000, 5000}},
		{"too high", b, Values{sessionOfGroup: "90000", heartbeatOfGroup: "40000"}, Group{60_000, 15_000}},
		{"right elsewhere", other, Values{sessionOfGroup: "90000", heartbeatOfGroup: "100"}, Group{90_000, 100}},
		{"another version's", b, Values{sessionOfGroup: "soon", "consumer.assignors": "x"}, Group{45_000, 5000}},
	} {
		if diff := cmp.Diff(c.want, c.b.Group(c.own)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestDescribingAGroup(t *testing.T) {
	l := node(Values{"group.consumer.session.timeout.ms": "46000"})
	l.Group = Values{sessionOfGroup: "50000"}
	var got []string
	for _, e := range l.DescribeGroup(nil) {
		line := e.Key.Name + "=" + *e.Value + " " + e.Source.String() + ":"
		for _, s := range e.Synonyms {
			line += " " + s.Name + "=" + *s.Value + " " + s.Source.String()
		}
		got = append(got, line)
		if e.ReadOnly {
			t.Errorf("%s cannot be changed", e.Key.Name)
		}
	}
	want := []string{
		"consumer.heartbeat.interval.ms=5000 DEFAULT_CONFIG: group.consumer.heartbeat.interval.ms=5000 DEFAULT_CONFIG",
		"consumer.session.timeout.ms=50000 DYNAMIC_GROUP_CONFIG: consumer.session.timeout.ms=50000 DYNAMIC_GROUP_CONFIG" +
			" group.consumer.session.timeout.ms=46000 STATIC_BROKER_CONFIG group.consumer.session.timeout.ms=45000 DEFAULT_CONFIG",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := l.DescribeGroup([]string{"retention.ms"}); len(got) != 0 {
		t.Errorf("a topic's config: %v", got)
	}
}

// Every group config must find its bounds and its broker's value in an Int.
func TestGroupKeysHaveBounds(t *testing.T) {
	b, err := node(nil).BrokerConfig()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range GroupKeys() {
		if len(k.Synonyms) != 1 || b.number(k.least) > b.number(k.Synonyms[0].Name) || b.number(k.most) < b.number(k.Synonyms[0].Name) {
			t.Errorf("%s: %d to %d", k.Name, b.number(k.least), b.number(k.most))
		}
	}
}
