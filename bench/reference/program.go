package reference

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Main is a program that runs one server until its standard input ends, so that it does
// not outlive whoever started it. Its arguments are "log" with flags, or "kfake". It says
// "listening on ADDRESS" on standard output.
func Main(args []string) error {
	if len(args) == 0 {
		return errors.New("want log or kfake")
	}
	run := map[string]func([]string, func(addr string)) error{"log": logProgram, "kfake": fakeProgram}[args[0]]
	if run == nil {
		return fmt.Errorf("%q: want log or kfake", args[0])
	}
	return run(args[1:], func(addr string) { fmt.Println("listening on", addr) })
}

func logProgram(args []string, listening func(string)) error {
	var c ServerConfig
	flags := flag.NewFlagSet("log", flag.ContinueOnError)
	flags.StringVar(&c.Dir, "dir", "", "directory of the log")
	flags.StringVar(&c.Listen, "listen", "127.0.0.1:0", "address")
	flags.BoolVar(&c.Sync, "sync", false, "acknowledge what fdatasync has made durable")
	flags.IntVar(&c.Followers, "followers", 0, "acknowledge what so many followers have")
	flags.StringVar(&c.Leader, "leader", "", "be a follower of this server")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s, err := Serve(c)
	if err != nil {
		return err
	}
	listening(s.Addr())
	ended := make(chan error, 2)
	go func() { ended <- s.Wait() }()
	go func() { ended <- stdinEnds() }()
	return errors.Join(<-ended, s.Close())
}

// args is the command line of logProgram.
func (c ServerConfig) args() []string {
	return []string{
		"log", "--dir", c.Dir, "--listen", c.Listen, fmt.Sprintf("--sync=%v", c.Sync),
		"--followers", fmt.Sprint(c.Followers), "--leader", c.Leader,
	}
}

// fakeProgram is kfake as a ceiling for clients: it throws away what it is sent, and
// answers every fetch with the same batch.
func fakeProgram(args []string, listening func(string)) error {
	flags := flag.NewFlagSet("kfake", flag.ContinueOnError)
	port := flags.Int("port", 0, "port on 127.0.0.1, 0 for any")
	record := flags.Int("record", 1024, "bytes of a value in the batch that is fetched")
	keep := flags.Bool("keep", false, "keep in memory what is produced, and answer with that")
	if err := flags.Parse(args); err != nil {
		return err
	}
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.Ports(*port), kfake.AllowAutoTopicCreation()}
	if !*keep {
		// Random values, as the bench's are.
		opts = append(opts, kfake.BlackholeProduce(), kfake.SyntheticFetch(kfake.SyntheticBatch{RecordBytes: *record, RandomFrac: 1}))
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		return err
	}
	defer c.Close()
	listening(c.ListenAddrs()[0])
	return stdinEnds()
}

func stdinEnds() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// Process is a program that runs Main.
type Process struct {
	Addr  string
	cmd   *exec.Cmd
	log   bytes.Buffer // of standard error; whole when it has ended
	close sync.Once
}

// Start runs a program, the words of a command line, with arguments for its [Main], and
// returns when it listens.
func Start(program []string, args ...string) (*Process, error) {
	words := append(append([]string{}, program...), args...)
	p := &Process{cmd: exec.Command(words[0], words[1:]...)}
	p.cmd.Stderr = &p.log
	// Wait closes the pipe, or this process's end does.
	if _, err := p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		return nil, fmt.Errorf("%s did not listen: %w\n%s", strings.Join(words, " "), cmp.Or(err, errors.New(line)), p.Close())
	}
	p.Addr = addr
	return p, nil
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Close ends the process as kill -9 does: it leaves nothing behind that is needed. It
// returns what the process has complained of, for those who look for why something failed.
func (p *Process) Close() (log string) {
	p.close.Do(func() {
		_ = p.cmd.Process.Kill() // an error means that it is gone
		_ = p.cmd.Wait()         // and this says that it was killed
	})
	return p.log.String()
}
