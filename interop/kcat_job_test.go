package interop

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"odradek/broker/wire"
	"odradek/checker/history"
)

func TestKcatGroup(t *testing.T) {
	for _, assignor := range []string{"range", "cooperative-sticky"} {
		t.Run(assignor, func(t *testing.T) {
			runJob(t, job{task: consumes, assignor: assignor}, worker{
				work: kcatConsumes, blind: true, needs: func(t *testing.T) { needCommand(t, "kcat") },
			})
		})
	}
}

// kcatConsumes is kcat -G. It commits by itself, what it has written out at most.
func kcatConsumes(m *member) error {
	cmd := (&kcat{m.bootstrap}).command("-G", m.group, "-u", "-f", "%p %o %s\n", "-X", "client.id="+m.name, "-X", "auto.offset.reset=earliest",
		"-X", "auto.commit.interval.ms=300", "-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=500", "-X", "fetch.wait.max.ms=200",
		"-X", "partition.assignment.strategy="+m.assignor, m.input)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	said := new(journal)
	cmd.Stderr, cmd.SysProcAttr = said, processAttributes
	if err := cmd.Start(); err != nil {
		return err
	}
	overdue := time.AfterFunc(3*patience, func() { _ = cmd.Process.Kill() })
	defer overdue.Stop()
	var last atomic.Int64 // when it wrote something
	go func() {
		<-m.stopped
		// A record that it takes when the signal arrives it commits without writing it
		// out. So it leaves the group only when there is nothing to read, and dies else.
		end := os.Signal(syscall.SIGTERM)
		if time.Now().UnixNano()-last.Load() < int64(time.Second/4) {
			end = syscall.SIGKILL
		}
		_ = cmd.Process.Signal(end) // if it is there still
	}()
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		last.Store(time.Now().UnixNano())
		var p int32
		var offset int64
		var value string
		if _, err := fmt.Sscan(lines.Text(), &p, &offset, &value); err != nil {
			return fmt.Errorf("kcat wrote %q: %w", lines.Text(), err)
		}
		m.got(p, []history.Record{{Offset: wire.Offset(offset), Value: valueOf(value)}})
		m.committing(map[int32]int64{p: offset + 1}) // when and whether it does it does not tell
	}
	if err := cmd.Wait(); m.running() || !strings.Contains(said.String(), "rebalanced") {
		return fmt.Errorf("kcat ended: %v: %s", err, tail(said.String(), 5))
	}
	return nil
}
