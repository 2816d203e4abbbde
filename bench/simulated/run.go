package simulated

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"time"

	"odradek/bench"
	"odradek/broker/env"
	"odradek/netsim"
	"odradek/sim"
	"odradek/sim/cluster"
	"odradek/workloads/client"
)

// Options are of one run.
type Options struct {
	// Seed decides everything that is drawn: repetitions differ by it.
	Seed uint64
	// MaxBytes bounds the values that are sent in the time measured, for every byte is
	// kept in memory as often as it has replicas. A run that reaches it is measured for
	// less time, which the sample says. 0 is [DefaultMaxBytes]. It does not bind runs with
	// faults, whose times are what they are about.
	MaxBytes int64
}

// DefaultMaxBytes is enough for seconds at rates that one machine reaches.
const DefaultMaxBytes = 256 << 20

// Limits of the phases, in simulated time.
const (
	bootWithin  = 60 * time.Second
	setupWithin = 60 * time.Second
	joinWithin  = 60 * time.Second
	drainWithin = 10 * time.Second
	fillWithin  = time.Hour
	longestWarm = time.Second
	lookEvery   = 5 * time.Millisecond
)

// Run is a scenario at a rate (records/s; 0 is as fast as possible) on machines that a
// profile describes, in virtual time. The same arguments give the same sample, to the byte.
func Run(s *bench.Scenario, rate float64, p Profile, o Options) (bench.Sample, error) {
	if err := s.Validate(); err != nil {
		return bench.Sample{}, err
	}
	if err := p.check(); err != nil {
		return bench.Sample{}, err
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	r := &run{scenario: s, rate: rate, profile: &p, opts: o, k: sim.New(o.Seed)}
	r.sample = bench.Sample{Variant: s.Variant, Rate: rate}
	r.tally = &tally{sample: &r.sample, from: sim.Forever, to: sim.Forever, endless: rate == 0}
	if err := r.build(); err != nil {
		return bench.Sample{}, err
	}
	defer r.cluster.Destroy()
	if err := r.phases(); err != nil {
		return bench.Sample{}, fmt.Errorf("simulation of %s at %v: %w", s.Title(), sim.Time(r.k.Now()), err)
	}
	r.tally.finish(r.k.Now())
	return r.sample, nil
}

// run is one run under way.
type run struct {
	scenario *bench.Scenario
	rate     float64
	profile  *Profile
	opts     Options
	k        *sim.Kernel
	cluster  *cluster.Cluster
	kinds    *kinds
	count    counts
	machines map[string]*cores
	threads  map[string]*sim.Proc // of brokers, by host
	noise    []byte

	tally  *tally
	sample bench.Sample

	groups [][]*member
	serial int

	begin sim.Time // of the schedule; 0 until it is known
	over  bool     // nothing more is to be sent
	ready int      // producers that wait for it
	open  int      // producers that are not done
	err   error    // what a user ran into
	spent struct{ server, client time.Duration }
}

// noiseSize is what values are cut from: more than any codec looks back.
const noiseSize = 4 << 20

func (r *run) build() error {
	r.kinds = newKinds(r.k)
	r.count.requests = make(map[int16]int64)
	r.machines, r.threads = make(map[string]*cores), make(map[string]*sim.Proc)
	r.noise = make([]byte, noiseSize+r.scenario.MessageSize)
	rng := r.k.Stream("bench/noise")
	for i := range r.noise {
		r.noise[i] = byte(rng.Uint32())
	}
	n := &r.profile.Network
	c := cluster.Config{
		Nodes: r.scenario.Brokers, Voters: r.scenario.Brokers, Plain: true,
		Properties: r.properties(), Disk: r.profile.Disk.device(), Trace: env.Error, RestartDelay: time.Second,
		Net: netsim.DefaultConfig(),
	}
	c.Net.Latency, c.Net.Jitter, c.Net.Loopback, c.Net.Bytes, c.Net.Window = n.Latency, n.Jitter, n.Latency, n.BytesPerSecond, n.Window
	c.Net.SplitPerMille = 0
	var err error
	if r.cluster, err = cluster.New(r.k, c); err != nil {
		return err
	}
	r.cluster.Failed = func(node *cluster.Node, err error) { r.fail(fmt.Errorf("broker %d gave up: %w", node.ID, err)) }
	r.cluster.Env = func(node *cluster.Node, e env.Env) env.Env {
		return r.price(node.Host, e, true)
	}
	r.cluster.Ended = func(node *cluster.Node) { r.threads[node.Name()].Kill() }
	return nil
}

// properties are a broker's configs: those of the scenario, and internal topics that fit.
func (r *run) properties() map[string]string {
	n := strconv.Itoa(r.scenario.Brokers)
	p := make(map[string]string)
	if r.scenario.Brokers < 3 {
		p["offsets.topic.replication.factor"], p["transaction.state.log.replication.factor"], p["transaction.state.log.min.isr"] = n, n, "1"
	}
	maps.Copy(p, r.scenario.BrokerConfig)
	return p
}

// price puts costs between a process that starts and its machine.
func (r *run) price(h *cluster.Host, e env.Env, serves bool) env.Env {
	p := &process{
		k: r.k, loop: h.Proc(), threads: r.k.NewProc(h.Node()), costs: &r.profile.Client, network: &r.profile.Network,
		kinds: r.kinds, count: &r.count, spent: &r.spent.client, serves: serves,
	}
	machine := "clients"
	if serves {
		p.costs, p.spent, machine = &r.profile.Broker, &r.spent.server, h.Name()
		r.threads[h.Name()] = p.threads
	}
	if r.profile.OneMachine {
		machine = ""
	}
	if r.machines[machine] == nil {
		r.machines[machine] = newCores(r.profile.Cores)
	}
	p.cores = r.machines[machine]
	e.Net = &network{p: p, inner: h.NIC.Attach(p.threads)}
	e.CPU = p
	if e.Disk != nil {
		e.Disk = &files{Disk: e.Disk, p: p}
	}
	return e
}

func (r *run) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// until runs the kernel until a condition holds.
func (r *run) until(what string, within time.Duration, done func() bool) error {
	deadline := r.k.Now().Add(within)
	for !done() {
		if r.err != nil {
			return r.err
		}
		if r.k.Now() >= deadline {
			return fmt.Errorf("%s: not within %v", what, within)
		}
		r.k.RunFor(lookEvery)
	}
	return r.err
}

// user is a client's process.
type user struct {
	*run
	name    string
	env     *env.Env
	process *process
	rng     *rand.Rand
}

func (u *user) now() sim.Time { return u.process.loop.Now() }

// waitUntil lets time pass until a condition holds, in steps too small to matter.
func (u *user) waitUntil(t *env.Task, done func() bool) {
	for !done() && !u.over {
		t.Sleep(u.env.Clock, 200*time.Microsecond)
	}
}

// start runs a user on a machine of its own name; it prices and places the process.
func (r *run) start(kind string, fn func(t *env.Task, u *user, c *client.Client) error) {
	r.serial++
	name := fmt.Sprintf("%s-%d", kind, r.serial)
	h := r.cluster.NewClient(name)
	r.place(name, 0)
	h.Start(func(e env.Env) {
		e = r.price(h, e, false)
		p := e.CPU.(*process)
		u := &user{run: r, name: name, env: &e, process: p, rng: e.Rand.Stream("bench")}
		c := client.New(&e, client.DefaultConfig(name, r.cluster.Addrs()...))
		e.Tasks.Go(func(t *env.Task) {
			if err := fn(t, u, c); err != nil {
				r.fail(err)
			}
		})
	})
}

// place puts a client's machine into a region: its links become as long as they are.
func (r *run) place(name string, region int) {
	n := &r.profile.Network
	if len(n.Regions) == 0 {
		return
	}
	for i, node := range r.cluster.Nodes {
		r.distance(name, node.Name(), n.factor(region, i), n.factor(i, region))
	}
}

func (r *run) distance(a, b string, there, back int) {
	r.cluster.Net.Slow(a, b, there, 1)
	r.cluster.Net.Slow(b, a, back, 1)
}

func topicName(i int) string { return fmt.Sprintf("bench-%d", i) }
