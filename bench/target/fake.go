package target

import (
	"fmt"
	"runtime/debug"

	"github.com/twmb/franz-go/pkg/kfake"

	"odradek/bench"
)

// fake is franz-go's broker in memory.
type fake struct {
	info    bench.Target
	cluster *kfake.Cluster
}

// Fake starts franz-go's kfake in this process, which keeps records in memory: what clients can
// do with a broker that does next to nothing. Its usage is that of the whole process, clients
// included. Of the configs it takes those that it knows.
func Fake(o Options) (System, error) {
	c, err := kfake.NewCluster(kfake.NumBrokers(max(1, o.Brokers)), kfake.BrokerConfigs(o.BrokerConfig))
	if err != nil {
		return nil, fmt.Errorf("kfake: %w", err)
	}
	f := &fake{info: bench.Target{Name: o.name("kfake"), Mode: "in-process", Version: kfakeVersion()}, cluster: c}
	running := func() error { return nil }
	if err := awaitBrokers(f.Addrs(), f.Addrs(), startTimeout, running); err != nil {
		c.Close()
		return nil, fmt.Errorf("kfake: %w", err)
	}
	return f, nil
}

// kfakeVersion is the module's.
func kfakeVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/twmb/franz-go/pkg/kfake" {
			return m.Version
		}
	}
	return ""
}

func (f *fake) Info() bench.Target          { return f.info }
func (f *fake) Addrs() []string             { return f.cluster.ListenAddrs() }
func (f *fake) Usage() (bench.Usage, error) { return SelfUsage(), nil }
func (f *fake) Kill(int32) error            { return ErrUnsupported }
func (f *fake) Restart(int32) error         { return ErrUnsupported }

func (f *fake) Close() error {
	f.cluster.Close()
	return nil
}
