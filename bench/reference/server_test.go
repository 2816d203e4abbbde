package reference

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func startServer(t testing.TB, c ServerConfig, sync func(*os.File) error) *Server {
	t.Helper()
	c.Listen = "127.0.0.1:0"
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	s, err := serve(c, sync)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // those that closed it have looked
	return s
}

func connect(t testing.TB, s *Server, who byte) net.Conn {
	t.Helper()
	conn, err := dial(s.Addr(), who)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func write(t *testing.T, conn net.Conn, b []byte) {
	t.Helper()
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
}

// awaitAck reads acknowledgements until so many bytes have come.
func awaitAck(t *testing.T, conn net.Conn, want int) {
	t.Helper()
	var buf [8]byte
	for {
		got, err := readAck(conn, &buf)
		if err != nil || got > int64(want) {
			t.Fatalf("acknowledged %d bytes, %v; want %d", got, err, want)
		}
		if got == int64(want) {
			return
		}
	}
}

func logOf(t *testing.T, s *Server) []byte {
	t.Helper()
	b, err := os.ReadFile(s.log.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func someFrames(n int) (all []byte) {
	for i := range n {
		all = append(all, frameOf(noise(1000*i))...)
	}
	return all
}

func TestWhatIsAcknowledgedIsInTheFileAndReadersGetExactlyThat(t *testing.T) {
	s := startServer(t, ServerConfig{}, nil)
	early, producer, other := connect(t, s, isReader), connect(t, s, isProducer), connect(t, s, isProducer)
	frames := someFrames(100)
	write(t, producer, frames)
	awaitAck(t, producer, len(frames))
	more := frameOf([]byte("of another producer"))
	write(t, other, more)
	awaitAck(t, other, len(more)) // not counting the first one's
	want := append(frames, more...)
	if got := logOf(t, s); !bytes.Equal(got, want) {
		t.Errorf("the file has %d bytes, not the %d that were sent", len(got), len(want))
	}
	for name, conn := range map[string]net.Conn{"early": early, "late": connect(t, s, isReader)} {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the %s reader got something else, %v", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(early); len(rest) > 0 {
		t.Errorf("%d bytes more than there are", len(rest))
	}
}

func TestACorruptFrameEndsTheConnectionAndIsNotWritten(t *testing.T) {
	s := startServer(t, ServerConfig{}, nil)
	good, bad := frameOf([]byte("good")), frameOf([]byte("bad"))
	bad[len(bad)-1] ^= 1
	conn := connect(t, s, isProducer)
	write(t, conn, append(append(bytes.Clone(good), bad...), good...))
	awaitAck(t, conn, len(good))
	var buf [8]byte
	if acked, err := readAck(conn, &buf); err == nil {
		t.Errorf("%d bytes are acknowledged", acked)
	}
	other := connect(t, s, isProducer)
	write(t, other, good)
	awaitAck(t, other, len(good))
	if got := logOf(t, s); !bytes.Equal(got, append(good, good...)) {
		t.Errorf("the file has %q", got)
	}
}

// gate is a disk on which every sync waits for a token.
type gate struct{ arrived, tokens chan error }

func newGate() *gate { return &gate{make(chan error, 1000), make(chan error, 1000)} }

func (g *gate) datasync(f *os.File) error {
	g.arrived <- nil
	if err := <-g.tokens; err != nil {
		return err
	}
	return datasync(f)
}

func TestASyncedServerAcknowledgesAndShowsOnlyWhatIsSynced(t *testing.T) {
	g := newGate()
	s := startServer(t, ServerConfig{Sync: true}, g.datasync)
	// Also after a failure the server must be able to end.
	t.Cleanup(func() { close(g.tokens) })
	conn, first := connect(t, s, isProducer), frameOf([]byte("first"))
	write(t, conn, first)
	<-g.arrived
	// While the disk is busy the others are written, and wait for one sync together.
	rest := someFrames(10)
	write(t, conn, rest)
	all := int64(len(first) + len(rest))
	if _, err := s.log.await(&s.log.end, all-1); err != nil {
		t.Fatal(err)
	}
	if s.log.mu.Lock(); s.log.committed != 0 || s.log.syncs != 0 {
		t.Errorf("before any sync %d bytes are committed, %d syncs are counted", s.log.committed, s.log.syncs)
	}
	s.log.mu.Unlock()
	g.tokens <- nil
	awaitAck(t, conn, len(first))
	<-g.arrived
	if s.log.mu.Lock(); s.log.committed != int64(len(first)) {
		t.Errorf("after a sync of %d bytes %d are committed", len(first), s.log.committed)
	}
	s.log.mu.Unlock()
	g.tokens <- nil
	awaitAck(t, conn, int(all))
	if n := s.Syncs(); n != 2 {
		t.Errorf("%d syncs, want one for the first frame and one for all that waited", n)
	}
}

func TestNothingIsAcknowledgedAfterTheDiskHasFailed(t *testing.T) {
	g := newGate()
	s := startServer(t, ServerConfig{Sync: true}, g.datasync)
	g.tokens <- errors.New("broken disk")
	conn := connect(t, s, isProducer)
	write(t, conn, frameOf([]byte("lost")))
	var buf [8]byte
	if acked, err := readAck(conn, &buf); err == nil {
		t.Errorf("%d bytes are acknowledged", acked)
	}
	if err := s.Wait(); err == nil || err.Error() != "broken disk" {
		t.Errorf("the server ended with %v", err)
	}
}

func TestALeaderAcknowledgesWhatAllFollowersHave(t *testing.T) {
	slow := newGate()
	leader := startServer(t, ServerConfig{Followers: 2}, nil)
	conn, reader := connect(t, leader, isProducer), connect(t, leader, isReader)
	frames := someFrames(100)
	write(t, conn, frames)
	fast := startServer(t, ServerConfig{Leader: leader.Addr()}, nil)
	late := startServer(t, ServerConfig{Leader: leader.Addr(), Sync: true}, slow.datasync)
	t.Cleanup(func() { close(slow.tokens) })
	<-slow.arrived
	// One has all, the other has written some and has not made it durable.
	if _, err := fast.log.await(&fast.log.committed, int64(len(frames))-1); err != nil {
		t.Fatal(err)
	}
	if leader.log.mu.Lock(); leader.log.committed != 0 {
		t.Errorf("%d bytes are committed, which a follower does not have", leader.log.committed)
	}
	leader.log.mu.Unlock()
	for range 100 {
		slow.tokens <- nil
	}
	awaitAck(t, conn, len(frames))
	for i, s := range []*Server{leader, fast, late} {
		if !bytes.Equal(logOf(t, s), frames) {
			t.Errorf("the log of server %d differs", i)
		}
	}
	got := make([]byte, len(frames))
	if _, err := io.ReadFull(reader, got); err != nil || !bytes.Equal(got, frames) {
		t.Errorf("the reader got something else, %v", err)
	}
}

func TestALostFollowerEndsTheLeader(t *testing.T) {
	leader := startServer(t, ServerConfig{Followers: 1}, nil)
	follower := startServer(t, ServerConfig{Leader: leader.Addr()}, nil)
	conn := connect(t, leader, isProducer)
	frame := frameOf([]byte("frame"))
	write(t, conn, frame)
	awaitAck(t, conn, len(frame))
	if err := follower.Close(); err != nil {
		t.Fatal(err)
	}
	if err := leader.Wait(); err == nil || !strings.Contains(err.Error(), "a follower was lost") {
		t.Errorf("the leader ended with %v", err)
	}
}

func TestALogIsNotWrittenOver(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "log"), []byte("someone's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Serve(ServerConfig{Dir: dir, Listen: "127.0.0.1:0"}); !errors.Is(err, os.ErrExist) {
		t.Errorf("%v", err)
	}
}
