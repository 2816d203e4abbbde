package target

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"odradek/bench"
)

// cluster is a system of nodes that were started here.
type cluster struct {
	info  bench.Target
	place place
	nodes []node // by id, from 1 on

	mu sync.Mutex // of the nodes; not held while one that starts is waited for
}

// node is one broker of a cluster. The cluster's mutex is held, but for addr and log.
type node interface {
	addr() string
	// start returns before the node answers.
	start() error
	// running says whether it should run: it has been started and not killed.
	running() bool
	// kill returns when the node is gone.
	kill() error
	// ended is why a running node cannot go on, nil if it can.
	ended() error
	log() string
}

// measured is a node with a usage of its own.
type measured interface {
	// usage is of all its lives.
	usage() (bench.Usage, error)
}

// newCluster is a cluster without nodes yet, with a place for their files and the addresses
// that they need, so many for each. One of those words is in its name.
func newCluster(o *Options, mode, program, one, many string, each int) (*cluster, []string, error) {
	o.Brokers = max(1, o.Brokers)
	addrs, err := freeAddrs(each * o.Brokers)
	if err != nil {
		return nil, nil, err
	}
	p, err := newPlace(*o)
	if err != nil {
		return nil, nil, err
	}
	unit := one
	if o.Brokers > 1 {
		unit = many
	}
	name := o.name(fmt.Sprintf("%s, %d %s", program, o.Brokers, unit))
	return &cluster{info: bench.Target{Name: name, Mode: mode}, place: p}, addrs, nil
}

// bringUp starts all nodes and waits until clients can use them. If it fails, nothing is left.
func bringUp(c *cluster) (System, error) {
	for _, n := range c.nodes {
		if err := n.start(); err != nil {
			return nil, errors.Join(c.wrong(err), c.Close())
		}
	}
	if err := awaitBrokers(c.Addrs(), c.Addrs(), startTimeout, c.ended); err != nil {
		return nil, errors.Join(c.wrong(err), c.Close())
	}
	return c, nil
}

// wrong names a system that did not start, and adds what its brokers have logged.
func (c *cluster) wrong(err error) error { return fmt.Errorf("%s: %w\n%s", c.info.Name, err, c.Logs()) }

func (c *cluster) Info() bench.Target { return c.info }

func (c *cluster) Addrs() []string {
	var addrs []string
	for _, n := range c.nodes {
		addrs = append(addrs, n.addr())
	}
	return addrs
}

func (c *cluster) Logs() string {
	var b strings.Builder
	for i, n := range c.nodes {
		fmt.Fprintf(&b, "--- broker %d, %s\n%s", i+1, n.addr(), n.log())
	}
	return b.String()
}

// ended is why a node that should run does not.
func (c *cluster) ended() error {
	for i, n := range c.nodes {
		if err := n.ended(); err != nil {
			return fmt.Errorf("broker %d: %w", i+1, err)
		}
	}
	return nil
}

func (c *cluster) Usage() (bench.Usage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ended(); err != nil {
		return bench.Unknown, err
	}
	var sum bench.Usage
	for i, n := range c.nodes {
		m, own := n.(measured)
		if !own {
			return SelfUsage(), nil
		}
		u, err := m.usage()
		if err != nil {
			return bench.Unknown, fmt.Errorf("broker %d: %w", i+1, err)
		}
		sum = plus(sum, u)
	}
	return sum, nil
}

// node is that with an id, if it is in the state wanted.
func (c *cluster) node(id int32, running bool) (node, error) {
	if id < 1 || int(id) > len(c.nodes) {
		return nil, fmt.Errorf("%s: there is no broker %d, want 1 to %d", c.info.Name, id, len(c.nodes))
	}
	n := c.nodes[id-1]
	if n.running() != running {
		return nil, fmt.Errorf("%s: broker %d is running: %t, want %t", c.info.Name, id, !running, running)
	}
	return n, nil
}

func (c *cluster) Kill(id int32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.node(id, true)
	if err != nil {
		return err
	}
	return n.kill()
}

func (c *cluster) Restart(id int32) error {
	n, err := c.restart(id)
	if err != nil {
		return err
	}
	own := []string{n.addr()}
	ended := func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !n.running() {
			return errors.New("killed while it was starting")
		}
		return n.ended()
	}
	if err := awaitBrokers(own, own, startTimeout, ended); err != nil {
		return fmt.Errorf("broker %d: %w", id, err)
	}
	return nil
}

func (c *cluster) restart(id int32) (node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.node(id, false)
	if err != nil {
		return nil, err
	}
	return n, n.start()
}

func (c *cluster) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, n := range c.nodes {
		if n.running() {
			errs = append(errs, n.kill())
		}
	}
	return errors.Join(append(errs, c.place.remove())...)
}

// place is the directory of a system: its nodes' data in n1, n2, ..., and their logs and
// properties beside them.
type place string

func newPlace(o Options) (place, error) {
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "odradek-bench-")
		return place(dir), err
	}
	// Processes are told of it, whatever their working directory.
	parent, err := filepath.Abs(o.Dir)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(parent, "odradek-bench-")
	return place(dir), err
}

// of is a node's file, or its data directory with "".
func (p place) of(id int, suffix string) string {
	return filepath.Join(string(p), fmt.Sprintf("n%d%s", id, suffix))
}

func (p place) remove() error { return os.RemoveAll(string(p)) }
