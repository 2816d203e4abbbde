package target_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odradek/bench"
	"odradek/bench/kafka"
	"odradek/bench/target"
)

var runKafka = flag.Bool("kafka", false, "test Apache Kafka, too: needs Java 17 and, the first time, mvn")

// odradek builds the program that Processes runs.
func odradek(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: builds the odradek program")
	}
	binary := filepath.Join(t.TempDir(), "odradek")
	if out, err := exec.Command("go", "build", "-o", binary, "odradek/cmd/odradek").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// setting has configs that all clusters know, with values that are no defaults. The shorter
// session has partitions of a broker that was killed led again sooner.
var setting = map[string]string{"message.max.bytes": "54321", "broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}

func TestProcessesServeKillAndRestart(t *testing.T) {
	binary := odradek(t)
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			exercise(t, n, func() (target.System, error) {
				return target.Processes(target.Options{Brokers: n, BrokerConfig: setting, Dir: t.TempDir(), Binary: binary})
			})
		})
	}
}

func TestInProcessServesKillsAndRestarts(t *testing.T) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			exercise(t, n, func() (target.System, error) {
				return target.InProcess(target.Options{Brokers: n, BrokerConfig: setting, Dir: t.TempDir()})
			})
		})
	}
}

func TestKafkaServesKillsAndRestarts(t *testing.T) {
	if !*runKafka {
		t.Skip("takes a minute: run it with -kafka")
	}
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			exercise(t, n, func() (target.System, error) {
				s, err := target.Kafka(target.Options{Brokers: n, BrokerConfig: setting, Dir: t.TempDir()})
				if errors.Is(err, kafka.ErrNotInstalled) {
					t.Skip(err)
				}
				return s, err
			})
		})
	}
}

// exercise produces, kills every broker in turn, restarts it and reads everything.
func exercise(t *testing.T, brokers int, start func() (target.System, error)) {
	s, err := start()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if c, err := net.Dial("tcp", s.Addrs()[0]); err == nil {
			c.Close()
			t.Error("somebody listens after Close")
		}
	}()
	addrs := slices.Clone(s.Addrs())
	if len(addrs) != brokers {
		t.Fatalf("addresses %v, want %d", addrs, brokers)
	}
	cl := client(t, addrs)
	admin := kadm.NewClient(cl)
	if _, err := admin.CreateTopic(patience(t), 1, int16(brokers), nil, topic); err != nil {
		t.Fatal(err)
	}
	configs, err := admin.DescribeBrokerConfigs(patience(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range setting {
		if !slices.ContainsFunc(configs[0].Configs, func(c kadm.Config) bool { return c.Key == name && c.MaybeValue() == value }) {
			t.Errorf("broker 1 does not have %s=%s", name, value)
		}
	}
	var before bench.Usage
	for id := int32(1); int(id) <= brokers; id++ {
		produce(t, cl, fmt.Sprint("before ", id))
		before = usage(t, s, before)
		if err := s.Kill(id); err != nil {
			t.Fatal(err)
		}
		if c, err := net.Dial("tcp", addrs[id-1]); err == nil {
			c.Close()
			t.Errorf("broker %d listens after it was killed", id)
		}
		if err := s.Kill(id); err == nil {
			t.Errorf("broker %d was killed twice", id)
		}
		if brokers > 1 {
			produce(t, cl, fmt.Sprint("without ", id))
		}
		before = usage(t, s, before)
		if err := s.Restart(id); err != nil {
			t.Fatal(err)
		}
		if err := s.Restart(id); err == nil {
			t.Errorf("broker %d was started twice", id)
		}
		produce(t, cl, fmt.Sprint("after ", id))
		if u := usage(t, s, before); u.CPUSeconds == 0 {
			t.Error("the life that was ended has taken no CPU time")
		}
	}
	if !slices.Equal(addrs, s.Addrs()) {
		t.Errorf("addresses were %v, are %v", addrs, s.Addrs())
	}
	var want []string
	for id := 1; id <= brokers; id++ {
		want = append(want, fmt.Sprint("before ", id))
		if brokers > 1 {
			want = append(want, fmt.Sprint("without ", id))
		}
		want = append(want, fmt.Sprint("after ", id))
	}
	if got := consume(t, addrs, len(want)); !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
	if err := s.Kill(int32(brokers) + 1); err == nil {
		t.Error("a broker was killed that is not there")
	}
	if !strings.Contains(target.Logs(s), fmt.Sprint("broker ", brokers)) {
		t.Errorf("logs without the last broker:\n%s", target.Logs(s))
	}
}

// usage must be known, and not less than it was: a killed process's does not get lost. Of one
// that runs the system tells it in steps of 10 ms, of which a young broker may have had none.
func usage(t *testing.T, s target.System, before bench.Usage) bench.Usage {
	t.Helper()
	u, err := s.Usage()
	if err != nil {
		t.Fatal(err)
	}
	if u.CPUSeconds < 0 || u.CPUSeconds < before.CPUSeconds || u.BytesWritten < before.BytesWritten {
		t.Errorf("usage %+v after %+v", u, before)
	}
	return u
}

const topic = "exercise"

func client(t *testing.T, addrs []string, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts := append([]kgo.Opt{kgo.SeedBrokers(addrs...), kgo.DefaultProduceTopic(topic), kgo.MetadataMinAge(50 * time.Millisecond)}, more...)
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func produce(t *testing.T, cl *kgo.Client, value string) {
	t.Helper()
	if err := cl.ProduceSync(patience(t), kgo.StringRecord(value)).FirstErr(); err != nil {
		t.Fatalf("%s: %v", value, err)
	}
}

func consume(t *testing.T, addrs []string, n int) []string {
	t.Helper()
	cl := client(t, addrs, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var values []string
	ctx := patience(t)
	for len(values) < n {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("read %q, want %d: %v", values, n, fetches.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestFakeServes(t *testing.T) {
	s, err := target.Fake(target.Options{Brokers: 3, BrokerConfig: setting})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.Addrs()) != 3 || target.Logs(s) != "" {
		t.Errorf("%v, logs %q", s.Addrs(), target.Logs(s))
	}
	cl := client(t, s.Addrs())
	if _, err := kadm.NewClient(cl).CreateTopic(patience(t), 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, "v")
	if got := consume(t, s.Addrs(), 1); !slices.Equal(got, []string{"v"}) {
		t.Errorf("read %q", got)
	}
	usage(t, s, bench.Usage{})
	cannotKill(t, s)
}

func TestExternalHasTheUsageOfTheProcessesGiven(t *testing.T) {
	f, err := target.Fake(target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := target.External(f.Addrs(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := s.Usage(); err != nil || u != bench.Unknown {
		t.Errorf("usage without processes %+v, %v", u, err)
	}
	if !slices.Equal(s.Addrs(), f.Addrs()) || s.Info().Mode != "external" {
		t.Errorf("%+v at %v", s.Info(), s.Addrs())
	}
	cannotKill(t, s)
	two, err := target.External(f.Addrs(), []int{os.Getpid(), os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	one, self := usage(t, two, bench.Usage{}), target.SelfUsage()
	if one.RSSBytes < self.RSSBytes*3/2 || one.RSSBytes > self.RSSBytes*3 {
		t.Errorf("this process twice has %d bytes, once %d", one.RSSBytes, self.RSSBytes)
	}
	if _, err := target.External(f.Addrs(), []int{1 << 30}); err == nil {
		t.Error("a process is measured that is not there")
	}
}

func cannotKill(t *testing.T, s target.System) {
	t.Helper()
	if err := s.Kill(1); !errors.Is(err, target.ErrUnsupported) {
		t.Errorf("kill: %v", err)
	}
	if err := s.Restart(1); !errors.Is(err, target.ErrUnsupported) {
		t.Errorf("restart: %v", err)
	}
}

// What a broker refuses to start with is in the error, with its log, and nothing is left.
func TestWrongConfigsAreErrorsThatSayWhy(t *testing.T) {
	wrong := map[string]string{"telepathy": "on"}
	for name, start := range map[string]func(target.Options) (target.System, error){"process": target.Processes, "in process": target.InProcess} {
		t.Run(name, func(t *testing.T) {
			o := target.Options{BrokerConfig: wrong, Dir: t.TempDir()}
			if name == "process" {
				o.Binary = odradek(t)
			}
			s, err := start(o)
			if err == nil {
				s.Close()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), "telepathy") {
				t.Errorf("%v does not say what is wrong", err)
			}
			if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}
