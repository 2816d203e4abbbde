package target

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"odradek/bench"
)

// process is a server process that was started here.
//
// States: running -> ended, by kill or by itself.
type process struct {
	cmd *exec.Cmd
	// exited is closed after its end; exit and the cmd's ProcessState are valid then.
	exited chan struct{}
	exit   error
}

// launch starts a process whose output is appended to a file.
func launch(cmd *exec.Cmd, log string) (*process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the process has its own
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = ownProcess()
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux takes the end of the thread that has started a process for the end of its
		// parent (see ownProcess): the thread must live as long as the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.exit = cmd.Wait()
			close(p.exited)
		}
	}()
	return p, <-started
}

// kill ends the process as kill -9 does, and waits for the end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only of a process that has ended
	<-p.exited
}

// ended says how the process ended, nil while it runs.
func (p *process) ended() error {
	select {
	case <-p.exited:
		if p.exit == nil {
			return fmt.Errorf("ended by itself: %s", p.cmd.ProcessState)
		}
		return fmt.Errorf("ended by itself: %w", p.exit)
	default:
		return nil
	}
}

// usage is what the process takes, or has taken until its end.
func (p *process) usage() (bench.Usage, error) {
	u, err := ProcessUsage(p.cmd.Process.Pid)
	if err == nil {
		return u, nil
	}
	select {
	case <-p.exited:
		return endedUsage(p.cmd.ProcessState), nil
	case <-time.After(time.Second): // not to be seen, and yet not ended
		return bench.Unknown, err
	}
}

// tail is the end of a log.
func tail(path string) string {
	const most = 4 << 10
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if len(text) <= most {
		return string(text)
	}
	_, rest, _ := strings.Cut(string(text[len(text)-most:]), "\n")
	return "...\n" + rest
}
