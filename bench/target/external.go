package target

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"odradek/bench"
)

// external is a system that somebody else has started.
type external struct {
	addrs []string
	pids  []int
}

// External is whatever answers at the addresses. pids are its server processes on this
// machine, for their usage; with none of them it is unknown.
func External(addrs []string, pids []int) (System, error) {
	if len(addrs) == 0 {
		return nil, errors.New("external: no addresses")
	}
	const patience = 15 * time.Second
	running := func() error { return nil }
	if err := awaitBrokers(addrs, nil, patience, running); err != nil {
		return nil, err
	}
	e := &external{addrs, pids}
	if _, err := e.Usage(); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *external) Info() bench.Target {
	return bench.Target{Name: "external " + strings.Join(e.addrs, ","), Mode: "external"}
}

func (e *external) Addrs() []string { return e.addrs }

func (e *external) Usage() (bench.Usage, error) {
	if len(e.pids) == 0 {
		return bench.Unknown, nil
	}
	var sum bench.Usage
	for _, pid := range e.pids {
		u, err := ProcessUsage(pid)
		if err != nil {
			return bench.Unknown, fmt.Errorf("process %d: %w", pid, err)
		}
		sum = plus(sum, u)
	}
	return sum, nil
}

func (e *external) Kill(int32) error    { return ErrUnsupported }
func (e *external) Restart(int32) error { return ErrUnsupported }
func (e *external) Close() error        { return nil }
