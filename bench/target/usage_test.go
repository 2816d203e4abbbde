package target

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"odradek/bench"
)

func TestCPUIsReadBehindAnyName(t *testing.T) {
	const rest = " S 1 42 42 0 -1 4194560 1 2 3 4 250 175 9 9 20 0 8 0 100 1 2"
	for _, name := range []string{"(java)", "(a b)", "(a) R 1 2 3 (b)"} {
		if got, err := cpuOf("42 " + name + rest); err != nil || got != 4.25 {
			t.Errorf("%s: %v s, %v, want 4.25 s", name, got, err)
		}
	}
	for _, wrong := range []string{"", "42 (java) S 1", "42 (java) S 1 42 42 0 -1 4194560 1 2 3 4 x 175 9"} {
		if got, err := cpuOf(wrong); err == nil {
			t.Errorf("%q: %v s without an error", wrong, got)
		}
	}
}

func TestUnknownUsageMakesTheSumUnknown(t *testing.T) {
	a := bench.Usage{CPUSeconds: 1, RSSBytes: 2, BytesWritten: -1}
	b := bench.Usage{CPUSeconds: 3, RSSBytes: 4, BytesWritten: 5}
	if got, want := plus(a, b), (bench.Usage{CPUSeconds: 4, RSSBytes: 6, BytesWritten: -1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := plus(b, bench.Unknown); got != bench.Unknown {
		t.Errorf("%+v, want all unknown", got)
	}
}

// What a process has taken is known when it was killed, and when it ended by itself.
func TestUsageOfAProcessSurvivesIt(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	const work = `i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo $i; done >work; echo done`
	for _, c := range []struct{ name, script string }{{"killed", work + "; read never"}, {"by itself", work}} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			log := filepath.Join(dir, "log")
			cmd := exec.Command("sh", "-c", c.script)
			cmd.Dir = dir
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			n := &processNode{logFile: log, command: func() *exec.Cmd { return cmd }}
			if err := n.start(); err != nil {
				t.Fatal(err)
			}
			for text := []byte(nil); !bytes.Contains(text, []byte("done")); {
				if text, err = os.ReadFile(log); err != nil {
					t.Fatal(err)
				}
			}
			if c.name == "killed" {
				if err := n.ended(); err != nil {
					t.Errorf("it runs, and yet: %v", err)
				}
			} else if <-n.process.exited; n.ended() == nil {
				t.Error("nobody says that it has ended")
			}
			alive, err := n.usage()
			if err != nil {
				t.Fatal(err)
			}
			if err := n.kill(); err != nil {
				t.Fatal(err)
			}
			dead, err := n.usage()
			if err != nil {
				t.Fatal(err)
			}
			// /proc counts CPU in whole hundredths.
			if dead.CPUSeconds <= 0 || dead.CPUSeconds < alive.CPUSeconds-0.02 || dead.BytesWritten < alive.BytesWritten || dead.RSSBytes != 0 {
				t.Errorf("usage %+v before the kill, %+v after it", alive, dead)
			}
		})
	}
}
