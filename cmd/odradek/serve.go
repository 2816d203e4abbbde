package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"odradek/broker"
	"odradek/broker/config"
	"odradek/broker/env"
	"odradek/broker/realenv"
)

type serveFlags struct {
	data, listen, advertise, voters, roles, properties, logLevel string
	nodeID, brokers                                              int
	set                                                          []string
}

func serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve --data DIR",
		Short: "Run the broker for ordinary Kafka clients",
		Long: `Run one node, or with --brokers a cluster on this machine, until it is told to stop.

Configs have Kafka's names and come from --config FILE (a properties file), then from
the flags, then from --set. A node is a broker and a controller unless --roles says
otherwise. The nodes of a cluster need the same --voters.

A first interrupt (SIGINT or SIGTERM) stops in good order: leaders move away, logs are
flushed. A second one stops at once.`,
		Example: `  odradek serve --data /var/lib/odradek
  odradek serve --data /tmp/three --brokers 3
  odradek serve --data d2 --node-id 2 --listen 127.0.0.1:9093 \
      --voters 1@127.0.0.1:9092,2@127.0.0.1:9093,3@127.0.0.1:9094 --set log.retention.ms=60000`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return serve(f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.data, "data", "", "data directory (needed; made if missing)")
	fl.StringVar(&f.listen, "listen", "127.0.0.1:9092", "address to listen on; with --brokers, that of the first")
	fl.StringVar(&f.advertise, "advertise", "", "address that clients are told to use (default: --listen)")
	fl.IntVar(&f.nodeID, "node-id", 1, "this node's id")
	fl.StringVar(&f.voters, "voters", "", "the metadata quorum, as id@host:port,... (default: this node alone)")
	fl.StringVar(&f.roles, "roles", "broker,controller", "what the node is: broker, controller or both")
	fl.StringVar(&f.properties, "config", "", "properties file with Kafka's config names")
	fl.StringArrayVar(&f.set, "set", nil, "one config, as name=value (may be repeated)")
	fl.IntVar(&f.brokers, "brokers", 1, "run this many nodes in one process, on consecutive ports, for trying out")
	fl.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	_ = c.MarkFlagRequired("data")
	return c
}

// server is one running node.
type server struct {
	world  *realenv.World
	node   *broker.Node
	failed chan error
	name   string
}

func serve(f serveFlags) error {
	level, err := parseLevel(f.logLevel)
	if err != nil {
		return err
	}
	configs, err := nodeConfigs(f)
	if err != nil {
		return err
	}
	failed := make(chan error, len(configs))
	ready := make(chan string, len(configs))
	log := &lineWriter{w: os.Stderr}
	var servers []*server
	closeAll := func() {
		for _, s := range servers {
			_ = s.world.Close() // the process ends
		}
	}
	defer closeAll()
	for _, nc := range configs {
		s := &server{failed: failed, name: "node " + nc.static["node.id"]}
		var out io.Writer = log
		if len(configs) > 1 {
			out = &prefixWriter{w: log, prefix: "[" + nc.static["node.id"] + "] "}
		}
		if s.world, err = realenv.Open(realenv.Options{DataDir: nc.dir, Log: out, Level: level}); err != nil {
			return err
		}
		servers = append(servers, s)
		go s.world.Run()
		s.world.Post(func() {
			s.node = broker.Start(s.world.Env(), broker.Options{
				Config: nc.config, Static: nc.static,
				Failed: func(err error) { failed <- fmt.Errorf("%s: %w", s.name, err) },
				Ready:  func(addr string) { ready <- addr },
			})
		})
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	var addrs []string
	for {
		select {
		case addr := <-ready:
			addrs = append(addrs, addr)
			if len(addrs) == len(configs) {
				slices.Sort(addrs)
				fmt.Fprintf(os.Stderr, "listening on %s\n", strings.Join(addrs, ", "))
			}
		case err := <-failed:
			return err
		case <-signals:
			return shutdown(servers, signals, failed)
		}
	}
}

// shutdown stops the nodes one after the other, so that leaders have somewhere to go.
func shutdown(servers []*server, signals <-chan os.Signal, failed <-chan error) error {
	fmt.Fprintln(os.Stderr, "stopping; interrupt again to stop at once")
	var errs []error
	for i, s := range servers {
		done := make(chan error, 1)
		s.world.Post(func() {
			if i == len(servers)-1 {
				// Nobody is left to take over.
				s.node.ShutdownNow(func(err error) { done <- err })
				return
			}
			s.node.Shutdown(func(err error) { done <- err })
		})
		select {
		case err := <-done:
			errs = append(errs, err)
		case err := <-failed:
			errs = append(errs, err)
		case <-signals:
			return errors.New("stopped at once; the next start recovers the logs")
		}
	}
	return errors.Join(errs...)
}

// nodeConfig is what one node of the process runs with.
type nodeConfig struct {
	dir    string
	config *config.Broker
	static config.Values
}

func nodeConfigs(f serveFlags) ([]nodeConfig, error) {
	if f.brokers < 1 || f.brokers > 16 {
		return nil, fmt.Errorf("--brokers %d: want 1 to 16", f.brokers)
	}
	if f.brokers > 1 && (f.voters != "" || f.advertise != "") {
		return nil, errors.New("--brokers runs a whole cluster; --voters and --advertise are for single nodes")
	}
	host, portText, err := net.SplitHostPort(f.listen)
	if err != nil {
		return nil, fmt.Errorf("--listen %s: want host:port", f.listen)
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 0 || port+f.brokers > 65536 {
		return nil, fmt.Errorf("--listen %s: bad port", f.listen)
	}
	base := make(config.Values)
	if f.properties != "" {
		text, err := os.ReadFile(f.properties)
		if err != nil {
			return nil, err
		}
		if base, err = config.ParseProperties(string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", f.properties, err)
		}
	}
	var voters []string
	for i := range f.brokers {
		voters = append(voters, fmt.Sprintf("%d@%s", f.nodeID+i, net.JoinHostPort(reachable(host), strconv.Itoa(port+i))))
	}
	if f.voters != "" {
		voters = strings.Split(f.voters, ",")
	}
	var out []nodeConfig
	for i := range f.brokers {
		v := make(config.Values)
		for name, value := range base {
			v[name] = value
		}
		addr := net.JoinHostPort(host, strconv.Itoa(port+i))
		dir := f.data
		if f.brokers > 1 {
			dir = filepath.Join(f.data, "n"+strconv.Itoa(f.nodeID+i))
		}
		v["node.id"] = strconv.Itoa(f.nodeID + i)
		v["process.roles"] = f.roles
		v["controller.quorum.voters"] = strings.Join(voters, ",")
		v["listeners"] = "PLAINTEXT://" + addr
		if f.advertise != "" {
			v["advertised.listeners"] = "PLAINTEXT://" + f.advertise
		} else if reachable(host) != host {
			v["advertised.listeners"] = "PLAINTEXT://" + net.JoinHostPort(reachable(host), strconv.Itoa(port+i))
		}
		v["log.dirs"] = dir
		if f.brokers >= 3 {
			for name, value := range map[string]string{"default.replication.factor": "3", "min.insync.replicas": "2"} {
				if _, set := v[name]; !set {
					v[name] = value
				}
			}
		}
		for _, assignment := range f.set {
			if err := v.Add(assignment); err != nil {
				return nil, fmt.Errorf("--set %s: %w", assignment, err)
			}
		}
		layers := config.Layers{Static: v}
		c, err := layers.BrokerConfig()
		if err != nil {
			return nil, err
		}
		out = append(out, nodeConfig{dir, c, v})
	}
	return out, nil
}

// reachable is a host that others can dial, for one that only names what to bind.
func reachable(host string) string {
	switch host {
	case "", "0.0.0.0", "::":
		return "localhost"
	}
	return host
}

func parseLevel(s string) (env.Level, error) {
	levels := map[string]env.Level{"debug": env.Debug, "info": env.Info, "warn": env.Warn, "error": env.Error}
	l, ok := levels[s]
	if !ok {
		return 0, fmt.Errorf("--log-level %s: want debug, info, warn or error", s)
	}
	return l, nil
}

// lineWriter lets several nodes write lines to one place.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lineWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

type prefixWriter struct {
	w      io.Writer
	prefix string
}

func (p *prefixWriter) Write(b []byte) (int, error) {
	if _, err := p.w.Write(append([]byte(p.prefix), b...)); err != nil {
		return 0, err
	}
	return len(b), nil
}
