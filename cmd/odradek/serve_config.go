package main

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"odradek/broker/config"
)

// nodeConfig is what one node of the process runs with.
type nodeConfig struct {
	dir       string
	clusterID string
	config    *config.Broker
	static    config.Values
}

// replicatedDefaults are what a cluster of three or more starts with, so that losing one
// node loses nothing.
var replicatedDefaults = config.Values{"default.replication.factor": "3", "min.insync.replicas": "2"}

// fewReplicas are the defaults of the internal topics in a cluster of fewer than three, in
// which they would otherwise never be created.
func fewReplicas(brokers int) config.Values {
	n := strconv.Itoa(brokers)
	return config.Values{
		"offsets.topic.replication.factor": n, "transaction.state.log.replication.factor": n,
		"transaction.state.log.min.isr": "1",
	}
}

// nodeConfigs works out the configs of all nodes of the process. given tells the flags
// that were on the command line: the file comes before the defaults of the others.
func nodeConfigs(f serveFlags, given func(flag string) bool) ([]nodeConfig, error) {
	if f.brokers < 1 || f.brokers > 16 {
		return nil, fmt.Errorf("--brokers %d: want 1 to 16", f.brokers)
	}
	if f.brokers > 1 && (f.voters != "" || f.advertise != "" || f.roles != allRoles) {
		return nil, errors.New("--brokers runs a whole cluster; --voters, --roles and --advertise are for single nodes")
	}
	host, port, err := listenAddress(f.listen, f.brokers)
	if err != nil {
		return nil, err
	}
	file := make(config.Values)
	if f.properties != "" {
		text, err := os.ReadFile(f.properties)
		if err != nil {
			return nil, fmt.Errorf("--config: %w", err)
		}
		if file, err = config.ParseProperties(string(text)); err != nil {
			return nil, fmt.Errorf("--config %s: %w", f.properties, err)
		}
	}
	var all []string
	for i := range f.brokers {
		all = append(all, fmt.Sprintf("%d@%s", f.nodeID+i, joinPort(reachable(host), port+i)))
	}
	var out []nodeConfig
	for i := range f.brokers {
		v := maps.Clone(file)
		put := func(flag, name, value string) {
			if _, inFile := v[name]; !inFile || f.brokers > 1 || given(flag) {
				v[name] = value
			}
		}
		put("node-id", "node.id", strconv.Itoa(f.nodeID+i))
		put("roles", "process.roles", f.roles)
		put("listen", "listeners", "PLAINTEXT://"+joinPort(host, port+i))
		switch {
		case f.advertise != "":
			put("advertise", "advertised.listeners", "PLAINTEXT://"+f.advertise)
		case reachable(host) != host:
			put("advertise", "advertised.listeners", "PLAINTEXT://"+joinPort(reachable(host), port+i))
		}
		switch {
		case f.voters != "":
			put("voters", "controller.quorum.voters", f.voters)
		case f.brokers == 1:
			put("voters", "controller.quorum.voters", v["node.id"]+"@"+ownAddress(v["listeners"]))
		default:
			put("voters", "controller.quorum.voters", strings.Join(all, ","))
		}
		dir := f.data
		if f.brokers > 1 {
			dir = filepath.Join(f.data, "n"+strconv.Itoa(f.nodeID+i))
		}
		v["log.dirs"] = dir
		var defaults config.Values // of a cluster whose size nobody tells: Kafka's
		switch {
		case f.brokers >= 3:
			defaults = replicatedDefaults
		case f.brokers == 2 || f.voters == "" && !strings.Contains(v["controller.quorum.voters"], ","):
			defaults = fewReplicas(f.brokers)
		}
		for name, value := range defaults {
			if _, set := v[name]; !set {
				v[name] = value
			}
		}
		for _, assignment := range f.set {
			if err := v.Add(assignment); err != nil {
				return nil, fmt.Errorf("--set: %w", err)
			}
		}
		layers := config.Layers{Static: v}
		c, err := layers.BrokerConfig()
		if err != nil {
			return nil, explainConfig(f, v, err)
		}
		if err := runnable(c); err != nil {
			return nil, err
		}
		out = append(out, nodeConfig{dir, clusterID(f.clusterID, dir), c, v})
	}
	return out, nil
}

const leastRequestBytes = 4 << 10

// allRoles is the default of --roles.
const allRoles = "broker,controller"

// explainConfig adds to an error of the configs what to do about it.
func explainConfig(f serveFlags, v config.Values, err error) error {
	if !slices.Contains(strings.Split(v["process.roles"], ","), "controller") && f.voters == "" {
		return fmt.Errorf("%w; --voters names the controllers that a mere broker is to join", err)
	}
	return err
}

// runnable refuses what the configs allow but this version cannot run.
func runnable(c *config.Broker) error {
	if len(c.Listeners) != 1 || len(c.AdvertisedListeners) > 1 {
		return errors.New("listeners: one listener serves clients, brokers and controllers alike")
	}
	if p := c.Listeners[0].Protocol; p != "PLAINTEXT" {
		return fmt.Errorf("listeners: protocol %s: only PLAINTEXT is served", p)
	}
	if len(c.LogDirs) != 1 {
		return errors.New("log.dirs: a node has one data directory")
	}
	if c.MaxRequestBytes < leastRequestBytes {
		return fmt.Errorf("socket.request.max.bytes %d: the nodes' own requests need %d", c.MaxRequestBytes, leastRequestBytes)
	}
	for _, v := range c.QuorumVoters {
		if v.Port == 0 && len(c.QuorumVoters) > 1 {
			return fmt.Errorf("controller.quorum.voters: voter %d needs a fixed port", v.ID)
		}
	}
	return nil
}

func listenAddress(listen string, nodes int) (string, int, error) {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("--listen %s: want host:port", listen)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port+nodes-1 > 65535 {
		return "", 0, fmt.Errorf("--listen %s: want a port from 0 to %d", listen, 65536-nodes)
	}
	if port == 0 && nodes > 1 {
		return "", 0, errors.New("--brokers needs a fixed port in --listen: the nodes must know each other's")
	}
	return host, port, nil
}

func joinPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// ownAddress is where a node with these listeners reaches itself.
func ownAddress(listeners string) string {
	_, addr, _ := strings.Cut(strings.Split(listeners, ",")[0], "://")
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr // the configs' check will say what is wrong
	}
	return net.JoinHostPort(reachable(host), port)
}

// reachable is a host that others can dial, for one that only names what to bind.
func reachable(host string) string {
	switch host {
	case "", "0.0.0.0", "::":
		return "localhost"
	}
	return host
}

// clusterID is the given one, or that of the data directory: deriving it from the voters
// is for new directories, and those that exist must survive a change of address.
func clusterID(given, dir string) string {
	if given != "" {
		return given
	}
	text, err := os.ReadFile(filepath.Join(dir, "meta.properties"))
	if err != nil {
		return "" // new, or the store will say what is wrong with it
	}
	meta, err := config.ParseProperties(string(text))
	if err != nil {
		return ""
	}
	return meta["cluster.id"]
}
