package netsim

import (
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

// Config is how links behave when nothing is wrong, and the knobs of the model.
type Config struct {
	Latency  time.Duration // one way
	Jitter   time.Duration // greatest addition to Latency, drawn per chunk
	Loopback time.Duration // latency of a host to itself, without jitter
	Bytes    int64         // bandwidth of each direction, bytes/s; 0 is unlimited
	Window   int           // bytes taken from the writer and not yet read, at most
	MaxChunk int           // bytes in one chunk, at most
	// SplitPerMille is how often a chunk is cut in two at a random point.
	SplitPerMille int
	// DeadAfter is how long a connection survives without hearing from its peer.
	DeadAfter time.Duration
	// Retransmit is the longest wait after a cut heals until stalled bytes flow.
	Retransmit time.Duration
}

// DefaultConfig is a data-centre network.
func DefaultConfig() Config {
	return Config{
		Latency:       100 * time.Microsecond,
		Jitter:        50 * time.Microsecond,
		Loopback:      10 * time.Microsecond,
		Bytes:         1_250_000_000,
		Window:        256 << 10,
		MaxChunk:      64 << 10,
		SplitPerMille: 50,
		DeadAfter:     15 * time.Second,
		Retransmit:    400 * time.Millisecond,
	}
}

// Network is all hosts and the links between them.
type Network struct {
	k     *sim.Kernel
	cfg   Config
	hosts []*Host
	names map[string]*Host
	links map[[2]int]*link
	pipes []*pipe // connections with an end still open, in no order of meaning
	kinds kinds
	stats Stats
}

type kinds struct {
	deliver, flush, credit, resume, syn, refuse, timeout, dead, reset sim.Kind
	read, drain, accept, dialed                                       sim.Kind

	stalled, wasReset, timedOut, dialRefused, dialTimeout sim.Kind
}

// New returns a network without hosts.
func New(k *sim.Kernel, cfg Config) *Network {
	if cfg.Window <= 0 || cfg.MaxChunk <= 0 || cfg.DeadAfter <= 0 {
		panic("netsim: Window, MaxChunk and DeadAfter must be positive")
	}
	return &Network{
		k: k, cfg: cfg, names: make(map[string]*Host), links: make(map[[2]int]*link),
		kinds: kinds{
			deliver: k.Kind("net-deliver"), flush: k.Kind("net-flush"), credit: k.Kind("net-credit"),
			resume: k.Kind("net-resume"), syn: k.Kind("net-syn"), refuse: k.Kind("net-refuse"),
			timeout: k.Kind("net-dial-timer"), dead: k.Kind("net-dead-check"), reset: k.Kind("net-probe-answered"),
			read: k.Kind("net-read"), drain: k.Kind("net-drain"), accept: k.Kind("net-accept"), dialed: k.Kind("net-dialed"),
			stalled: k.Kind("net-bytes-stalled"), wasReset: k.Kind("net-conns-reset"), timedOut: k.Kind("net-conns-timeout"),
			dialRefused: k.Kind("net-dials-refused"), dialTimeout: k.Kind("net-dials-timeout"),
		},
	}
}

// Host is a machine's network interface and the sockets of its operating system.
// It outlives the machine's processes.
type Host struct {
	n         *Network
	name      string
	index     int
	node      sim.Node
	down      bool
	listeners map[int]*listener
	nextPort  int
}

// NewHost adds a host, which is up. Its name is the host part of its addresses.
func (n *Network) NewHost(name string, node sim.Node) *Host {
	if n.names[name] != nil {
		panic("netsim: two hosts named " + name)
	}
	h := &Host{n: n, name: name, index: len(n.hosts), node: node, listeners: make(map[int]*listener), nextPort: firstPort}
	n.hosts = append(n.hosts, h)
	n.names[name] = h
	return h
}

// Host returns the host of that name, nil if there is none.
func (n *Network) Host(name string) *Host { return n.names[name] }

// Name is the host's name.
func (h *Host) Name() string { return h.name }

// Up reports whether the host has power.
func (h *Host) Up() bool { return !h.down }

// Attach returns the network as one life of the host's process sees it.
func (h *Host) Attach(p *sim.Proc) env.Net { return &port{h: h, p: p} }

// pipe is a connection: two ends.
type pipe struct {
	ends  [2]*conn // dialled, accepted
	index int      // in Network.pipes
}

func (n *Network) addPipe(p *pipe) {
	p.index = len(n.pipes)
	n.pipes = append(n.pipes, p)
}

// settle forgets a connection both ends of which are over.
func (n *Network) settle(p *pipe) {
	if p.index < 0 || !p.ends[0].over() || !p.ends[1].over() {
		return
	}
	last := len(n.pipes) - 1
	n.pipes[p.index] = n.pipes[last]
	n.pipes[p.index].index = p.index
	n.pipes[last] = nil
	n.pipes = n.pipes[:last]
	p.index = -1
}

// ends calls fn for every end that is not over. fn may end connections.
func (n *Network) ends(fn func(c *conn)) {
	all := make([]*conn, 0, 2*len(n.pipes))
	for _, p := range n.pipes {
		all = append(all, p.ends[0], p.ends[1])
	}
	for _, c := range all {
		if !c.over() {
			fn(c)
		}
	}
}

// Stats counts the traffic and the faults that really had an effect. The latter
// are also trace counters ("net-bytes-stalled").
type Stats struct {
	Conns          uint64 // accepted
	BytesSent      uint64 // taken from writers
	BytesDelivered uint64 // into the receivers' sockets
	Chunks         uint64

	BytesStalled uint64 // by cuts and by hosts without power
	ConnsReset   uint64 // ends that saw a reset
	ConnsTimeout uint64 // ends that timed out
	DialsRefused uint64
	DialsTimeout uint64
}

// Stats returns the counters so far.
func (n *Network) Stats() Stats { return n.stats }

// Conns is how many connections have an end that is still open.
func (n *Network) Conns() int { return len(n.pipes) }
