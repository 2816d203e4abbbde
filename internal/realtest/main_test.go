package realtest_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odradek/internal/realtest"
)

// binary is odradek, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "odradek-realtest-")
	if err == nil {
		defer os.RemoveAll(dir)
		binary, err = realtest.Build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// start runs a node on a directory of its own, or a cluster in one process, until the
// test ends.
func start(t *testing.T, flags ...string) *realtest.Process {
	t.Helper()
	return startOn(t, t.TempDir(), "127.0.0.1:0", flags...)
}

func startOn(t *testing.T, dir, listen string, flags ...string) *realtest.Process {
	t.Helper()
	p, err := realtest.Start(binary, dir, listen, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the broker's log:\n%s", p.Log())
		}
	})
	return p
}

func stop(t *testing.T, p *realtest.Process) {
	t.Helper()
	if err := p.Stop(); err != nil {
		t.Fatal("stopping:", err)
	}
}

// client is a franz-go client with its defaults, besides the given options.
func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.MetadataMinAge(50 * time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// patience bounds whatever is waited for; a busy machine is slow.
func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// produce sends values to a topic that need not exist, and waits.
func produce(t *testing.T, cl *kgo.Client, topic string, values ...string) {
	t.Helper()
	records := make([]*kgo.Record, len(values))
	for i, v := range values {
		records[i] = &kgo.Record{Topic: topic, Value: []byte(v)}
	}
	if err := cl.ProduceSync(patience(t), records...).FirstErr(); err != nil {
		t.Fatalf("producing to %s: %v", topic, err)
	}
}

// values reads the whole topic, one partition after the other as they come.
func values(t *testing.T, addr, topic string) []string {
	t.Helper()
	var found []string
	if err := realtest.ReadAll(addr, topic, func(r *kgo.Record) { found = append(found, string(r.Value)) }); err != nil {
		t.Fatal(err)
	}
	return found
}

// numbers are n different values.
func numbers(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return out
}
