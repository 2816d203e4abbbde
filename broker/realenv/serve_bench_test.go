package realenv

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"odradek/broker/env"
)

// What a server does with a request of requestBytes, by its first byte.
const (
	askEcho   = 'e' // answer
	askAppend = 'a' // append 1 KiB to a file, then answer
	askSync   = 's' // append, sync, then answer
	askRegion = 'r' // answer with regionBytes of a file
	askStream = 'm' // take requestBytes+streamBytes, then answer

	requestBytes = 100
	regionBytes  = 256 << 10
	streamBytes  = 1 << 20
)

// serveRequests is a process of its own, so that what it uses can be told from what the
// client does. It ends with its standard input.
func serveRequests(dir string) {
	w, err := Open(Options{DataDir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	go w.Run()
	w.Post(func() {
		w.Env().Disk.Open("file", env.Create, func(f env.File, err error) {
			if err != nil {
				panic(err)
			}
			s := &benchServer{file: f, answer: []env.Segment{{Bytes: make([]byte, requestBytes)}}, record: [][]byte{make([]byte, 61), make([]byte, 1024-61)}}
			f.WriteAt([][]byte{make([]byte, regionBytes)}, 0, func(error) {
				l, err := w.Env().Net.Listen("127.0.0.1:0", s.serve)
				if err != nil {
					panic(err)
				}
				fmt.Println(l.Addr())
			})
		})
	})
	_, _ = os.Stdin.Read(make([]byte, 1))
	_ = w.Close()
}

type benchServer struct {
	file   env.File
	answer []env.Segment
	record [][]byte
}

func (s *benchServer) serve(c env.Conn) {
	buf, body := make([]byte, requestBytes), make([]byte, streamBytes)
	var next func(int, error)
	answer := func(err error) {
		if err != nil {
			panic(err)
		}
		c.Write(s.answer)
		c.Read(buf, requestBytes, next)
	}
	sync := func(error) { s.file.Sync(answer) }
	taken := func(_ int, err error) {
		if err != nil {
			c.Close()
			return
		}
		answer(nil)
	}
	next = func(_ int, err error) {
		if err != nil {
			c.Close()
			return
		}
		at := regionBytes + s.file.Size()%(64<<20)
		switch buf[0] {
		case askEcho:
			answer(nil)
		case askAppend:
			s.file.WriteAt(s.record, at, answer)
		case askSync:
			s.file.WriteAt(s.record, at, sync)
		case askRegion:
			c.Write([]env.Segment{{File: s.file, Len: regionBytes}})
			c.Read(buf, requestBytes, next)
		case askStream:
			c.Read(body, streamBytes, taken)
		}
	}
	c.Read(buf, requestBytes, next)
}

// usage is what a process has used: its CPU time, and how often it went to sleep.
func usage(b *testing.B, pid int) (cpu time.Duration, sleeps int64) {
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &at); err != nil {
		b.Skip(err)
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		b.Skip(err)
	}
	for _, t := range threads {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, t.Name()))
		if _, after, found := strings.Cut(string(text), "\nvoluntary_ctxt_switches:"); found {
			var n int64
			_, _ = fmt.Sscan(after, &n)
			sleeps += n
		}
	}
	return time.Duration(at.Nano()), sleeps
}

// Requests to a process of its own: closed loops on some connections, or at a rate.
// What the server used is reported for each request.
func BenchmarkServe(b *testing.B) {
	for _, c := range []struct {
		name   string
		ask    byte
		answer int
		conns  int
		rate   int // requests/s, 0 is as fast as they are answered
	}{
		{"echo/conns=1", askEcho, requestBytes, 1, 0},
		{"echo/conns=16", askEcho, requestBytes, 16, 0},
		{"echo/conns=16/rate=10000", askEcho, requestBytes, 16, 10_000},
		{"append/conns=1", askAppend, requestBytes, 1, 0},
		{"append/conns=16", askAppend, requestBytes, 16, 0},
		{"append/conns=16/rate=10000", askAppend, requestBytes, 16, 10_000},
		{"sync/conns=16", askSync, requestBytes, 16, 0},
		{"region/conns=1", askRegion, regionBytes, 1, 0},
		{"stream/conns=1", askStream, requestBytes, 1, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), "REALENV_BENCH_SERVE="+b.TempDir())
			child.Stderr = os.Stderr
			in, err := child.StdinPipe()
			if err != nil {
				b.Fatal(err)
			}
			out, err := child.StdoutPipe()
			if err != nil {
				b.Fatal(err)
			}
			if err := child.Start(); err != nil {
				b.Fatal(err)
			}
			defer func() {
				in.Close()
				_ = child.Wait()
			}()
			addr, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				b.Fatal(err)
			}
			request := make([]byte, requestBytes)
			if c.ask == askStream {
				request = make([]byte, requestBytes+streamBytes)
				b.SetBytes(streamBytes)
			}
			if c.ask == askRegion {
				b.SetBytes(regionBytes)
			}
			request[0] = c.ask
			var clients []net.Conn
			for range c.conns {
				conn, err := net.Dial("tcp", strings.TrimSpace(addr))
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				clients = append(clients, conn)
			}
			exchange := func(conn net.Conn, buf []byte) {
				if _, err := conn.Write(request); err != nil {
					b.Error(err)
				}
				if _, err := io.ReadFull(conn, buf); err != nil {
					b.Error(err)
				}
			}
			for _, conn := range clients {
				exchange(conn, make([]byte, c.answer))
			}
			cpu, sleeps := usage(b, child.Process.Pid)
			b.ResetTimer()
			begin := time.Now()
			took := make([][]time.Duration, c.conns)
			var all sync.WaitGroup
			for i, conn := range clients {
				all.Go(func() {
					buf := make([]byte, c.answer)
					for k := i; k < b.N; k += c.conns {
						at := time.Now()
						if c.rate > 0 { // from the intended time on
							at = begin.Add(time.Duration(k) * time.Second / time.Duration(c.rate))
							time.Sleep(time.Until(at))
						}
						exchange(conn, buf)
						took[i] = append(took[i], time.Since(at))
					}
				})
			}
			all.Wait()
			b.StopTimer()
			cpuAfter, sleepsAfter := usage(b, child.Process.Pid)
			sorted := slices.Sorted(slices.Values(slices.Concat(took...)))
			at := func(q float64) float64 { return float64(sorted[int(q*float64(len(sorted)-1))].Nanoseconds()) / 1e3 }
			b.ReportMetric(float64((cpuAfter-cpu).Nanoseconds())/1e3/float64(b.N), "server-us/op")
			b.ReportMetric(float64(sleepsAfter-sleeps)/float64(b.N), "sleeps/op")
			b.ReportMetric(at(0.5), "p50-us")
			b.ReportMetric(at(0.99), "p99-us")
		})
	}
}
