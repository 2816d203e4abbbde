package config

// Group holds the effective configs of one group. Times are milliseconds.
type Group struct {
	ConsumerSessionMs   int
	ConsumerHeartbeatMs int
}

// groupKeys are the configs that a group may set itself (KIP-848).
var groupKeys = sorted([]Key{
	{
		Name: sessionOfGroup, Type: Int, Default: "45000", check: atLeast(1),
		Synonyms: same("group.consumer.session.timeout.ms"),
		least:    "group.consumer.min.session.timeout.ms", most: "group.consumer.max.session.timeout.ms",
		group: func(g *Group) any { return &g.ConsumerSessionMs },
		Doc:   "Silence after which the group drops a member of the consumer protocol.",
	}, {
		Name: heartbeatOfGroup, Type: Int, Default: "5000", check: atLeast(1),
		Synonyms: same("group.consumer.heartbeat.interval.ms"),
		least:    "group.consumer.min.heartbeat.interval.ms", most: "group.consumer.max.heartbeat.interval.ms",
		group: func(g *Group) any { return &g.ConsumerHeartbeatMs },
		Doc:   "How often members of the consumer protocol report.",
	},
})

const (
	sessionOfGroup   = "consumer.session.timeout.ms"
	heartbeatOfGroup = "consumer.heartbeat.interval.ms"
)

// Group is the effective configs of a group that sets some itself. What is outside
// of the broker's bounds counts as the nearest bound: the controller has checked it
// against its own, which may be others, or may have been others then.
func (b *Broker) Group(own Values) Group {
	g := Group{ConsumerSessionMs: b.ConsumerSessionMs, ConsumerHeartbeatMs: b.ConsumerHeartbeatMs}
	for i := range groupKeys {
		k := &groupKeys[i]
		text, set := own[k.Name]
		if !set {
			continue
		}
		if v, err := k.parse(text); err == nil {
			v.num = min(max(v.num, b.number(k.least)), b.number(k.most))
			assign(k.group(&g), v)
		}
	}
	return g
}

// number is the value of a config of type Int. The name must be known.
func (b *Broker) number(name string) int64 {
	k, _ := BrokerKey(name)
	return int64(*k.broker(b).(*int))
}

// AlterGroup decides changes to a group's dynamic configs, of which l.Group holds
// the present ones. It returns what differs from them, by name, or an [Error];
// then nothing may be changed.
func (l *Layers) AlterGroup(ops []Op) ([]Change, error) {
	changes, after, err := alter(groupKeys, l.Group, func(k *Key) string { return k.Default }, ops)
	if err != nil {
		return nil, err
	}
	if err := l.validateGroup(after); err != nil {
		return nil, err
	}
	return changes, nil
}

// validateGroup checks all dynamic configs that a group is to have. What it does not
// set is the broker's, and not a group's fault: a group that sets nothing is right.
func (l *Layers) validateGroup(configs Values) error {
	if err := checkNames(configs, groupKeys, "Unknown group config name"); err != nil {
		return err
	}
	if len(configs) == 0 {
		return nil
	}
	var g Group
	for i := range groupKeys {
		k := &groupKeys[i]
		text, set := configs[k.Name]
		if !set {
			assign(k.group(&g), value{num: l.brokerInt(k.Synonyms[0].Name)})
			continue
		}
		v, err := k.parse(text)
		if err != nil {
			return err
		}
		if why := between(l.brokerInt(k.least), l.brokerInt(k.most))(v); why != "" {
			return invalidValue(k.Name, text, why)
		}
		assign(k.group(&g), v)
	}
	if g.ConsumerHeartbeatMs >= g.ConsumerSessionMs {
		return invalidConfig("%s (%d) must be less than %s (%d)", heartbeatOfGroup, g.ConsumerHeartbeatMs, sessionOfGroup, g.ConsumerSessionMs)
	}
	return nil
}
