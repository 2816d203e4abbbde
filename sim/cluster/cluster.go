package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"odradek/broker"
	"odradek/broker/config"
	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/netsim"
	"odradek/sim"
	"odradek/sim/disk"
)

// Port is where every simulated broker listens.
const Port = 9092

// Config says what a cluster is made of.
type Config struct {
	// Nodes is how many brokers there are, with ids from 1. The first Voters of them are
	// also controllers.
	Nodes, Voters int
	// Controllers is how many further machines are controllers only, with the ids after
	// the brokers'. With any, no broker is a controller, whatever Voters says.
	Controllers int
	// Late is how many of the brokers, the last ones, are away until they join.
	Late int
	// Properties are configs of every node, by Kafka's names, over [Properties].
	Properties map[string]string
	// Plain leaves [Properties] out: what is not set is as in Kafka.
	Plain bool
	Net   netsim.Config
	Disk  disk.Config
	CPU   CPUModel
	// Trace is the lowest level of broker events that is recorded.
	Trace env.Level
	// RestartDelay is how long a process that gave up by itself (after an I/O error,
	// say) stays down before its supervisor starts it again.
	RestartDelay time.Duration
}

// DefaultConfig is a cluster of three on good machines.
func DefaultConfig() Config {
	return Config{
		Nodes: 3, Voters: 3,
		Net: netsim.DefaultConfig(), Disk: disk.DefaultConfig(), CPU: DefaultCPU(),
		Trace: env.Detail, RestartDelay: 500 * time.Millisecond,
	}
}

// Cluster is a simulated Kafka cluster and the clients around it.
type Cluster struct {
	K       *sim.Kernel
	Net     *netsim.Network
	Nodes   []*Node // by id from 1, brokers first
	Clients []*Host
	cfg     Config
	// Failed is told when a node gave up by itself.
	Failed func(n *Node, err error)
	// Dying is told of every process that ends otherwise than by a shutdown in good
	// order, just before it does; powerLoss says that its page cache goes too.
	Dying func(n *Node, powerLoss bool)
	// Ended is told of every process that has ended, in whatever way.
	Ended func(n *Node)
	// Probe gives the observer of a process that starts; nil for none.
	Probe func(n *Node) broker.Probe
	// Env may put something between a process that starts and its machine; nil does not.
	Env func(n *Node, e env.Env) env.Env
}

// Node is a machine that runs a broker.
type Node struct {
	*Host
	ID wire.NodeID
	// Broker is the running process's node, nil when off.
	Broker *broker.Node

	c      *Cluster
	config *config.Broker
	static config.Values
	// wanted is what the fault plan last asked for: a process that gave up comes
	// back only if it is.
	wanted bool
	away   bool
}

// New builds the machines; nothing runs yet.
func New(k *sim.Kernel, cfg Config) (*Cluster, error) {
	c := &Cluster{K: k, Net: netsim.New(k, cfg.Net), cfg: cfg}
	var voters []string
	roles := cfg.roles()
	for i, role := range roles {
		if id := wire.NodeID(i + 1); role != "broker" {
			voters = append(voters, fmt.Sprintf("%d@%s:%d", id, NodeName(id), Port))
		}
	}
	for i, role := range roles {
		id := i + 1
		values := make(config.Values)
		if !cfg.Plain {
			maps.Copy(values, Properties())
		}
		maps.Copy(values, cfg.Properties)
		values["node.id"] = strconv.Itoa(id)
		values["process.roles"] = role
		values["controller.quorum.voters"] = strings.Join(voters, ",")
		values["listeners"] = fmt.Sprintf("PLAINTEXT://%s:%d", NodeName(wire.NodeID(id)), Port)
		layers := config.Layers{Static: values}
		bc, err := layers.BrokerConfig()
		if err != nil {
			return nil, fmt.Errorf("cluster: %w", err)
		}
		d := cfg.Disk
		n := &Node{ID: wire.NodeID(id), c: c, config: bc, static: values}
		n.away = id <= cfg.Nodes && id > cfg.Nodes-cfg.Late
		n.Host = NewHost(k, c.Net, HostConfig{Name: NodeName(n.ID), Disk: &d, CPU: cfg.CPU, Trace: cfg.Trace})
		c.Nodes = append(c.Nodes, n)
	}
	return c, nil
}

// roles are the process.roles of the nodes, by id from 1.
func (cfg *Config) roles() []string {
	var roles []string
	for id := 1; id <= cfg.Nodes; id++ {
		if cfg.Controllers == 0 && id <= cfg.Voters {
			roles = append(roles, "broker,controller")
		} else {
			roles = append(roles, "broker")
		}
	}
	for range cfg.Controllers {
		roles = append(roles, "controller")
	}
	return roles
}

// Properties are the broker configs of simulated clusters where they differ from
// Kafka's: time-outs short enough that fail-overs happen within seconds.
func Properties() map[string]string {
	return map[string]string{
		"controller.quorum.election.timeout.ms": "300",
		"controller.quorum.fetch.timeout.ms":    "600",
		"controller.quorum.request.timeout.ms":  "500",
		"broker.heartbeat.interval.ms":          "200",
		"broker.session.timeout.ms":             "1500",
		"replica.lag.time.max.ms":               "1500",
		"replica.fetch.wait.max.ms":             "200",
		"replica.fetch.backoff.ms":              "100",
		"default.replication.factor":            "3",
		"min.insync.replicas":                   "2",
	}
}

// NodeName is the host name of a broker's machine.
func NodeName(id wire.NodeID) string { return fmt.Sprintf("n%d", id) }

// Addrs are the brokers' addresses.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, n := range c.Nodes {
		if n.IsBroker() {
			addrs = append(addrs, fmt.Sprintf("%s:%d", n.Name(), Port))
		}
	}
	return addrs
}

// NewClient adds a machine without a disk, for scripted users.
func (c *Cluster) NewClient(name string) *Host {
	h := NewHost(c.K, c.Net, HostConfig{Name: name, CPU: c.cfg.CPU, Trace: c.cfg.Trace})
	c.Clients = append(c.Clients, h)
	return h
}

// Node returns a broker's machine.
func (c *Cluster) Node(id wire.NodeID) *Node { return c.Nodes[id-1] }

// Start starts every node.
func (c *Cluster) Start() {
	for _, n := range c.Nodes {
		n.Up()
	}
}

// IsBroker reports whether the node is a broker, perhaps among other things.
func (n *Node) IsBroker() bool { return n.config.IsBroker() }

// Away reports whether the node is no part of the cluster at the moment: it is late, or has
// left. No fault strikes it.
func (n *Node) Away() bool { return n.away }

// Join makes a node that is away a part of the cluster, and starts it.
func (n *Node) Join() {
	n.away = false
	n.Up()
}

// Leave makes the node no part of the cluster any more: it is shut down in good order and
// stays down until it joins. One that does not end within the time is killed.
func (n *Node) Leave(within time.Duration) {
	n.away, n.wanted = true, false
	life := n.Life()
	n.Resume()
	n.Stop(nil)
	n.c.K.After(within, n.Node(), n.c.K.Kind("host-leave"), func() {
		if n.away && n.Life() == life && n.Running() {
			n.Crash()
		}
	})
}

// IsController reports whether the node is a controller, perhaps among other things.
func (n *Node) IsController() bool { return n.config.IsController() }

// Up starts the node's process, and its machine if it has no power. It does nothing while
// the node is away.
func (n *Node) Up() {
	if n.away {
		return
	}
	n.wanted = true
	if n.Running() {
		return
	}
	var probe broker.Probe
	if n.c.Probe != nil {
		probe = n.c.Probe(n)
	}
	n.Start(func(e env.Env) {
		if n.c.Env != nil {
			e = n.c.Env(n, e)
		}
		n.Broker = broker.Start(&e, broker.Options{Config: n.config, Static: n.static, Failed: n.gaveUp, Probe: probe})
	})
}

// gaveUp ends a process that cannot go on; a supervisor brings it back.
func (n *Node) gaveUp(err error) {
	life := n.Life()
	if n.c.Failed != nil {
		n.c.Failed(n, err)
	}
	n.c.K.After(0, n.Node(), n.c.K.Kind("host-exit"), func() {
		if n.Life() == life && n.Running() {
			n.dying(false)
			n.down(n.CrashProcess)
		}
	})
	n.c.K.After(n.c.cfg.RestartDelay, n.Node(), n.c.K.Kind("host-supervisor"), func() {
		if n.wanted && n.Life() == life && !n.Running() && n.NIC.Up() {
			n.Up()
		}
	})
}

func (n *Node) dying(powerLoss bool) {
	if n.c.Dying != nil {
		n.c.Dying(n, powerLoss)
	}
}

func (n *Node) down(how func()) {
	n.Broker = nil
	running := n.Running()
	how()
	if running && n.c.Ended != nil {
		n.c.Ended(n)
	}
}

// Crash kills the process; the machine stays up.
func (n *Node) Crash() {
	n.wanted = false
	if n.Running() {
		n.dying(false)
	}
	n.down(n.CrashProcess)
}

// CutPower switches the machine off.
func (n *Node) CutPower() {
	n.wanted = false
	n.dying(true)
	n.down(n.PowerLoss)
}

// Stop shuts the broker down in good order and then ends the process; done may be nil.
func (n *Node) Stop(done func(error)) {
	n.wanted = false
	b, life := n.Broker, n.Life()
	if b == nil {
		return
	}
	n.Do(func() {
		b.Shutdown(func(err error) {
			n.c.K.After(0, n.Node(), n.c.K.Kind("host-exit"), func() {
				if n.Life() == life && n.Running() {
					if err != nil {
						n.dying(false)
					}
					n.down(n.CrashProcess)
				}
				if done != nil {
					done(err)
				}
			})
		})
	})
}

// Destroy ends every process for good, and with it the coroutines that would keep the
// cluster in memory. Nothing may run on the kernel afterwards.
func (c *Cluster) Destroy() {
	hosts := slices.Clone(c.Clients)
	for _, n := range c.Nodes {
		hosts = append(hosts, n.Host)
	}
	for _, h := range hosts {
		if p := h.Proc(); p != nil {
			p.Kill()
		}
	}
}

// Names are the host names of all machines, sorted.
func (c *Cluster) Names() []string {
	var names []string
	for _, n := range c.Nodes {
		names = append(names, n.Name())
	}
	for _, h := range c.Clients {
		names = append(names, h.Name())
	}
	slices.Sort(names)
	return names
}

// TopicDefaults are the configs of topics that do not set them.
func (n *Node) TopicDefaults() *config.Topic { return &n.config.TopicDefaults }

// MinISR is min.insync.replicas of topics that do not set it.
func (n *Node) MinISR() int { return n.config.TopicDefaults.MinInSyncReplicas }
