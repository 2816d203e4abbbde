package target

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"sync"

	"odradek/broker"
	"odradek/broker/config"
	"odradek/broker/env"
	"odradek/broker/realenv"
)

// inProcessNode is a node in this process, on TCP and files.
type inProcessNode struct {
	address string
	dir     string
	logFile string
	config  *config.Broker
	static  config.Values

	life *life // nil before the start and after a kill
}

// life is a node from its start to its end.
type life struct {
	world *realenv.World
	log   io.Closer

	mu     sync.Mutex
	failed error
}

func (n *inProcessNode) addr() string  { return n.address }
func (n *inProcessNode) running() bool { return n.life != nil }
func (n *inProcessNode) log() string   { return tail(n.logFile) }

func (n *inProcessNode) start() error {
	log, err := os.OpenFile(n.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	world, err := realenv.Open(realenv.Options{DataDir: n.dir, Log: log, Level: env.Info})
	if err != nil {
		_ = log.Close()
		return err
	}
	l := &life{world: world, log: log}
	go world.Run()
	world.Post(func() {
		broker.Start(world.Env(), broker.Options{Config: n.config, Static: n.static, Failed: l.fail})
	})
	n.life = l
	return nil
}

func (l *life) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = err
}

// kill stops the node between two of its steps. What it has written stays, as it does when a
// process is killed.
func (n *inProcessNode) kill() error {
	err := n.life.world.Close()
	_ = n.life.log.Close()
	n.life = nil
	return err
}

func (n *inProcessNode) ended() error {
	if n.life == nil {
		return nil
	}
	n.life.mu.Lock()
	defer n.life.mu.Unlock()
	return n.life.failed
}

// InProcess starts a cluster of nodes within this process, on TCP and files. Its usage is that
// of the whole process, clients included; the garbage collector is this program's.
func InProcess(o Options) (System, error) {
	c, addrs, err := newCluster(&o, "in-process", "odradek", "node in process", "nodes in process", 1)
	if err != nil {
		return nil, err
	}
	p := c.place
	if info, ok := debug.ReadBuildInfo(); ok {
		c.info.Version = commitOf(info)
	}
	for i, addr := range addrs {
		id := i + 1
		static := config.Values{
			"node.id": strconv.Itoa(id), "process.roles": "broker,controller", "listeners": "PLAINTEXT://" + addr,
			"controller.quorum.voters": voters(addrs), "log.dirs": p.of(id, ""),
		}
		for name, value := range o.brokerConfig() {
			static[name] = value
		}
		layers := config.Layers{Static: static}
		b, err := layers.BrokerConfig()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("broker %d: %w", id, err), p.remove())
		}
		c.nodes = append(c.nodes, &inProcessNode{address: addr, dir: p.of(id, ""), logFile: p.of(id, ".log"), config: b, static: static})
	}
	return bringUp(c)
}
