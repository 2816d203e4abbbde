package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
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
	fl.IntVar(&f.frame, "frame", defaultFrame, "bytes of a frame of --mode reference")
	fl.StringVar(&f.dir, "data", "", "directory in which brokers get one each for their data, to measure its disk (default: the system's temporary directory)")
}

// defaultFrame is what one write has of a log that is only limited by its disk.
const defaultFrame = 1 << 20

// targets are all that the flags name; with none of them it is odradek on disk.
func (f *targetFlags) targets() ([]session.Target, error) {
	modes := f.modes
	if len(modes)+len(f.addrs)+len(f.binaries) == 0 && !f.kafka {
		modes = []string{"disk"}
	}
	if err := f.misplaced(modes); err != nil {
		return nil, err
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
			list = append(list, session.Reference{Frame: f.frame, Program: program, Dir: f.dir})
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
		o.Brokers, o.BrokerConfig, o.Dir = s.Brokers, s.BrokerConfig, f.dir
		return start(o)
	}
}

// misplaced is an error of a flag that none of the targets has a use for.
func (f *targetFlags) misplaced(modes []string) error {
	has := func(mode string) bool { return slices.Contains(modes, mode) }
	onDisk := has("disk") || has("in-process") || has("reference") || f.kafka || len(f.binaries) > 0
	switch {
	case len(f.pids) > 0 && len(f.addrs) != 1:
		return errors.New("--pid: want one --target that the processes are of")
	case f.profile != "" && !has("sim"):
		return errors.New("--profile: is the machine of --mode sim, which is not asked for")
	case f.frame != defaultFrame && !has("reference"):
		return errors.New("--frame: is of --mode reference, which is not asked for")
	case f.dir != "" && !onDisk:
		return errors.New("--data: no target is asked for that this command gives a disk")
	}
	for _, addr := range f.addrs {
		for _, one := range strings.Split(addr, ",") {
			if _, _, err := net.SplitHostPort(one); err != nil {
				return fmt.Errorf("--target %s: want HOST:PORT, or several of one cluster with commas", addr)
			}
		}
	}
	return nil
}

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
