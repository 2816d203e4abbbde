package target

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"odradek/bench/kafka"
)

// Kafka starts a cluster of Apache Kafka's brokers in KRaft mode, each a process of its own, on
// loopback. It is [kafka.ErrNotInstalled] if Java or Maven is missing.
func Kafka(o Options) (System, error) {
	if o.CacheDir == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		o.CacheDir = filepath.Join(dir, "odradek-bench")
	}
	installed, err := kafka.Open(o.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	// Kafka's controllers have listeners of their own.
	c, addrs, err := newCluster(&o, "disk", "Kafka", "broker", "brokers", 2)
	if err != nil {
		return nil, err
	}
	p, clients, controllers := c.place, addrs[:o.Brokers], addrs[o.Brokers:]
	c.info.Version = kafka.Version()
	for i, addr := range clients {
		id := i + 1
		configs := o.brokerConfig()
		configs["node.id"] = strconv.Itoa(id)
		configs["process.roles"] = "broker,controller"
		configs["listeners"] = "PLAINTEXT://" + addr + ",CONTROLLER://" + controllers[i]
		configs["advertised.listeners"] = "PLAINTEXT://" + addr
		configs["controller.listener.names"] = "CONTROLLER"
		configs["listener.security.protocol.map"] = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
		configs["controller.quorum.voters"] = voters(controllers)
		configs["log.dirs"] = p.of(id, "")
		properties := p.of(id, ".properties")
		err := writeProperties(properties, configs)
		if err == nil {
			err = installed.Format(properties)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("kafka: broker %d: %w", id, err), p.remove())
		}
		c.nodes = append(c.nodes, &processNode{
			address: addr, logFile: p.of(id, ".log"),
			command: func() *exec.Cmd { return installed.Broker(properties, o.Heap) },
		})
	}
	return bringUp(c)
}
