package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kcat gives all messages the same headers, the time of sending, and either nulls or
// empty strings. As a producer it ends when all connections are down.
var kcatKind = kind{
	start: startKcat, codecs: allCodecs,
	noCreate: true, noOffsets: true, noTimestamps: true, noHeaders: true, noTombstones: true, endsAlone: true,
}

func TestKcat(t *testing.T) { runSuite(t, kcatKind) }

func TestKcatWhileNodesDie(t *testing.T) { runRestarts(t, kcatKind) }

// kcat is the command, with the librdkafka of the system (2.0 at the time of writing,
// which asks for exact request versions).
type kcat struct{ bootstrap string }

func startKcat(t *testing.T, bootstrap string) client {
	needCommand(t, "kcat")
	return &kcat{bootstrap}
}

func (k *kcat) command(args ...string) *exec.Cmd {
	return exec.Command("kcat", append([]string{"-b", k.bootstrap, "-X", "reconnect.backoff.max.ms=500"}, args...)...)
}

// run waits for the command, whose standard error is in what it returns.
func run(cmd *exec.Cmd, input io.Reader) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, &out, &errs
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	overdue := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer overdue.Stop()
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, tail(errs.String(), 5))
	}
	return out.Bytes(), nil
}

func (k *kcat) describe() (description, error) {
	out, err := run(k.command("-L", "-J"), nil)
	if err != nil {
		return description{}, err
	}
	var listed struct {
		Brokers []struct{ ID int32 }
		Topics  []struct {
			Topic      string
			Partitions []struct{ Partition int32 }
		}
	}
	if err := json.Unmarshal(out, &listed); err != nil {
		return description{}, err
	}
	d := description{Topics: map[string]int{}}
	for _, b := range listed.Brokers {
		d.Brokers = append(d.Brokers, b.ID)
	}
	for _, t := range listed.Topics {
		d.Topics[t.Topic] = len(t.Partitions)
	}
	return d, nil
}

func (k *kcat) create(string, int, int) error { return errors.New("kcat cannot create topics") }

func (k *kcat) produce(r produceRequest) ([]int64, error) {
	args := []string{"-P", "-t", r.Topic, "-p", fmt.Sprint(r.Partition), "-z", r.Codec, "-K", "\t",
		"-X", fmt.Sprintf("acks=%d", r.Acks), "-X", fmt.Sprintf("message.timeout.ms=%d", patience.Milliseconds())}
	if r.Ordered {
		args = append(args, "-X", "max.in.flight=1")
	} else if r.Acks < 0 {
		args = append(args, "-X", "enable.idempotence=true")
	}
	input, feed := io.Pipe()
	go func() {
		for _, rec := range r.Records {
			line := *rec.Value + "\n"
			if rec.Key != nil {
				line = *rec.Key + "\t" + line
			}
			if _, err := io.WriteString(feed, line); err != nil {
				return // kcat has ended, and says why
			}
			time.Sleep(time.Duration(r.PauseMS) * time.Millisecond)
		}
		_ = feed.Close() // never fails
	}()
	_, err := run(k.command(args...), input)
	_ = input.Close() // never fails
	return nil, err
}

func (k *kcat) consume(r consumeRequest) ([]record, error) {
	from := "beginning"
	switch r.From {
	case "offset":
		from = fmt.Sprint(r.At)
	case "timestamp":
		from = fmt.Sprintf("s@%d", r.At)
	}
	cmd := k.command("-C", "-J", "-u", "-t", r.Topic, "-p", fmt.Sprint(r.Partition), "-o", from, "-X", "fetch.wait.max.ms=200")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	overdue := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer overdue.Stop()
	var got []record
	lines := bufio.NewReader(stdout)
	for !r.enough(got) {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			_ = cmd.Wait() // what it said is worth more
			return got, fmt.Errorf("after %d records: %w: %s", len(got), err, tail(errs.String(), 5))
		}
		var in struct {
			Offset, TS   int64
			Key, Payload *string
			Headers      []string
		}
		if err := json.Unmarshal(line, &in); err != nil {
			return got, fmt.Errorf("%.100s: %w", line, err)
		}
		out := record{Offset: in.Offset, Timestamp: in.TS, Key: in.Key, Value: in.Payload}
		for i := 0; i+1 < len(in.Headers); i += 2 {
			out.Headers = append(out.Headers, header{in.Headers[i], in.Headers[i+1]})
		}
		got = append(got, out)
	}
	_ = cmd.Process.Kill() // it would go on for ever
	_ = cmd.Wait()
	return got, nil
}

var kcatOffset = regexp.MustCompile(`offset (\d+)`)

func (k *kcat) offset(topic string, partition int32, timestamp int64) (int64, error) {
	out, err := run(k.command("-Q", "-t", fmt.Sprintf("%s:%d:%d", topic, partition, timestamp)), nil)
	if err != nil {
		return 0, err
	}
	m := kcatOffset.FindStringSubmatch(strings.TrimSpace(string(out)))
	if m == nil {
		return 0, fmt.Errorf("kcat -Q said %s", out)
	}
	return strconv.ParseInt(m[1], 10, 64)
}

func (k *kcat) close() {}
