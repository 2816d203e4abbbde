//go:build linux && !goroutines

package realenv

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"odradek/broker/env"
)

// serving is a world that gives what it accepts to serve.
func serving(t *testing.T, serve func(w *World, c env.Conn)) (*World, string) {
	t.Helper()
	w := open(t, Options{})
	go w.Run()
	var addr string
	play(t, w, func(*env.Task) {
		l, err := w.Env().Net.Listen("127.0.0.1:0", func(c env.Conn) { serve(w, c) })
		if err != nil {
			t.Error(err)
			return
		}
		addr = l.Addr()
	})
	return w, addr
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// echo answers bytes with themselves.
func echo(_ *World, c env.Conn) {
	buf := make([]byte, 4096)
	var next func(int, error)
	next = func(n int, err error) {
		if err != nil {
			c.Close()
			return
		}
		c.Write([]env.Segment{{Bytes: bytes.Clone(buf[:n])}})
		c.Read(buf, 1, next)
	}
	c.Read(buf, 1, next)
}

func exchange(t *testing.T, c net.Conn, message string) {
	t.Helper()
	buf := make([]byte, len(message))
	if _, err := io.WriteString(c, message); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != message {
		t.Fatalf("the answer to %q is %q and %v", message, buf, err)
	}
}

// A flood that the loop never comes to the end of: bytes that arrive as fast as they are
// read, on several connections, and as much to send as anybody takes.
func TestBusyConnectionsStarveNobody(t *testing.T) {
	flood := make([]byte, 1<<20)
	w, addr := serving(t, func(w *World, c env.Conn) {
		buf := make([]byte, 64<<10)
		var next func(int, error)
		next = func(n int, err error) {
			switch {
			case err != nil:
				c.Close()
				return
			case n > 0 && buf[0] == 'e':
				c.Write([]env.Segment{{Bytes: bytes.Clone(buf[:n])}})
			case c.Buffered() < 8<<20:
				c.Write([]env.Segment{{Bytes: flood}})
			}
			c.Read(buf, 1, next)
		}
		c.Read(buf, 1, next)
	})
	for range 3 {
		c := dial(t, addr)
		go io.Copy(io.Discard, c)
		go func() {
			for {
				if _, err := c.Write(flood); err != nil {
					return
				}
			}
		}()
	}
	quiet := dial(t, addr)
	for range 20 {
		exchange(t, quiet, "e")
		play(t, w, func(task *env.Task) { task.Sleep(w.Env().Clock, time.Millisecond) })
	}
}

func TestThousandsOfConnections(t *testing.T) {
	const most = 2000
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 2*most+100 {
		t.Skipf("limit of %d descriptors: %v", limit.Cur, err)
	}
	_, addr := serving(t, echo)
	conns := make([]*net.TCPConn, most)
	for i := range conns {
		conns[i] = dial(t, addr)
	}
	for round := range 3 {
		for _, c := range conns { // all at once
			if _, err := c.Write([]byte{byte(round)}); err != nil {
				t.Fatal(err)
			}
		}
		for i, c := range conns {
			var b [1]byte
			if _, err := io.ReadFull(c, b[:]); err != nil || b[0] != byte(round) {
				t.Fatalf("connection %d got %v and %v in round %d", i, b, err, round)
			}
		}
	}
	for _, c := range conns[1:] {
		c.Close()
	}
	exchange(t, conns[0], "still there")
}

// What is heard of a descriptor late must not be taken for news of the connection that
// has the descriptor next.
func TestConnectionsThatComeAndGo(t *testing.T) {
	_, addr := serving(t, echo)
	stays := dial(t, addr)
	for i := range 300 {
		c := dial(t, addr)
		if i%3 == 0 {
			exchange(t, c, "hello")
		}
		if i%2 == 0 {
			if err := c.SetLinger(0); err != nil { // a reset
				t.Fatal(err)
			}
		}
		c.Close()
		if i%10 == 0 {
			exchange(t, stays, "still there")
		}
	}
}

func TestAcceptingGoesOnAfterDescriptorsRanOut(t *testing.T) {
	_, addr := serving(t, echo)
	exchange(t, dial(t, addr), "before")
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	// No new descriptor for anybody, after this socket.
	none := unix.Rlimit{Cur: uint64(fd) + 1, Max: was.Max}
	var held []*os.File
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := os.Open(".") // what is free below
		if err != nil {
			break
		}
		held = append(held, f)
	}
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte(at.IP.To4()), Port: at.Port})
	}
	time.Sleep(20 * time.Millisecond) // the loop fails to accept; if not, the test has less to say
	restored := unix.Setrlimit(unix.RLIMIT_NOFILE, &was)
	for _, f := range held {
		f.Close()
	}
	if err := errors.Join(err, restored); err != nil {
		t.Fatal(err)
	}
	exchange(t, dial(t, addr), "after") // accepted behind the one that failed
	if _, err := unix.Write(fd, []byte("late")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	if n, err := unix.Read(fd, buf); string(buf[:max(n, 0)]) != "late" {
		t.Fatalf("the connection that could not be accepted at first got %q and %v", buf[:max(n, 0)], err)
	}
}

// What the node does not ask for stays with the sender.
func TestUnreadBytesPushBack(t *testing.T) {
	var server env.Conn
	w, addr := serving(t, func(_ *World, c env.Conn) { server = c })
	c := dial(t, addr)
	const most = 256 << 20
	sent, stuck := 0, false
	for part := make([]byte, 1<<20); sent < most && !stuck; {
		if err := c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Write(part)
		sent += n
		stuck = errors.Is(err, os.ErrDeadlineExceeded)
	}
	if !stuck {
		t.Fatalf("%d MiB were taken that nobody asked for", sent>>20)
	}
	play(t, w, func(task *env.Task) {
		buf := make([]byte, 1<<20)
		for left := sent; left > 0; {
			n, err := env.Await2(task, func(done func(int, error)) { server.Read(buf[:min(left, len(buf))], 1, done) })
			if err != nil {
				t.Errorf("%d bytes before the end: %v", left, err)
				return
			}
			left -= n
		}
	})
}

// Who hears of a connection only after its end still hears what came before.
func TestConnectionThatEndedBeforeItWasAccepted(t *testing.T) {
	heard := make(chan string, 1)
	w, addr := serving(t, func(_ *World, c env.Conn) {
		buf := make([]byte, 100)
		c.Read(buf, 100, func(n int, err error) {
			heard <- c.RemoteAddr() + " " + string(buf[:n])
			c.Close()
		})
	})
	accepting := make(chan struct{})
	w.Post(func() { <-accepting })
	c := dial(t, addr)
	if err := c.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	c.Close()
	close(accepting)
	select {
	case got := <-heard:
		if want := c.LocalAddr().String() + " "; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was heard of a connection that was reset")
	}
}

// The peer's half may end long before ours.
func TestHalfOpenConnectionIsAnswered(t *testing.T) {
	const size = 8 << 20
	_, addr := serving(t, func(_ *World, c env.Conn) {
		c.Read(make([]byte, 100), 100, func(n int, err error) {
			if n != 5 || err != io.EOF {
				t.Errorf("%d bytes and %v of a half that ended after 5", n, err)
			}
			c.Write([]env.Segment{{Bytes: make([]byte, size)}})
			c.OnDrain(0, c.Close)
		})
	})
	c := dial(t, addr)
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || len(got) != size {
		t.Fatalf("%d bytes and %v", len(got), err)
	}
}

// A region that is not in memory is brought by a thread, in order with what is sent
// before and after.
func TestColdRegionsAreSentInOrder(t *testing.T) {
	const size = 5<<20 + 123
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i>>12 ^ i)
	}
	_, addr := serving(t, func(w *World, c env.Conn) {
		w.Env().Disk.Open("file", env.Create, func(f env.File, err error) {
			if err != nil {
				t.Error(err)
				return
			}
			f.WriteAt([][]byte{content}, 0, func(error) {})
			f.Sync(func(err error) {
				if err != nil {
					t.Error(err)
				}
				f := f.(*file)
				if err := unix.Fadvise(f.fd, 0, 0, unix.FADV_DONTNEED); err != nil {
					t.Error(err)
				}
				t.Logf("still in the page cache: %v", f.cached(0, size))
				c.Write([]env.Segment{{Bytes: []byte("head")}, {File: f, Len: size}, {Bytes: []byte("tail")}})
				c.OnDrain(0, c.Close)
			})
		})
	})
	got, err := io.ReadAll(dial(t, addr))
	want := "head" + string(content) + "tail"
	if err != nil || string(got) != want {
		t.Fatalf("%d bytes of %d and %v, or others", len(got), len(want), err)
	}
}

// Where nobody can tell what is in memory, threads send everything, to a reader that
// is slow, too.
func TestRegionsAreSentByThreads(t *testing.T) {
	const size, regions = 1 << 20, 16
	content := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	_, addr := serving(t, func(w *World, c env.Conn) {
		w.blind = true
		w.Env().Disk.Open("file", env.Create, func(f env.File, err error) {
			if err != nil {
				t.Error(err)
				return
			}
			f.WriteAt([][]byte{content}, 0, func(err error) {
				if err != nil {
					t.Error(err)
				}
				for range regions {
					c.Write([]env.Segment{{File: f, Len: size}})
				}
				f.Close()
				c.OnDrain(0, c.Close)
			})
		})
	})
	c := dial(t, addr)
	time.Sleep(50 * time.Millisecond) // most likely the kernel takes no more
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, bytes.Repeat(content, regions)) {
		t.Fatalf("%d bytes of %d and %v, or others", len(got), regions*size, err)
	}
}

// Closing while a thread sends leaves the descriptor to the thread's end.
func TestCloseWhileAThreadSends(t *testing.T) {
	blocked := make(chan struct{})
	var w *World
	w, addr := serving(t, func(_ *World, c env.Conn) {
		w := c.(*conn).w
		w.Env().Disk.Open("file", env.Create, func(f env.File, err error) {
			if err != nil {
				t.Error(err)
				return
			}
			f.WriteAt([][]byte{[]byte("content")}, 0, func(error) {
				c := c.(*conn)
				for range 8 { // all threads
					w.reads.submit(&blockedJob{blocked})
				}
				f := f.(*file)
				c.Write([]env.Segment{{File: f, Len: 7}})
				c.out.away = true
				f.retain()
				r := &regionSend{c: c, f: f, n: 7}
				w.reads.submit(r)
				c.Close()
				if c.fd < 0 {
					t.Error("the descriptor of a thread's connection was closed")
				}
				close(blocked)
			})
		})
	})
	// The kernel takes the bytes from the thread or not; the connection ends.
	if _, err := io.ReadAll(dial(t, addr)); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	play(t, w, func(*env.Task) {
		if len(w.conns) != 0 {
			t.Errorf("%d connections are left", len(w.conns))
		}
	})
}

type blockedJob struct{ until chan struct{} }

func (b *blockedJob) do() { <-b.until }

func TestSlowWritesGoToThreads(t *testing.T) {
	w := open(t, Options{})
	go w.Run()
	play(t, w, func(task *env.Task) {
		opened, err := env.Await2(task, func(done func(env.File, error)) { w.Env().Disk.Open("file", env.Create, done) })
		if err != nil {
			t.Error(err)
			return
		}
		f := opened.(*file)
		lent := func() int {
			f.WriteAt([][]byte{[]byte("x")}, f.Size(), func(error) {})
			n := f.ino.lent
			if err := env.Await(task, f.Sync); err != nil {
				t.Error(err)
			}
			return n
		}
		if lent() != 0 {
			t.Error("a small write went to a thread")
		}
		now := w.Env().Clock.Now()
		w.away.took(now, now.Add(2*slow))
		if lent() != 1 {
			t.Error("a write after a slow one did not go to a thread")
		}
	})
}

func TestWritesThatStaySlowStayAway(t *testing.T) {
	var a away
	slowAt := func(at env.Time) time.Duration {
		a.took(at, at.Add(2*slow))
		return a.until.Sub(at.Add(2 * slow))
	}
	a.took(0, env.Time(slow))
	if a.until != 0 {
		t.Fatalf("away until %d after a write that was not slow", a.until)
	}
	want := firstAway
	for i := range 10 {
		if got := slowAt(a.until); got != want {
			t.Fatalf("away for %v after %d slow writes, want %v", got, i+1, want)
		}
		want = min(2*want, mostAway)
	}
	if got := slowAt(a.until.Add(mostAway)); got != firstAway {
		t.Errorf("away for %v when it had been well for a while, want %v", got, firstAway)
	}
}

func TestWritesBehindAThreadsStayInOrder(t *testing.T) {
	w := open(t, Options{})
	go w.Run()
	play(t, w, func(task *env.Task) {
		f, err := env.Await2(task, func(done func(env.File, error)) { w.Env().Disk.Open("file", env.Create, done) })
		if err != nil {
			t.Error(err)
			return
		}
		var order []int
		note := func(i int) func(error) {
			return func(err error) {
				if err != nil {
					t.Error(err)
				}
				order = append(order, i)
			}
		}
		big := bytes.Repeat([]byte("b"), 2*directMost)
		f.WriteAt([][]byte{[]byte("small")}, 0, note(0))
		f.WriteAt([][]byte{big}, 0, note(1)) // a thread's
		f.WriteAt([][]byte{[]byte("SMALL")}, 0, note(2))
		f.Sync(note(3))
		f.WriteAt([][]byte{[]byte("Small")}, 0, note(4))
		if err := env.Await(task, f.Sync); err != nil {
			t.Error(err)
		}
		for i, got := range order {
			if got != i {
				t.Errorf("completed in the order %v", order)
				break
			}
		}
		buf := make([]byte, 6)
		if _, err := env.Await2(task, func(done func(int, error)) { f.ReadAt(buf, 0, done) }); err != nil || string(buf) != "Smallb" {
			t.Errorf("the file begins with %q, %v", buf, err)
		}
	})
}
