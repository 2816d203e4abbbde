package realtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Build builds the odradek binary into a directory and returns its path. The working
// directory must be in the module.
func Build(dir string) (string, error) {
	binary := filepath.Join(dir, "odradek")
	out, err := exec.Command("go", "build", "-o", binary, "odradek/cmd/odradek").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
}

// Process is a running "odradek serve".
type Process struct {
	cmd *exec.Cmd
	// Addr is where the (first) node listens.
	Addr    string
	started time.Time

	listening, ready chan struct{} // closed when it says so
	exited           chan struct{} // closed after its end; exit is valid then
	exit             error

	mu  sync.Mutex
	log strings.Builder
}

// startTimeout bounds what is a matter of milliseconds on an idle machine.
const startTimeout = 60 * time.Second

// Start runs "odradek serve" on a data directory and waits until it is ready. Port 0 in
// listen takes any free port; Addr has the real one.
func Start(binary, dataDir, listen string, flags ...string) (*Process, error) {
	p, err := Launch(binary, dataDir, listen, flags...)
	if err != nil {
		return nil, err
	}
	return p, p.AwaitReady()
}

// Launch is Start that does not wait for others of the cluster: only until the node
// listens.
func Launch(binary, dataDir, listen string, flags ...string) (*Process, error) {
	args := append([]string{"serve", "--data", dataDir, "--listen", listen}, flags...)
	p := &Process{
		cmd: exec.Command(binary, args...), started: time.Now(),
		listening: make(chan struct{}), ready: make(chan struct{}), exited: make(chan struct{}),
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.watch(stderr)
	return p, p.await(p.listening, "listen")
}

// watch keeps the log until the process ends.
func (p *Process) watch(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		line := lines.Text()
		p.mu.Lock()
		p.log.WriteString(line + "\n")
		p.mu.Unlock()
		if addrs, ok := strings.CutPrefix(line, "listening on "); ok {
			p.Addr, _, _ = strings.Cut(addrs, ",")
			close(p.listening)
		}
		if line == "ready" {
			close(p.ready)
		}
	}
	p.exit = p.cmd.Wait()
	close(p.exited)
}

// AwaitReady waits until the nodes have joined the cluster.
func (p *Process) AwaitReady() error { return p.await(p.ready, "be ready") }

func (p *Process) await(done <-chan struct{}, what string) error {
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case <-done:
		return nil
	case <-p.exited:
		return fmt.Errorf("it ended (%v) before it could %s:\n%s", p.exit, what, p.Log())
	case <-timeout.C:
		p.Kill()
		return fmt.Errorf("it did not %s within %v:\n%s", what, startTimeout, p.Log())
	}
}

// Started is when the process was launched.
func (p *Process) Started() time.Time { return p.started }

// Log is what the process has written to standard error.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// Kill ends the process as kill -9 does, and waits for the end. Killing a process that
// has ended does nothing.
func (p *Process) Kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.exited
}

// Stop interrupts the process and waits for its end, which must be in good order.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
	case <-time.After(startTimeout):
		p.Kill()
		return fmt.Errorf("it did not stop within %v:\n%s", startTimeout, p.Log())
	}
	if p.exit != nil {
		return fmt.Errorf("%w:\n%s", p.exit, p.Log())
	}
	return nil
}
