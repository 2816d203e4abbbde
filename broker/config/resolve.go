package config

import (
	"slices"
	"strconv"
	"strings"

	"odradek/broker/wire"
)

// resolve turns the unparsed fields into typed ones and checks what no single
// value shows.
func (b *Broker) resolve() error {
	if b.LogDirs = splitList(b.logDirs); len(b.LogDirs) == 0 {
		b.LogDirs = splitList(b.logDir)
	}
	if len(b.LogDirs) == 0 {
		return invalidConfig("At least one log directory must be defined via log.dirs or log.dir.")
	}
	if b.MetadataLogDir == "" {
		b.MetadataLogDir = b.LogDirs[0]
	}
	if err := b.resolveListeners(); err != nil {
		return err
	}
	if err := b.resolveVoters(); err != nil {
		return err
	}
	return b.checkTimes()
}

func (b *Broker) resolveListeners() error {
	protocols := make(map[string]string, len(b.securityProtocols))
	for _, pair := range b.securityProtocols {
		name, protocol, ok := strings.Cut(pair, ":")
		if why := oneOf("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")(value{text: protocol}); !ok || why != "" {
			return invalidValue("listener.security.protocol.map", pair, "must be LISTENER:PROTOCOL. "+why)
		}
		protocols[name] = protocol
	}
	var err error
	if b.Listeners, err = parseListeners("listeners", b.listeners, protocols); err != nil {
		return err
	}
	if len(b.Listeners) == 0 {
		return invalidValue("listeners", b.listeners, "at least one listener is needed")
	}
	b.ControllerListeners = splitList(b.controllerListeners)
	if b.AdvertisedListeners, err = parseListeners("advertised.listeners", b.advertised, protocols); err != nil {
		return err
	}
	if len(b.AdvertisedListeners) == 0 {
		for _, l := range b.Listeners {
			if !slices.Contains(b.ControllerListeners, l.Name) {
				b.AdvertisedListeners = append(b.AdvertisedListeners, l)
			}
		}
	}
	if b.InterBrokerListener == "" {
		b.InterBrokerListener = b.interBrokerProtocol
	}
	if b.IsBroker() && !slices.ContainsFunc(b.AdvertisedListeners, func(l Listener) bool { return l.Name == b.InterBrokerListener }) {
		return invalidConfig("inter.broker.listener.name %s is not among advertised.listeners", b.InterBrokerListener)
	}
	return nil
}

// parseListeners reads NAME://host:port items. An IPv6 host stands in brackets.
func parseListeners(key, text string, protocols map[string]string) ([]Listener, error) {
	var listeners []Listener
	for _, item := range splitList(text) {
		name, addr, ok := strings.Cut(item, "://")
		if !ok {
			return nil, invalidValue(key, item, "must be NAME://host:port")
		}
		host, port, ok := cutHostPort(addr)
		if !ok {
			return nil, invalidValue(key, item, "must be NAME://host:port")
		}
		name = strings.ToUpper(name)
		protocol, known := protocols[name]
		if !known {
			return nil, invalidValue(key, item, "No security protocol defined for listener "+name)
		}
		for _, l := range listeners {
			if l.Name == name {
				return nil, invalidValue(key, text, "Each listener must have a different name")
			}
		}
		listeners = append(listeners, Listener{Name: name, Protocol: protocol, Host: host, Port: port})
	}
	return listeners, nil
}

func cutHostPort(addr string) (string, int, bool) {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return "", 0, false
	}
	port, err := strconv.ParseUint(addr[i+1:], 10, 16)
	if err != nil {
		return "", 0, false
	}
	host := addr[:i]
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	return host, int(port), true
}

func (b *Broker) resolveVoters() error {
	for _, item := range b.voters {
		id, addr, ok := strings.Cut(item, "@")
		n, err := strconv.ParseInt(id, 10, 32)
		host, port, okAddr := cutHostPort(addr)
		if !ok || err != nil || n < 0 || !okAddr || host == "" {
			return invalidValue("controller.quorum.voters", item, "must be id@host:port")
		}
		for _, v := range b.QuorumVoters {
			if v.ID == wire.NodeID(n) {
				return invalidValue("controller.quorum.voters", item, "id given twice")
			}
		}
		b.QuorumVoters = append(b.QuorumVoters, Voter{wire.NodeID(n), host, port})
	}
	isVoter := slices.ContainsFunc(b.QuorumVoters, func(v Voter) bool { return v.ID == b.NodeID })
	if len(b.QuorumVoters) > 0 && isVoter != b.IsController() {
		return invalidConfig("node.id %d must be in controller.quorum.voters exactly if process.roles contains controller", b.NodeID)
	}
	return nil
}

// checkTimes refuses times that cannot work together: each pair below would make
// the cluster fence or evict nodes that are perfectly healthy.
func (b *Broker) checkTimes() error {
	pairs := []struct {
		low, high         string
		lowValue, highVal int64
		equal             bool
	}{
		{"broker.heartbeat.interval.ms", "broker.session.timeout.ms", int64(b.BrokerHeartbeatMs), int64(b.BrokerSessionTimeoutMs), false},
		{"replica.fetch.wait.max.ms", "replica.lag.time.max.ms", int64(b.ReplicaFetchMaxWaitMs), b.ReplicaLagTimeMaxMs, true},
		{"replica.fetch.wait.max.ms", "replica.socket.timeout.ms", int64(b.ReplicaFetchMaxWaitMs), int64(b.ReplicaSocketTimeoutMs), true},
		{"group.min.session.timeout.ms", "group.max.session.timeout.ms", int64(b.GroupMinSessionMs), int64(b.GroupMaxSessionMs), true},
		{"group.consumer.min.session.timeout.ms", "group.consumer.session.timeout.ms", int64(b.ConsumerMinSessionMs), int64(b.ConsumerSessionMs), true},
		{"group.consumer.session.timeout.ms", "group.consumer.max.session.timeout.ms", int64(b.ConsumerSessionMs), int64(b.ConsumerMaxSessionMs), true},
		{"group.consumer.min.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms", int64(b.ConsumerMinHeartbeatMs), int64(b.ConsumerHeartbeatMs), true},
		{"group.consumer.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms", int64(b.ConsumerHeartbeatMs), int64(b.ConsumerMaxHeartbeatMs), true},
		{"group.consumer.heartbeat.interval.ms", "group.consumer.session.timeout.ms", int64(b.ConsumerHeartbeatMs), int64(b.ConsumerSessionMs), false},
	}
	for _, p := range pairs {
		if p.lowValue > p.highVal || p.lowValue == p.highVal && !p.equal {
			relation := "less than"
			if p.equal {
				relation = "at most"
			}
			return invalidConfig("%s (%d) must be %s %s (%d)", p.low, p.lowValue, relation, p.high, p.highVal)
		}
	}
	return nil
}

func splitList(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
