package reference

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"odradek/bench"
)

// asServer has this test run as a server: see [program].
const asServer = "ODRADEK_TEST_REFERENCE_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		if err := Main(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	os.Exit(m.Run())
}

// program is the command line of this test as a server.
func program(t testing.TB) []string {
	t.Setenv(asServer, "1")
	return []string{os.Args[0]}
}

// sizes of frames that the project measures.
var sizes = []int{16 << 10, 128 << 10, 1 << 20}

func sizeName(n int) string { return fmt.Sprintf("%dKiB", n>>10) }

// untilAnything measures for longer and longer, until not even the slowest machine has
// done nothing.
func untilAnything(t *testing.T, measure func(longer time.Duration) (bench.Sample, error)) bench.Sample {
	t.Helper()
	for longer := time.Duration(1); ; longer *= 2 {
		s, err := measure(longer)
		if err != nil {
			t.Fatal(err)
		}
		if s.Acked+s.Received > 0 {
			return s
		}
	}
}

func complete(t *testing.T, s bench.Sample, readers int64) {
	t.Helper()
	if s.Acked > s.Sent || s.Failed != 0 {
		t.Errorf("sent %d, acked %d, failed %d", s.Sent, s.Acked, s.Failed)
	}
	if s.Lost != 0 || s.Duplicated != 0 || s.Received > readers*s.Sent {
		t.Errorf("received %d of %d, lost %d, duplicated %d", s.Received, s.Sent, s.Lost, s.Duplicated)
	}
	if s.Bytes != s.Acked*1000 {
		t.Errorf("%d bytes in %d records", s.Bytes, s.Acked)
	}
	// Latencies are of all frames, those included that came after the end, and at a rate those
	// that were due before it and sent after it.
	frames := s.Sent / 10
	if s.Rate > 0 {
		frames = int64(s.Rate*s.Seconds) / 10
	}
	if s.Ack.Count() != frames || s.EndToEnd.Count() != readers*frames {
		t.Errorf("%d and %d latencies of %d frames", s.Ack.Count(), s.EndToEnd.Count(), frames)
	}
}

func TestALoadIsMeasuredCompletely(t *testing.T) {
	const short = 100 * time.Millisecond
	base := Config{Frame: 10_000, Record: 1000, Warmup: short, Duration: 3 * short}
	for name, set := range map[string]func(*Config){
		"produce":               func(*Config) {},
		"two readers":           func(c *Config) { c.Readers = 2 },
		"three producers":       func(c *Config) { c.Producers, c.Readers = 3, 1 },
		"synced, at a rate":     func(c *Config) { c.Sync, c.Rate, c.Producers, c.Readers = true, 20_000, 2, 1 },
		"followers":             func(c *Config) { c.Followers, c.Readers = 2, 1 },
		"processes":             func(c *Config) { c.Program, c.Readers = program(t), 1 },
		"processes, replicated": func(c *Config) { c.Program, c.Followers, c.Sync = program(t), 2, true },
	} {
		t.Run(name, func(t *testing.T) {
			c := base
			c.Dir = t.TempDir()
			set(&c)
			s := untilAnything(t, func(longer time.Duration) (bench.Sample, error) {
				c.Duration *= longer
				return Measure(t.Context(), c)
			})
			complete(t, s, int64(c.Readers))
			if s.Seconds != c.Duration.Seconds() || s.Target != c.Info().Name || s.Rate != c.Rate {
				t.Errorf("%s for %v s at %v", s.Target, s.Seconds, s.Rate)
			}
			if want := int64(c.Rate * s.Seconds); c.Rate > 0 && (s.Sent > want || s.Lateness.Count() != want/10) {
				t.Errorf("%d records sent, and lateness of %d frames; %d were due", s.Sent, s.Lateness.Count(), want)
			}
			if known := s.Server.CPUSeconds >= 0; known != (c.Program != nil) || s.Client.CPUSeconds < 0 {
				t.Errorf("CPU %v s of servers, %v s of the client", s.Server.CPUSeconds, s.Client.CPUSeconds)
			}
			if left, err := os.ReadDir(c.Dir); err != nil || len(left) > 0 {
				t.Errorf("%v were left behind, %v", left, err)
			}
		})
	}
}

func TestABacklogIsReadOnceByEveryReader(t *testing.T) {
	s, err := Measure(t.Context(), Config{Frame: 10_000, Record: 1000, Readers: 2, Producers: 3, Backlog: 3_000_000, Dir: t.TempDir(), Program: program(t)})
	if err != nil {
		t.Fatal(err)
	}
	if s.Received != 2*3000 || s.Bytes != 6_000_000 || s.Lost != 0 || s.Duplicated != 0 || s.Seconds <= 0 || s.Acked != 0 {
		t.Errorf("received %d records, %d bytes in %v s; lost %d, duplicated %d", s.Received, s.Bytes, s.Seconds, s.Lost, s.Duplicated)
	}
}

func TestAReaderCountsWhatIsMissingAndWhatCameTwice(t *testing.T) {
	s := startServer(t, ServerConfig{}, nil)
	conn := connect(t, s, isProducer)
	for _, number := range []int64{0, 1, 4, 4, 5} {
		payload := make([]byte, payloadHeader)
		stamp{producer: 0, number: number, due: 7}.put(payload)
		write(t, conn, frameOf(payload))
	}
	r, err := newReader(s.Addr(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.conn.Close()
	frames := 0
	if err := r.read(5, func(due int64) {
		if frames++; due != 7 {
			t.Errorf("due at %d", due)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if frames != 5 || r.lost != 2 || r.duplicated != 1 {
		t.Errorf("%d frames, %d lost, %d duplicated", frames, r.lost, r.duplicated)
	}
}

func TestALoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	_, err := Measure(ctx, Config{Frame: 1000, Readers: 1, Duration: time.Hour, Dir: t.TempDir()})
	if !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}

func TestAServerThatCannotWriteSaysWhy(t *testing.T) {
	_, err := Start(program(t), ServerConfig{Dir: "/does/not/exist", Listen: "127.0.0.1:0"}.args()...)
	if err == nil || !strings.Contains(err.Error(), "/does/not/exist/log") {
		t.Errorf("%v", err)
	}
}

func TestImpossibleLoadsAreRefused(t *testing.T) {
	for want, c := range map[string]Config{
		"frames of 10 bytes":      {Frame: 10, Duration: time.Second},
		"records of 2000 bytes":   {Frame: 1000, Record: 2000, Duration: time.Second},
		"a duration of 0s":        {Frame: 1000},
		"a backlog that nobody":   {Frame: 1000, Backlog: 1},
		"a negative number":       {Frame: 1000, Rate: -1, Duration: time.Second},
		"frames of 1000000000000": {Frame: 1e12, Duration: time.Second},
	} {
		if _, err := Measure(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestAScenarioBecomesALoad(t *testing.T) {
	list, err := bench.Parse([]byte("name: x\nbrokers: 3\nreplicationFactor: 3\nproducersPerTopic: 2\nbrokerConfig: {log.flush.interval.messages: \"1\"}\ntestDuration: 7s\n"))
	if err != nil {
		t.Fatal(err)
	}
	c := FromScenario(&list[0], 5000, 1<<20)
	if c.Info().Name != "reference, 1 MiB frames, synced, 2 followers" || c.Info().Mode != "in-process" {
		t.Errorf("%+v", c.Info())
	}
	if c.Record != 1024 || c.Rate != 5000 || c.Producers != 2 || c.Readers != 1 || c.Duration != 7*time.Second || c.Warmup != 3*time.Second {
		t.Errorf("%+v", c)
	}
}

func TestTheCeilingOfTheClientIsMeasured(t *testing.T) {
	for _, consume := range []bool{false, true} {
		c := CeilingConfig{Record: 1000, Consume: consume, Warmup: 100 * time.Millisecond, Duration: 300 * time.Millisecond, Program: program(t)}
		s := untilAnything(t, func(longer time.Duration) (bench.Sample, error) {
			c.Duration *= longer
			return MeasureCeiling(t.Context(), c)
		})
		if s.Bytes != 1000*(s.Acked+s.Received) || (s.Received > 0) != consume || s.Server.CPUSeconds < 0 {
			t.Errorf("%s: %+v", s.Target, s)
		}
	}
}

// BenchmarkServer is of frames acknowledged, to a server in this process.
func BenchmarkServer(b *testing.B) {
	for _, size := range sizes {
		for _, sync := range []bool{false, true} {
			name := sizeName(size)
			if sync {
				name += "/synced"
			}
			b.Run(name, func(b *testing.B) { benchmarkServer(b, size, sync) })
		}
	}
}

func benchmarkServer(b *testing.B, size int, sync bool) {
	s := startServer(b, ServerConfig{Sync: sync}, datasync)
	p, err := newProducer(0, s.Addr(), noise(size), max(2, 4<<20/size))
	if err != nil {
		b.Fatal(err)
	}
	acked := make(chan error, 1)
	go func() { acked <- p.acks(func(int64) {}) }()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if !p.waitForRoom() {
			b.Fatal(<-acked)
		}
		if err := p.send(0); err != nil {
			b.Fatal(err)
		}
	}
	for p.acked.Load() < p.sent {
		if _, ok := <-p.room; !ok {
			b.Fatal(<-acked)
		}
	}
	p.conn.Close()
	<-acked
}
