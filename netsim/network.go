package netsim

import (
	"math/rand/v2"
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

// Config is how links behave when nothing is wrong, and the knobs of the model.
type Config struct {
	Latency  time.Duration // one way
	Jitter   time.Duration // greatest addition to Latency, drawn per chunk
	Loopback time.Duration // latency of a host to itself, without jitter
	Bytes    int64         // bandwidth of each direction, bytes/s
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
type Network struct{}

// New returns a network without hosts.
func New(k *sim.Kernel, cfg Config) *Network { panic("not yet") }

// Host is a machine's network interface and the sockets of its operating system.
// It outlives the machine's processes.
type Host struct{}

// NewHost adds a host, which is up. Its name is the host part of its addresses.
func (n *Network) NewHost(name string, node sim.Node) *Host { panic("not yet") }

// Host returns the host of that name, nil if there is none.
func (n *Network) Host(name string) *Host { panic("not yet") }

// Name is the host's name.
func (h *Host) Name() string { panic("not yet") }

// Attach returns the network as one life of the host's process sees it.
func (h *Host) Attach(p *sim.Proc) env.Net { panic("not yet") }

// ProcessCrash closes the sockets of the process, which is dead, as the operating
// system does.
func (h *Host) ProcessCrash() { panic("not yet") }

// PowerLoss silences the host; PowerOn brings it back with no connection.
func (h *Host) PowerLoss() { panic("not yet") }

// PowerOn ends a PowerLoss.
func (h *Host) PowerOn() { panic("not yet") }

// Up reports whether the host has power.
func (h *Host) Up() bool { panic("not yet") }

// Cut makes the link from one host to another lose everything, in that direction
// only, until Heal. Cutting twice is allowed. Unknown hosts panic.
func (n *Network) Cut(from, to string) { panic("not yet") }

// Heal ends Cut.
func (n *Network) Heal(from, to string) { panic("not yet") }

// Partition cuts all links between hosts of different groups, both ways. Links
// inside a group, and those of hosts in no group, stay as they are.
func (n *Network) Partition(groups ...[]string) { panic("not yet") }

// HealAll ends all cuts and slownesses.
func (n *Network) HealAll() { panic("not yet") }

// IsCut reports whether the link is cut.
func (n *Network) IsCut(from, to string) bool { panic("not yet") }

// Slow multiplies the latency and divides the bandwidth of a link, in that
// direction; 1, 1 is normal.
func (n *Network) Slow(from, to string, latencyFactor, bandwidthDivisor int) { panic("not yet") }

// Reset breaks all connections between two hosts; it returns how many.
func (n *Network) Reset(a, b string) int { panic("not yet") }

// ResetRandom breaks up to count connections drawn from r; it returns how many.
func (n *Network) ResetRandom(r *rand.Rand, count int) int { panic("not yet") }

// Stats counts the traffic and the faults that really had an effect. The latter
// are also trace counters ("net-bytes-stalled").
type Stats struct {
	Conns          uint64 // established
	BytesSent      uint64 // taken from writers
	BytesDelivered uint64 // into the receivers' sockets
	Chunks         uint64

	BytesStalled uint64 // by cuts and by hosts without power
	ConnsReset   uint64
	ConnsTimeout uint64
	DialsRefused uint64
	DialsTimeout uint64
}

// Stats returns the counters so far.
func (n *Network) Stats() Stats { panic("not yet") }

// Conns is how many connections are open, with both ends counted once.
func (n *Network) Conns() int { panic("not yet") }
