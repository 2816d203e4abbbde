package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"odradek/bench"
	"odradek/bench/reference"
	"odradek/bench/session"
	"odradek/bench/simulated"
	"odradek/bench/target"
)

// targetFlags say what is measured.
type targetFlags struct {
	modes    []string
	addrs    []string
	pids     []int
	kafka    bool
	binaries []string
	profile  string
	frame    int
	dir      string
}

func (f *targetFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringSliceVar(&f.modes, "mode", nil, "measure odradek: disk (a process for each broker), in-process, sim (predicted); or what bounds it: kfake (franz-go on a broker in memory), reference (a log without a protocol) (default disk)")
	fl.StringArrayVar(&f.addrs, "target", nil, "measure what answers at HOST:PORT,... (may be repeated)")
	fl.IntSliceVar(&f.pids, "pid", nil, "server processes of the one --target on this machine, for their usage")
	fl.BoolVar(&f.kafka, "kafka", false, "measure Apache Kafka; needs java and mvn")
	fl.StringArrayVar(&f.binaries, "binary", nil, "measure another build of odradek on disk (may be repeated)")
	fl.StringVar(&f.profile, "profile", "", "machine of --mode sim: "+strings.Join(simulated.Profiles(), ", ")+", a file (default this-machine if odradek bench calibrate was run, or laptop)")
	fl.IntVar(&f.frame, "frame", 1<<20, "bytes of a frame of --mode reference")
	fl.StringVar(&f.dir, "data", "", "directory in which brokers get one each for their data, to measure its disk (default: the system's temporary directory)")
}

// targets are all that the flags name; with none of them it is odradek on disk.
func (f *targetFlags) targets() ([]session.Target, error) {
	if len(f.pids) > 0 && len(f.addrs) != 1 {
		return nil, errors.New("--pid: want one --target that the processes are of")
	}
	modes := f.modes
	if len(modes)+len(f.addrs)+len(f.binaries) == 0 && !f.kafka {
		modes = []string{"disk"}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program := []string{self, "bench", referenceName}
	var list []session.Target
	for _, mode := range modes {
		switch mode {
		case "disk":
			list = append(list, f.started(target.Processes, target.Options{}))
		case "in-process":
			list = append(list, f.started(target.InProcess, target.Options{}))
		case "sim":
			p, err := f.simulation()
			if err != nil {
				return nil, err
			}
			list = append(list, session.Simulation(p))
		case "kfake":
			list = append(list, session.Fake(program))
		case "reference":
			list = append(list, session.Reference{Frame: f.frame, Program: program})
		default:
			return nil, fmt.Errorf("--mode %s: want disk, in-process, sim, kfake or reference", mode)
		}
	}
	for _, binary := range f.binaries {
		list = append(list, f.started(target.Processes, target.Options{Binary: binary, Name: "odradek, " + binary}))
	}
	if f.kafka {
		list = append(list, f.started(target.Kafka, target.Options{}))
	}
	for _, addr := range f.addrs {
		list = append(list, session.System(func(*bench.Scenario) (target.System, error) {
			return target.External(strings.Split(addr, ","), f.pids)
		}))
	}
	return list, nil
}

// started is a target of brokers that are started here.
func (f *targetFlags) started(start func(target.Options) (target.System, error), o target.Options) session.System {
	return func(s *bench.Scenario) (target.System, error) {
		o.Brokers, o.BrokerConfig = s.Brokers, s.BrokerConfig
		if f.dir == "" {
			return start(o)
		}
		dir, err := os.MkdirTemp(f.dir, "odradek-bench-")
		if err != nil {
			return nil, err
		}
		o.Dir = dir
		sys, err := start(o)
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		return removing{sys, dir}, nil
	}
}

// removing is a system whose data goes with it.
type removing struct {
	target.System
	dir string
}

func (r removing) Close() error { return errors.Join(r.System.Close(), os.RemoveAll(r.dir)) }

func (f *targetFlags) simulation() (simulated.Profile, error) {
	if f.profile != "" {
		return simulated.Load(f.profile)
	}
	p, err := simulated.Load(simulated.ThisMachine)
	if errors.Is(err, os.ErrNotExist) {
		return simulated.Load("laptop")
	}
	return p, err
}

// referenceName is the command that bench runs as servers to compare with.
const referenceName = "reference-server"

func benchReferenceCommand() *cobra.Command {
	return &cobra.Command{
		Use:                referenceName,
		Short:              "Be a server that bench compares with",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE:               func(_ *cobra.Command, args []string) error { return reference.Main(args) },
	}
}
