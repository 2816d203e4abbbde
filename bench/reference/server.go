package reference

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// A connection begins with a byte that says who it is. To a producer the server answers
// with acknowledgements, 8 bytes big endian each: how many bytes of whole frames, all in
// all, it has of this connection. A reader is sent the log from its beginning. A follower
// is sent the log, and answers as a server does to a producer.
const (
	isProducer = 'p'
	isReader   = 'r'
	isFollower = 'f'
)

// ServerConfig is what a server does for a frame.
type ServerConfig struct {
	// Dir is where the log is written, to a file that must not exist.
	Dir string
	// Listen is an address such as 127.0.0.1:0.
	Listen string
	// Sync acknowledges what fdatasync has made durable, and nothing else.
	Sync bool
	// Followers is how many must have acknowledged a frame before the server does.
	Followers int
	// Leader makes the server a follower of the server at this address.
	Leader string
}

// Server is a running log server.
type Server struct {
	log      *log
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool // nil: the server is closed
}

// Serve starts a server.
func Serve(c ServerConfig) (*Server, error) {
	return serve(c, datasync)
}

// serve has the system's call as a parameter, for tests that stop the disk.
func serve(c ServerConfig, datasync func(*os.File) error) (*Server, error) {
	if !c.Sync {
		datasync = nil
	}
	l, err := openLog(filepath.Join(c.Dir, "log"), datasync, c.Followers)
	if err != nil {
		return nil, err
	}
	s := &Server{log: l, conns: map[net.Conn]bool{}}
	if s.listener, err = net.Listen("tcp", c.Listen); err != nil {
		return nil, errors.Join(err, l.file.Close())
	}
	s.start(s.accept)
	if datasync != nil {
		s.start(l.syncing)
	}
	if c.Leader != "" {
		conn, err := dial(c.Leader, isFollower)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.handle(conn, s.follow)
	}
	return s, nil
}

func (s *Server) start(f func()) {
	s.running.Add(1)
	go func() { defer s.running.Done(); f() }()
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Syncs is how often the log was made durable, at most once for each acknowledgement.
func (s *Server) Syncs() int64 {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.syncs
}

// Wait returns when the log has failed, or the server was closed.
func (s *Server) Wait() error {
	const never = 1<<63 - 1
	_, err := s.log.await(&s.log.end, never)
	return err
}

// Close ends all connections and waits until nothing of the server runs.
func (s *Server) Close() error {
	s.log.fail(errClosed)
	err := s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.running.Wait()
	return errors.Join(err, s.log.file.Close())
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed; of a machine without descriptors the client hears
		}
		s.handle(conn, s.greet)
	}
}

// handle runs a connection until its end.
func (s *Server) handle(conn net.Conn, run func(net.Conn) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		conn.Close()
		return
	}
	s.conns[conn] = true
	s.start(func() {
		defer func() {
			conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		}()
		// A client that misbehaves loses its connection and learns by that. What is wrong
		// with the log itself the log knows.
		_ = run(conn)
	})
}

func (s *Server) greet(conn net.Conn) error {
	var who [1]byte
	if _, err := io.ReadFull(conn, who[:]); err != nil {
		return err
	}
	switch who[0] {
	case isProducer:
		return s.receive(conn)
	case isReader:
		return s.send(conn, &s.log.committed)
	case isFollower:
		return s.lead(conn)
	}
	return fmt.Errorf("nobody is %q", who[0])
}

// receive appends frames and acknowledges them when they are committed.
func (s *Server) receive(conn net.Conn) error {
	owed := make(chan ack, 1024)
	var acking sync.WaitGroup
	acking.Go(func() { s.acknowledge(conn, owed) })
	// Frames in front of a corrupt one are acknowledged before the connection is closed.
	defer func() { close(owed); acking.Wait() }()
	var buf [8]byte
	r := newReceiver(conn)
	for a := (ack{}); ; {
		frames, err := r.next()
		if err != nil {
			return err
		}
		if a.end, err = s.log.append(frames); err != nil {
			return err
		}
		a.bytes += int64(len(frames))
		if s.log.waits() {
			owed <- a
		} else if err := a.write(conn, &buf); err != nil {
			return err
		}
	}
}

// ack is owed to a connection, of so many bytes, when the log is committed up to end.
type ack struct{ end, bytes int64 }

func (a ack) write(conn net.Conn, buf *[8]byte) error {
	binary.BigEndian.PutUint64(buf[:], uint64(a.bytes))
	_, err := conn.Write(buf[:])
	return err
}

func readAck(conn io.Reader, buf *[8]byte) (bytes int64, err error) {
	_, err = io.ReadFull(conn, buf[:])
	return int64(binary.BigEndian.Uint64(buf[:])), err
}

func (s *Server) acknowledge(conn net.Conn, owed <-chan ack) {
	var buf [8]byte
	for a := range owed {
		_, err := s.log.await(&s.log.committed, a.end-1)
		if err == nil {
			err = a.write(conn, &buf)
		}
		if err != nil {
			conn.Close() // receive hears of it, and ends
		}
	}
}

// send streams the log as far as a number of it goes, from the page cache to the socket.
func (s *Server) send(conn net.Conn, upto *int64) error {
	file, err := os.Open(s.log.file.Name()) // with an offset of its own, which sendfile moves
	if err != nil {
		return err
	}
	defer file.Close()
	part := &io.LimitedReader{R: file}
	for at := int64(0); ; {
		end, err := s.log.await(upto, at)
		if err != nil {
			return err
		}
		part.N = end - at
		if _, err := conn.(*net.TCPConn).ReadFrom(part); err != nil {
			return err
		}
		at = end
	}
}

// lead sends the log to a follower, whose acknowledgements count. It gets frames that are
// not committed: it is what commits them.
func (s *Server) lead(conn net.Conn) error {
	copied := s.log.copyTo()
	s.start(func() {
		_ = s.send(conn, &s.log.end)
		conn.Close() // what is wrong the loop below tells
	})
	var buf [8]byte
	for {
		upto, err := readAck(conn, &buf)
		if err != nil {
			s.log.fail(fmt.Errorf("a follower was lost: %w", err))
			return err
		}
		copied(upto)
	}
}

// follow is the other side of lead.
func (s *Server) follow(conn net.Conn) error {
	err := s.receive(conn)
	s.log.fail(fmt.Errorf("the leader was lost: %w", err))
	return err
}
