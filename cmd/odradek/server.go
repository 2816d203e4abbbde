package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"odradek/broker"
	"odradek/broker/env"
	"odradek/broker/realenv"
	"odradek/broker/storage"
)

// server is one running node.
//
// States: running -> stopped in good order, by stop; running -> failed, by itself, which
// failed tells; any -> closed, by close, which from running is as abrupt as a crash.
type server struct {
	nodeConfig
	world *realenv.World
	node  *broker.Node // loop
	// ready gets the address once it is bound.
	ready chan string
	// running is closed once clients see the broker.
	running chan struct{}
	// failed gets why the node cannot go on.
	failed chan error
}

// startServer opens the data directory and starts a node. The rest comes later: ready
// or failed tells.
func startServer(nc nodeConfig, log io.Writer, level env.Level) (*server, error) {
	world, err := realenv.Open(realenv.Options{DataDir: nc.dir, Log: log, Level: level})
	if err != nil {
		return nil, explainStart(nc, err)
	}
	s := &server{nodeConfig: nc, world: world, ready: make(chan string, 1), running: make(chan struct{}), failed: make(chan error, 1)}
	go world.Run()
	world.Post(func() {
		s.node = broker.Start(world.Env(), broker.Options{
			Config: nc.config, Static: nc.static, ClusterID: nc.clusterID,
			Failed: func(err error) { s.failed <- explainStart(nc, err) },
			Ready: func(addr string) {
				s.ready <- addr
				if !nc.config.IsBroker() {
					close(s.running)
				}
			},
			Running: func() { close(s.running) },
		})
	})
	return s, nil
}

// stop stops in good order; handOver says whether anybody is left who could take over
// leadership. done gets why the stop was not clean, or nil.
func (s *server) stop(handOver bool) <-chan error {
	done := make(chan error, 1)
	finish := func(err error) { done <- err }
	s.world.Post(func() {
		if handOver {
			s.node.Shutdown(finish)
		} else {
			s.node.ShutdownNow(finish)
		}
	})
	return done
}

// close lets go of everything.
func (s *server) close() error { return s.world.Close() }

// explainStart adds to an error of starting what to do about it.
func explainStart(nc nodeConfig, err error) error {
	var locked *realenv.LockedError
	var identity *storage.IdentityError
	hint := ""
	switch {
	case errors.As(err, &locked):
		hint = "stop that process, or choose another --data"
	case errors.As(err, &identity) && identity.Field == "node.id":
		hint = fmt.Sprintf("start it with --node-id %s, or choose another --data", identity.Got)
	case errors.As(err, &identity) && identity.Field == "cluster.id":
		hint = fmt.Sprintf("start it with --cluster-id %s, or choose another --data", identity.Got)
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "another process listens there: choose another --listen"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "that is no address of this machine: choose another --listen (and say with --advertise what clients should use)"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		hint = "choose a --data that this user may write"
	case errors.Is(err, syscall.ENOTDIR):
		hint = "--data must be a directory, or not there yet"
	}
	err = fmt.Errorf("node %d: %w", nc.config.NodeID, err)
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, hint)
}
