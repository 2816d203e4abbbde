package reference

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"odradek/bench"
)

// Config is a load on a reference server, and what the server does.
type Config struct {
	// Frame is the bytes of a frame's payload.
	Frame int
	// Record is how many bytes of a payload count as a record; 0: a frame is one.
	Record int
	// Rate is in records a second over all producers, 0 is as fast as they can. Producers
	// is how many there are, 0 is 1.
	Rate      float64
	Producers int
	// Readers are sent everything as it comes.
	Readers int
	// Backlog is how many bytes are written before the readers begin, 0 if they are there
	// from the beginning. The sample is then of their reading, all together: nothing is
	// produced meanwhile.
	Backlog int64
	// Window is how many bytes each producer has in flight at most if Rate is 0. 0 is
	// 4 MiB, or two frames.
	Window int

	Sync      bool
	Followers int

	Warmup, Duration time.Duration

	// Dir is where logs go, "" is a temporary directory. They are removed.
	Dir string
	// Program is the command line of a program that runs [Main], as which servers are
	// started. Without one they run in this process.
	Program []string
}

// FromScenario is a scenario's load in frames of so many bytes, as far as a log without
// topics and groups can be under it.
func FromScenario(s *bench.Scenario, rate float64, frame int) Config {
	return Config{
		Frame: frame, Record: min(s.MessageSize, frame), Rate: rate,
		Producers: s.Topics * s.ProducersPerTopic, Readers: s.Groups(), Backlog: int64(s.ConsumerBacklogSizeGB * 1e9),
		Sync: s.BrokerConfig["log.flush.interval.messages"] == "1" || s.TopicConfig["flush.messages"] == "1", Followers: s.ReplicationFactor - 1,
		Warmup: s.WarmupDuration, Duration: s.TestDuration,
	}
}

// Info says what is measured.
func (c Config) Info() bench.Target {
	size := fmt.Sprintf("%d B", c.Frame)
	switch {
	case c.Frame > 0 && c.Frame%(1<<20) == 0:
		size = fmt.Sprintf("%d MiB", c.Frame>>20)
	case c.Frame > 0 && c.Frame%(1<<10) == 0:
		size = fmt.Sprintf("%d KiB", c.Frame>>10)
	}
	words := []string{"reference", size + " frames"}
	if c.Sync {
		words = append(words, "synced")
	}
	if c.Followers > 0 {
		words = append(words, fmt.Sprintf("%d followers", c.Followers))
	}
	mode := "disk"
	if len(c.Program) == 0 {
		mode = "in-process"
	}
	return bench.Target{Name: strings.Join(words, ", "), Mode: mode}
}

func (c Config) validate() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("reference: "+format, args...))
		}
	}
	wrong(c.Frame < payloadHeader || c.Frame > maxFrame, "frames of %d bytes, want %d to %d", c.Frame, payloadHeader, maxFrame)
	wrong(c.Record < 0 || c.Record > c.Frame, "records of %d bytes, in frames of %d", c.Record, c.Frame)
	wrong(c.Rate < 0 || c.Producers < 0 || c.Readers < 0 || c.Backlog < 0 || c.Window < 0 || c.Followers < 0 || c.Warmup < 0, "a negative number")
	wrong(c.Backlog == 0 && c.Duration <= 0, "a duration of %v", c.Duration)
	wrong(c.Backlog > 0 && c.Readers == 0, "a backlog that nobody reads")
	return errors.Join(errs...)
}

// Measure starts servers, puts them under the load, and ends them.
func Measure(ctx context.Context, c Config) (sample bench.Sample, err error) {
	if err := c.validate(); err != nil {
		return sample, err
	}
	c.Producers = max(c.Producers, 1)
	c.Record = cmp.Or(c.Record, c.Frame)
	if c.Backlog > 0 {
		c.Rate = 0 // written as fast as possible, and not measured
	}
	dir, err := os.MkdirTemp(c.Dir, "odradek-reference-")
	if err != nil {
		return sample, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	servers, err := startServers(c, dir)
	if err != nil {
		return sample, err
	}
	defer func() { err = servers.close(err) }()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	l := &load{Config: c, servers: servers, fail: fail, begin: time.Now()}
	// Whatever waits for the servers fails when the connections are gone.
	defer context.AfterFunc(ctx, l.close)()
	if c.Backlog > 0 {
		err = l.catchUp(ctx)
	} else {
		err = l.run(ctx)
	}
	l.done.Store(err == nil)
	l.close()
	l.running.Wait()
	if err != nil {
		return sample, fmt.Errorf("%s: %w", c.Info().Name, cmp.Or(context.Cause(ctx), err))
	}
	return l.sample(), nil
}

// cluster is a leader and its followers.
type cluster struct {
	addr      string
	here      []*Server
	processes []*Process
}

func startServers(c Config, dir string) (_ *cluster, err error) {
	k := &cluster{}
	defer func() {
		if err != nil {
			err = k.close(err)
		}
	}()
	for i := range 1 + c.Followers {
		s := ServerConfig{Dir: filepath.Join(dir, fmt.Sprint(i)), Listen: "127.0.0.1:0", Sync: c.Sync, Leader: k.addr}
		if i == 0 {
			s.Followers = c.Followers
		}
		if err := os.Mkdir(s.Dir, 0o700); err != nil {
			return nil, err
		}
		addr, err := k.start(c.Program, s)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			k.addr = addr
		}
	}
	return k, nil
}

func (k *cluster) start(program []string, c ServerConfig) (addr string, err error) {
	if len(program) == 0 {
		s, err := Serve(c)
		if err != nil {
			return "", err
		}
		k.here = append(k.here, s)
		return s.Addr(), nil
	}
	p, err := Start(program, c.args()...)
	if err != nil {
		return "", err
	}
	k.processes = append(k.processes, p)
	return p.Addr, nil
}

func (k *cluster) pids() (list []int) {
	for _, p := range k.processes {
		list = append(list, p.PID())
	}
	return list
}

// close ends all, and adds to the error for which it may be done what the servers have to
// say of it.
func (k *cluster) close(because error) error {
	for _, s := range k.here {
		err := s.Close()
		if failed := s.Wait(); because != nil && failed != errClosed {
			err = errors.Join(failed, err)
		}
		because = errors.Join(because, err)
	}
	for _, p := range k.processes {
		if log := p.Close(); because != nil && log != "" {
			because = fmt.Errorf("%w\n%s", because, log)
		}
	}
	return because
}

// noise is bytes that do not compress, and are the same in every run.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // never fails
	return b
}
