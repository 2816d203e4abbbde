package target

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"odradek/bench"
)

// ProcessUsage is what a process has taken since it was started: CPU to a hundredth of a
// second, and bytes that it has made the system write to block devices, which are counted
// when they get into the page cache. What the system does not tell is -1: all of it but on
// Linux, the bytes of other users' processes.
func ProcessUsage(pid int) (bench.Usage, error) {
	if runtime.GOOS != "linux" {
		return bench.Unknown, nil
	}
	dir := fmt.Sprintf("/proc/%d/", pid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return bench.Unknown, err
	}
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return bench.Unknown, err
	}
	u := bench.Unknown
	if u.CPUSeconds, err = cpuOf(string(stat)); err != nil {
		return bench.Unknown, fmt.Errorf("%sstat: %w", dir, err)
	}
	// A process that has ended, and that nobody has waited for, has no memory.
	u.RSSBytes = 1024 * max(0, field(string(status), "VmRSS:"))
	if io, err := os.ReadFile(dir + "io"); err == nil {
		u.BytesWritten = field(string(io), "write_bytes:")
	}
	return u, nil
}

// ticks are what /proc counts CPU in, a second: Linux has no other there.
const ticks = 100

// cpuOf reads the CPU seconds from /proc/PID/stat. The second field is the program's name,
// which may contain anything.
func cpuOf(stat string) (float64, error) {
	after := stat[strings.LastIndexByte(stat, ')')+1:]
	fields := strings.Fields(after) // from the third on
	if len(fields) < 13 {
		return 0, fmt.Errorf("%d fields after the name, want 13 or more", len(fields))
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return float64(user+system) / ticks, err
}

// field is the number after a name at the start of a line, -1 if it is not there.
func field(text, name string) int64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if words := strings.Fields(rest); len(words) > 0 {
				if n, err := strconv.ParseInt(words[0], 10, 64); err == nil {
					return n
				}
			}
		}
	}
	return -1
}

// SelfUsage is what this process has taken, as ProcessUsage has it but with CPU to the
// microsecond.
func SelfUsage() bench.Usage {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return bench.Unknown
	}
	u := bench.Unknown
	u.CPUSeconds = (time.Duration(r.Utime.Nano()) + time.Duration(r.Stime.Nano())).Seconds()
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		u.RSSBytes = 1024 * field(string(status), "VmRSS:")
		u.BytesWritten = written(&r)
	}
	return u
}

// endedUsage is what a process had taken when it ended.
func endedUsage(s *os.ProcessState) bench.Usage {
	u := bench.Usage{CPUSeconds: (s.UserTime() + s.SystemTime()).Seconds(), BytesWritten: -1}
	if r, ok := s.SysUsage().(*syscall.Rusage); ok && runtime.GOOS == "linux" {
		u.BytesWritten = written(r)
	}
	return u
}

// written is what /proc calls write_bytes, in whole sectors.
func written(r *syscall.Rusage) int64 { return int64(r.Oublock) * 512 }

// plus adds usages; with an unknown the sum is unknown.
func plus(a, b bench.Usage) bench.Usage {
	sum := bench.Usage{CPUSeconds: a.CPUSeconds + b.CPUSeconds, RSSBytes: a.RSSBytes + b.RSSBytes, BytesWritten: a.BytesWritten + b.BytesWritten}
	if a.CPUSeconds < 0 || b.CPUSeconds < 0 {
		sum.CPUSeconds = -1
	}
	if a.RSSBytes < 0 || b.RSSBytes < 0 {
		sum.RSSBytes = -1
	}
	if a.BytesWritten < 0 || b.BytesWritten < 0 {
		sum.BytesWritten = -1
	}
	return sum
}
