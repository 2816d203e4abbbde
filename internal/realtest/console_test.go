package realtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// console runs one command of the binary.
func console(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	c := exec.CommandContext(patience(t), binary, args...)
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// succeed is console for what must exit with 0.
func succeed(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, errs, code := console(t, stdin, args...)
	if code != 0 {
		t.Fatalf("odradek %s: exit code %d: %s", strings.Join(args, " "), code, errs)
	}
	return out
}

func TestConsoleRoundTrip(t *testing.T) {
	t.Parallel()
	b := "--bootstrap=" + start(t).Addr
	succeed(t, "", "topic", "create", "words", "--partitions", "3", "--config", "retention.ms=3600000", b)

	want := numbers("word", 5000)
	_, summary, _ := console(t, strings.Join(want, "\n")+"\n", "produce", "words", b)
	if !strings.HasPrefix(summary, "5000 records, ") || strings.Contains(summary, "\r") {
		t.Errorf("summary of produce: %q", summary)
	}
	got := strings.Fields(succeed(t, "", "consume", "words", "--exit-at-end", b))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d of %d records came back", len(got), len(want))
	}

	var described struct {
		Partitions []struct{ Leader int }
		Configs    map[string]string
	}
	if err := json.Unmarshal([]byte(succeed(t, "", "topic", "describe", "words", "--json", b)), &described); err != nil {
		t.Fatal(err)
	}
	if len(described.Partitions) != 3 || described.Partitions[2].Leader != 1 || described.Configs["retention.ms"] != "3600000" {
		t.Errorf("described: %+v", described)
	}
	if out := succeed(t, "", "topic", "list", b); !strings.Contains(out, "words  3") {
		t.Errorf("list:\n%s", out)
	}
	succeed(t, "", "topic", "delete", "words", b)
	if out := succeed(t, "", "topic", "list", b); out != "" {
		t.Errorf("list after deleting:\n%s", out)
	}
}

func TestConsumeStartsAndEndsWhereItIsTold(t *testing.T) {
	t.Parallel()
	b := "--bootstrap=" + start(t).Addr
	succeed(t, "a:1\nb:2\nno key\nd:4\n", "produce", "t", "--key-separator", ":", "--compression", "zstd", b)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--exit-at-end"}, "1\n2\nno key\n4\n"},
		{[]string{"--exit-at-end", "-K", ":"}, "a:1\nb:2\nno key\nd:4\n"},
		{[]string{"--count", "2"}, "1\n2\n"},
		{[]string{"--from", "1", "--count", "1"}, "2\n"},
		{[]string{"--from", "-1", "--exit-at-end"}, "4\n"},
		{[]string{"--from", "end", "--exit-at-end"}, ""},
		{[]string{"--from", "1h", "--count", "1"}, "1\n"},
		{[]string{"--from", "2200-01-01", "--exit-at-end"}, ""},
		{[]string{"--from", "3", "--count", "1", "--format", `%p|%o|%k|%v\n`}, "0|3|d|4\n"},
	} {
		if got := succeed(t, "", append([]string{"consume", "t", b}, c.args...)...); got != c.want {
			t.Errorf("consume %v: %q, want %q", c.args, got, c.want)
		}
	}
	var r struct {
		Topic  string
		Offset int64
		Key    *string
		Value  string
	}
	if err := json.Unmarshal([]byte(succeed(t, "", "consume", "t", "--json", "--from", "2", "-n", "1", b)), &r); err != nil {
		t.Fatal(err)
	}
	if r.Topic != "t" || r.Offset != 2 || r.Key != nil || r.Value != "no key" {
		t.Errorf("as JSON: %+v", r)
	}
}

func TestConsoleErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	b := "--bootstrap=" + start(t).Addr
	succeed(t, "", "topic", "create", "t", b)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"topic", "create", "t", b}, "--if-not-exists"},
		{[]string{"topic", "create", "u", "--config", "retention.mss=1", b}, "did you mean retention.ms?"},
		{[]string{"topic", "create", "u", "--replication-factor", "2", b}, "live brokers"},
		{[]string{"topic", "create", "u", "--config", "retention.ms", b}, "want name=value"},
		{[]string{"topic", "describe", "nope", b}, "odradek topic list"},
		{[]string{"topic", "delete", "nope", b}, "odradek topic list"},
		{[]string{"consume", "nope", b}, "odradek topic list"},
		{[]string{"consume", "nope", "--group", "g", b}, "odradek topic list"},
		{[]string{"topic", "lst", b}, "did you mean odradek topic list?"},
		{[]string{"topic", "t"}, "see odradek topic --help"},
		{[]string{"topic", "list", "--partitions", "3"}, "see odradek topic list --help"},
		{[]string{"consume", "t", "--partition", "7", b}, "odradek topic describe"},
		{[]string{"consume", "t", "--from", "99", b}, "--from beginning"},
		{[]string{"consume", "t", "--from", "soon", b}, "such as 15m"},
		{[]string{"consume", b}, "--help"},
		{[]string{"produce", "t", "--acks", "2", b}, "0, 1 or all"},
		{[]string{"topic", "list", "--bootstrap", "127.0.0.1:1"}, "odradek serve"},
	} {
		out, errs, code := console(t, "x\n", c.args...)
		if code != 2 || !strings.Contains(errs, c.want) || out != "" {
			t.Errorf("odradek %s: exit code %d, %q %q, want %q", strings.Join(c.args, " "), code, out, errs, c.want)
		}
	}
}

// Who reads the output gets nothing of nothing, and who looks at it a word.
func TestConsoleSaysOfWhatThereIsNothing(t *testing.T) {
	t.Parallel()
	b := "--bootstrap=" + start(t).Addr
	for _, c := range []struct{ command, want string }{
		{"topic list", "no topics"},
		{"topic describe", "no topics"},
		{"group list", "no groups"},
		{"group list --state empty,stable", "no groups in state empty or stable"},
		{"group describe", "no groups"},
		{"txn list", "no transactions"},
		{"txn list --state Ongoing", "no transactions in state Ongoing"},
		{"txn find-hanging", "no hanging transactions"},
		{"reassign status", "nothing is being moved"},
		{"config describe --all-brokers", "all brokers: nothing is set"},
	} {
		args := append(strings.Fields(c.command), b)
		if out, errs, code := console(t, "", args...); code != 0 || out != "" || errs != c.want+"\n" {
			t.Errorf("%s: exit code %d, %q %q, want %q", c.command, code, out, errs, c.want)
		}
		if out, errs, code := console(t, "", append(args, "--json")...); code != 0 || out != "" || errs != "" {
			t.Errorf("%s --json: exit code %d, %q %q, want nothing", c.command, code, out, errs)
		}
	}
}

// The first question to a coordinator makes the topic that it is elected by.
func TestConsoleWaitsForTheFirstCoordinator(t *testing.T) {
	t.Parallel()
	b := "--bootstrap=" + start(t).Addr
	succeed(t, "", "topic", "create", "t", b)
	if _, errs, _ := console(t, "", "txn", "describe", "nobody", b); !strings.Contains(errs, "there is no transactional id nobody") {
		t.Errorf("txn describe: %q", errs)
	}
	succeed(t, "", "group", "reset-offsets", "g", "--to", "end", "--topic", "t", "--execute", b)
}

// An interrupt is how one ends a consumer, and a pipe whose reader is gone is no error.
func TestConsumeEndsCleanly(t *testing.T) {
	t.Parallel()
	b := "--bootstrap=" + start(t).Addr
	succeed(t, strings.Repeat("line\n", 50_000), "produce", "t", b)

	c := exec.CommandContext(patience(t), binary, "consume", "t", b)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := out.Read(make([]byte, 100)); n == 0 {
		t.Fatal("nothing was printed:", err)
	}
	_ = out.Close()
	if err := c.Wait(); err != nil {
		t.Errorf("after the reader left: %v", err)
	}

	c = exec.CommandContext(patience(t), binary, "consume", "t", "--from", "end", b)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	_ = c.Process.Signal(os.Interrupt)
	if err := c.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
}

// What was read before an interrupt is delivered.
func TestInterruptedProduceDelivers(t *testing.T) {
	t.Parallel()
	p := start(t)
	c := exec.CommandContext(patience(t), binary, "produce", "t", "--bootstrap", p.Addr)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var summary bytes.Buffer
	c.Stderr = &summary
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("one\ntwo\n")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	_ = c.Process.Signal(syscall.SIGTERM)
	if err := c.Wait(); err != nil || !strings.HasPrefix(summary.String(), "2 records") {
		t.Errorf("%v, %q", err, summary.String())
	}
	if got := values(t, p.Addr, "t"); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("delivered %q", got)
	}
}

func TestServeRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startOn(t, dir, "127.0.0.1:0")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	refused := func(want string, args ...string) {
		t.Helper()
		_, errs, code := console(t, "", append([]string{"serve"}, args...)...)
		if code != 2 || !strings.Contains(errs, want) {
			t.Errorf("serve %v: exit code %d, want 2 and %q:\n%s", args, code, want, errs)
		}
	}
	refused("is in use by process", "--data", dir, "--listen", "127.0.0.1:0")
	refused("choose another --listen", "--data", other, "--listen", p.Addr)
	refused("must be a directory", "--data", file)
	refused("did you mean log.retention.ms?", "--data", other, "--set", "log.retension.ms=1")
	refused("name=value", "--data", other, "--set", "log.retention.ms")
	refused("must be at least", "--data", other, "--set", "log.segment.bytes=1")
	refused("own requests need", "--data", other, "--set", "socket.request.max.bytes=1")
	refused("--voters names the controllers", "--data", other, "--roles", "broker")
	refused("fixed port", "--data", other, "--brokers", "3", "--listen", "127.0.0.1:0")
	stop(t, p)
	refused("--node-id 1", "--data", dir, "--node-id", "2", "--listen", "127.0.0.1:0")
	refused("belongs to another", "--data", dir, "--cluster-id", "elsewhere", "--listen", "127.0.0.1:0")
}

func TestConfigFileYieldsToFlagsThatAreGiven(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server.properties")
	if err := os.WriteFile(file, []byte("node.id=7\nnum.partitions=4\nlisteners=PLAINTEXT://127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := "--bootstrap=" + start(t, "--config", file, "--set", "num.partitions=2").Addr
	succeed(t, "", "topic", "create", "t", b)
	out := succeed(t, "", "topic", "describe", "t", b)
	if !strings.Contains(out, "t: 2 partitions") || !strings.Contains(out, "0          7 ") {
		t.Errorf("want two partitions, led by node 7:\n%s", out)
	}
}

func TestThreeBrokersInOneProcess(t *testing.T) {
	t.Parallel()
	p := startOn(t, t.TempDir(), consecutiveAddr(t, 3), "--brokers", "3")
	b := "--bootstrap=" + p.Addr
	succeed(t, "", "topic", "create", "t", b)
	succeed(t, "one\ntwo\n", "produce", "t", b)
	if got := succeed(t, "", "consume", "t", "-e", b); got != "one\ntwo\n" {
		t.Errorf("consumed %q", got)
	}
	if out := strings.Fields(succeed(t, "", "topic", "list", b)); out[len(out)-1] != "3" {
		t.Errorf("three replicas expected: %q", out)
	}
	stop(t, p)
}

func TestKcat(t *testing.T) {
	t.Parallel()
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		t.Skip("kcat is not installed; it would check that librdkafka can talk to the broker")
	}
	p := start(t)
	want := strings.Join(numbers("line", 1000), "\n") + "\n"
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		// kcat waits a second for a topic that is being created.
		succeed(t, "", "topic", "create", codec, "--bootstrap", p.Addr)
		c := exec.CommandContext(patience(t), kcat, "-P", "-b", p.Addr, "-t", codec, "-z", codec)
		c.Stdin = strings.NewReader(want)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", codec, err, out)
			continue
		}
		out, err := exec.CommandContext(patience(t), kcat, "-C", "-q", "-e", "-o", "beginning", "-b", p.Addr, "-t", codec).Output()
		if err != nil || string(out) != want {
			t.Errorf("%s: %v, %d bytes came back, want %d", codec, err, len(out), len(want))
		}
	}
}
