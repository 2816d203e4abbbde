package load

import (
	"odradek/bench"
	"odradek/bench/target"
)

// usage follows what servers and client take of the machine.
type usage struct {
	sys                        target.System
	serverFrom, clientFrom     bench.Usage
	serverLatest, clientLatest bench.Usage
	serverRSS, clientRSS       int64
	// together is whether the servers are in this process: nobody can tell then which of
	// both took what.
	together bool
}

func newUsage(sys target.System) *usage {
	return &usage{sys: sys, serverRSS: -1, clientRSS: -1, together: sys.Info().Mode == "in-process"}
}

// start begins to count.
func (u *usage) start() error {
	err := u.look()
	u.serverFrom, u.clientFrom = u.serverLatest, u.clientLatest
	return err
}

// look takes a reading; memory is known only at such moments.
func (u *usage) look() error {
	server, err := u.sys.Usage()
	if err != nil {
		return err
	}
	u.serverLatest, u.clientLatest = server, target.SelfUsage()
	u.serverRSS, u.clientRSS = max(u.serverRSS, server.RSSBytes), max(u.clientRSS, u.clientLatest.RSSBytes)
	return nil
}

// taken is what they took since the start.
func (u *usage) taken() (server, client bench.Usage) {
	server, client = since(u.serverFrom, u.serverLatest, u.serverRSS), since(u.clientFrom, u.clientLatest, u.clientRSS)
	if u.together {
		client = bench.Unknown
	}
	return server, client
}

func since(from, to bench.Usage, rss int64) bench.Usage {
	d := bench.Usage{CPUSeconds: to.CPUSeconds - from.CPUSeconds, RSSBytes: rss, BytesWritten: to.BytesWritten - from.BytesWritten}
	if from.CPUSeconds < 0 || to.CPUSeconds < 0 {
		d.CPUSeconds = -1
	}
	if from.BytesWritten < 0 || to.BytesWritten < 0 {
		d.BytesWritten = -1
	}
	return d
}
