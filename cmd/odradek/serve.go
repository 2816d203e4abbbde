package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"odradek/broker/env"
)

type serveFlags struct {
	data, listen, advertise, voters, roles, properties, logLevel, clusterID, cpuProfile string

	nodeID, brokers int
	set             []string
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

With --brokers N, the nodes listen on N ports from that of --listen on, have their data
in DIR/n1, DIR/n2, ..., and from 3 on topics have 3 replicas, of which 2 must be in sync.

Standard error says "listening on" when the addresses are bound, and "ready" when the
nodes have joined the cluster and clients see them. A first interrupt (SIGINT or SIGTERM)
stops in good order: leaders move away, logs are flushed. A second one stops at once, as
a crash would; the next start recovers the logs.

A data directory belongs to one node of one cluster, and to one process at a time.`,
		Example: `  odradek serve --data /var/lib/odradek
  odradek serve --data /tmp/three --brokers 3
  odradek serve --data /tmp/safe --set log.flush.interval.messages=1
  odradek serve --data /srv/odradek --listen 0.0.0.0:9092 --advertise broker.example.org:9092
  odradek serve --data d2 --node-id 2 --listen 127.0.0.1:9093 \
      --voters 1@127.0.0.1:9092,2@127.0.0.1:9093,3@127.0.0.1:9094`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return serve(f, c.Flags().Changed) },
	}
	fl := c.Flags()
	fl.StringVar(&f.data, "data", "", "data directory (needed; made if missing)")
	fl.StringVar(&f.listen, "listen", "127.0.0.1:9092", "address to listen on; with --brokers, that of the first")
	fl.StringVar(&f.advertise, "advertise", "", "address that clients are told to use (default: --listen)")
	fl.IntVar(&f.nodeID, "node-id", 1, "this node's id; with --brokers, that of the first")
	fl.StringVar(&f.voters, "voters", "", "the metadata quorum, as id@host:port,... (default: this node alone)")
	fl.StringVar(&f.clusterID, "cluster-id", "", "id of the cluster (default: the data directory's, or for a new one derived from the voters)")
	fl.StringVar(&f.roles, "roles", allRoles, "what the node is: broker, controller or both")
	fl.StringVar(&f.properties, "config", "", "properties file with Kafka's config names")
	fl.StringArrayVar(&f.set, "set", nil, "one config, as name=value (may be repeated)")
	fl.IntVar(&f.brokers, "brokers", 1, "run this many nodes in one process, on consecutive ports, for trying out")
	fl.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	fl.StringVar(&f.cpuProfile, "cpuprofile", "", "write a CPU profile of the process's whole life to this file (go tool pprof)")
	_ = c.MarkFlagRequired("data")
	return c
}

func serve(f serveFlags, given func(flag string) bool) error {
	if f.data == "" {
		return errors.New("--data: want a directory")
	}
	level, err := parseLevel(f.logLevel)
	if err != nil {
		return err
	}
	configs, err := nodeConfigs(f, given)
	if err != nil {
		return err
	}
	collectLess(400)
	profiled, err := profileCPU(f.cpuProfile)
	if err != nil {
		return err
	}
	defer profiled()
	// Before anything is started: whoever interrupts the start means a stop, too.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	log := &lineWriter{w: os.Stderr}
	var servers []*server
	defer func() {
		for _, s := range servers {
			_ = s.close() // the process ends
		}
	}()
	failed := make(chan error, len(configs))
	ready := make(chan string, len(configs))
	joined := make(chan struct{}, len(configs))
	for _, nc := range configs {
		var out io.Writer = log
		if len(configs) > 1 {
			out = &prefixWriter{w: log, prefix: "[" + nc.static["node.id"] + "] "}
		}
		s, err := startServer(nc, out, level)
		if err != nil {
			return err
		}
		servers = append(servers, s)
		go func() { ready <- <-s.ready }()
		go func() { failed <- <-s.failed }()
		go func() {
			<-s.running
			joined <- struct{}{}
		}()
	}
	var addrs []string
	running := 0
	for {
		select {
		case <-joined:
			if running++; running == len(configs) {
				fmt.Fprintln(log, "ready")
			}
		case addr := <-ready:
			addrs = append(addrs, addr)
			if len(addrs) == len(configs) {
				slices.Sort(addrs)
				fmt.Fprintf(log, "listening on %s\n", strings.Join(addrs, ", "))
			}
		case err := <-failed:
			return err
		case <-signals:
			return shutdown(servers, signals, failed, log)
		}
	}
}

// shutdown stops the nodes one after the other, so that leaders have somewhere to go.
func shutdown(servers []*server, signals <-chan os.Signal, failed <-chan error, log io.Writer) error {
	fmt.Fprintln(log, "stopping; interrupt again to stop at once")
	// A supervisor may tell the process and then its whole group: that is one interrupt.
	time.Sleep(50 * time.Millisecond)
	for len(signals) > 0 {
		<-signals
	}
	var errs []error
	for i, s := range servers {
		// The last of several has nobody left to hand over to; the controller, if it is
		// elsewhere, would only be waited for.
		handOver := len(servers) == 1 || i < len(servers)-1
		select {
		case err := <-s.stop(handOver):
			errs = append(errs, err)
		case err := <-failed:
			errs = append(errs, err)
		case <-signals:
			return errors.New("stopped at once; the next start recovers the logs")
		}
	}
	return errors.Join(errs...)
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
