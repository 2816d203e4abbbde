package interop

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// cache is where the script setup installs to.
var cache = func() string {
	dir, err := filepath.Abs(".cache")
	if err != nil {
		panic(err)
	}
	return dir
}()

// need skips the test unless all paths exist. Relative ones are in the cache.
func need(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if !filepath.IsAbs(p) {
			p = filepath.Join(cache, p)
		}
		if found, _ := filepath.Glob(p); len(found) == 0 {
			t.Skipf("%s is not there: run interop/setup", p)
		}
	}
}

// needCommand skips the test unless the command is installed.
func needCommand(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed: see interop/setup", name)
	}
}

// program is a client in another language: a process that gets one command a line
// on standard input, as JSON, and answers each with a line on standard output.
//
//	{"op":"describe"}                                  {"brokers":[1],"topics":{"t":3}}
//	{"op":"create","topic","partitions","replication"} {}
//	{"op":"produce", fields of produceRequest}         {"offsets":[0,1]}
//	{"op":"consume", fields of consumeRequest}         {"records":[...]}
//	{"op":"offset","topic","partition","at"}           {"offset":7}
//	{"op":"work", ...}                                 see workOrder
//
// What failed is {"error":"why"}. The bootstrap servers are its last argument. It
// ends when its input does. Standard error is shown if the test fails.
type program struct {
	mu     sync.Mutex
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
	stderr *journal
}

type command struct {
	Op          string `json:"op"`
	Topic       string `json:"topic,omitempty"`
	Partition   int32  `json:"partition"`
	Partitions  int    `json:"partitions,omitempty"`
	Replication int    `json:"replication,omitempty"`
	At          int64  `json:"at"`
}

type answer struct {
	description
	Offsets []int64  `json:"offsets"`
	Records []record `json:"records"`
	Offset  int64    `json:"offset"`
	Error   string   `json:"error"`
}

func startProgram(t *testing.T, bootstrap string, args ...string) client {
	t.Helper()
	p, err := openProgram(bootstrap, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if said := p.stderr.String(); t.Failed() && said != "" {
			t.Logf("the client's program said last:\n%s", tail(said, 30))
		}
	})
	return p
}

func openProgram(bootstrap string, args ...string) (*program, error) {
	p := &program{cmd: exec.Command(args[0], append(args[1:], bootstrap)...), stderr: new(journal)}
	p.cmd.Stderr = p.stderr
	p.cmd.SysProcAttr = processAttributes
	p.cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(cache, "node", "node_modules"), "KAFKAJS_NO_PARTITIONER_WARNING=1")
	var err error
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.output = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// ask sends a command and waits for the answer. A program that does not answer in
// time is killed.
func (p *program) ask(question any) (answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var a answer
	line, err := json.Marshal(question)
	if err != nil {
		return a, err
	}
	overdue := time.AfterFunc(patience+30*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer overdue.Stop()
	if _, err := p.input.Write(append(line, '\n')); err != nil {
		return a, fmt.Errorf("asking the program: %w", err)
	}
	if line, err = p.output.ReadBytes('\n'); err != nil {
		return a, fmt.Errorf("the program's answer: %w", err)
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return a, fmt.Errorf("the program's answer %.200s: %w", line, err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

func (p *program) describe() (description, error) {
	a, err := p.ask(command{Op: "describe"})
	return a.description, err
}

func (p *program) create(topic string, partitions, replication int) error {
	_, err := p.ask(command{Op: "create", Topic: topic, Partitions: partitions, Replication: replication})
	return err
}

func (p *program) produce(r produceRequest) ([]int64, error) {
	a, err := p.ask(struct {
		Op string `json:"op"`
		produceRequest
	}{"produce", r})
	return a.Offsets, err
}

func (p *program) consume(r consumeRequest) ([]record, error) {
	a, err := p.ask(struct {
		Op string `json:"op"`
		consumeRequest
	}{"consume", r})
	return a.Records, err
}

func (p *program) offset(topic string, partition int32, timestamp int64) (int64, error) {
	a, err := p.ask(command{Op: "offset", Topic: topic, Partition: partition, At: timestamp})
	return a.Offset, err
}

func (p *program) close() {
	_ = p.input.Close()
	late := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait() // it is of no use any more, however it ends
	late.Stop()
}
