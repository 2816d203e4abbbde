package target

import (
	"errors"

	"odradek/bench"
)

// System is a running system. Its methods may be called from any goroutine.
type System interface {
	// Info says what it is, for results.
	Info() bench.Target
	// Addrs are the brokers' addresses, host:port, in the order of their node ids.
	Addrs() []string
	// Usage is what all server processes have taken since they were started, those that
	// have been killed included, but for RSSBytes, which is that of the moment. What cannot
	// be looked into is [bench.Unknown].
	Usage() (bench.Usage, error)
	// Kill ends a broker as kill -9 does, and returns when it is gone. node is its id.
	// ErrUnsupported if the target cannot.
	Kill(node int32) error
	// Restart starts what was killed on the same address and data, and returns when it
	// answers clients.
	Restart(node int32) error
	// Close ends everything and removes the data.
	Close() error
}

// ErrUnsupported is what a target returns for what it cannot do.
var ErrUnsupported = errors.New("this target cannot do that")

// Options say what is started. Node ids are 1 to Brokers.
type Options struct {
	// Name tells the target from others in results; "" is one that says what it is.
	Name string
	// Brokers is how many brokers there are, 0 is 1. Each is a controller, too.
	Brokers int
	// BrokerConfig has Kafka's names, which all targets know. What it leaves out is at its
	// default, but for the internal topics in a cluster too small for it: they have as many
	// replicas as there are brokers.
	BrokerConfig map[string]string
	// Dir is on the disk to be used: data and logs go into a new directory in it. "" is the
	// system's for temporary files.
	Dir string
	// Binary is the odradek program that Processes runs, "" this one.
	Binary string
	// Heap is the Java heap of a Kafka broker as java has it: "1G", which is Kafka's own and
	// what "" means.
	Heap string
	// CacheDir keeps Kafka's jars between runs. "" is odradek-bench in the user's cache
	// directory.
	CacheDir string
}

// logged is a System whose brokers' logs can be read.
type logged interface{ Logs() string }

// Logs is the end of what every broker has logged, for people who look for why a run
// failed; "" if nobody keeps it.
func Logs(s System) string {
	if s, ok := s.(logged); ok {
		return s.Logs()
	}
	return ""
}
