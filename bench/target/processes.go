package target

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"odradek/bench"
)

// processNode is a broker in a process of its own.
type processNode struct {
	address string
	logFile string
	command func() *exec.Cmd
	process *process    // nil before the start and after a kill
	past    bench.Usage // of the lives that are over
}

func (n *processNode) addr() string  { return n.address }
func (n *processNode) running() bool { return n.process != nil }
func (n *processNode) log() string   { return tail(n.logFile) }

func (n *processNode) start() error {
	p, err := launch(n.command(), n.logFile)
	if err == nil {
		n.process = p
	}
	return err
}

func (n *processNode) kill() error {
	n.process.kill()
	n.past = plus(n.past, endedUsage(n.process.cmd.ProcessState))
	n.process = nil
	return nil
}

func (n *processNode) ended() error {
	if n.process == nil {
		return nil
	}
	return n.process.ended()
}

func (n *processNode) usage() (bench.Usage, error) {
	if n.process == nil {
		return n.past, nil
	}
	u, err := n.process.usage()
	return plus(n.past, u), err
}

// Processes starts a cluster of "odradek serve", each broker a process of its own, on
// loopback.
func Processes(o Options) (System, error) {
	binary := o.Binary
	if binary == "" {
		var err error
		if binary, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	c, addrs, err := newCluster(&o, "disk", "odradek", "process", "processes", 1)
	if err != nil {
		return nil, err
	}
	p := c.place
	c.info.Version = versionOf(binary)
	for i, addr := range addrs {
		id := i + 1
		properties := p.of(id, ".properties")
		if err := writeProperties(properties, o.brokerConfig()); err != nil {
			return nil, errors.Join(err, p.remove())
		}
		args := []string{"serve", "--data", p.of(id, ""), "--listen", addr, "--node-id", strconv.Itoa(id),
			"--voters", voters(addrs), "--config", properties}
		c.nodes = append(c.nodes, &processNode{
			address: addr, logFile: p.of(id, ".log"),
			command: func() *exec.Cmd { return exec.Command(binary, args...) },
		})
	}
	return bringUp(c)
}

// voters is the quorum of nodes that serve clients and each other at one address.
func voters(addrs []string) string {
	var list []string
	for i, addr := range addrs {
		list = append(list, fmt.Sprintf("%d@%s", i+1, addr))
	}
	return strings.Join(list, ",")
}

func (o Options) name(otherwise string) string {
	if o.Name != "" {
		return o.Name
	}
	return otherwise
}

// brokerConfig is what every broker has, but for its addresses.
func (o Options) brokerConfig() map[string]string {
	c := make(map[string]string)
	if o.Brokers < 3 {
		n := strconv.Itoa(o.Brokers)
		c["offsets.topic.replication.factor"] = n
		c["transaction.state.log.replication.factor"] = n
		c["transaction.state.log.min.isr"] = "1"
	}
	maps.Copy(c, o.BrokerConfig)
	return c
}

// writeProperties writes configs as a properties file.
func writeProperties(path string, configs map[string]string) error {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		fmt.Fprintf(&b, "%s=%s\n", name, configs[name])
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// versionOf is the commit that a Go program was built of, "" if it does not say.
func versionOf(binary string) string {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return ""
	}
	return commitOf(info)
}

func commitOf(info *debug.BuildInfo) string {
	of := make(map[string]string)
	for _, s := range info.Settings {
		of[s.Key] = s.Value
	}
	commit := of["vcs.revision"]
	commit = commit[:min(12, len(commit))]
	if commit != "" && of["vcs.modified"] == "true" {
		commit += ", changed"
	}
	return commit
}
