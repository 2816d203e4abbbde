package envtest

import (
	"odradek/broker/env"
)

// What scripts say to the network and the disk, in sequence.

func bytesOf(s string) []byte { return []byte(s) }

func seg(b []byte) env.Segment { return env.Segment{Bytes: b} }

// wire is one end of a connection.
type wire struct{ env.Conn }

func (c wire) say(text string)          { c.send(seg(bytesOf(text))) }
func (c wire) send(segs ...env.Segment) { c.Write(segs) }

// repeat writes the same chunk n times without waiting.
func (c wire) repeat(chunk []byte, n int) {
	for range n {
		c.send(seg(chunk))
	}
}

// listen binds a free port of the script's node.
func (s *script) listen(accept func(env.Conn)) env.Listener {
	s.Helper()
	l, err := s.Net.Listen(s.Addr(s.node), accept)
	s.must(err, "listen")
	return l
}

func (s *script) tryDial(addr string) (env.Conn, error) {
	return env.Await2(s.Task, func(done func(env.Conn, error)) { s.Net.Dial(addr, patience, done) })
}

func (s *script) dial(addr string) wire {
	s.Helper()
	c, err := s.tryDial(addr)
	s.must(err, "dial %s", addr)
	return wire{c}
}

// pair connects the script's node (client) to node i (server). The server's end
// is used from this script too, which is fair because at most one callback runs
// at any time, but its operations belong to its own node's loop: so only pairs of
// a node with itself are made here, others by a script on each node.
func (s *script) pair(i int) (client, server wire) {
	s.Helper()
	s.check(i == s.node, "a pair of two nodes needs two scripts")
	var accepted env.Conn
	l := s.listen(func(c env.Conn) { accepted = c })
	client = s.dial(l.Addr())
	s.until(func() bool { return accepted != nil })
	l.Close()
	return client, wire{accepted}
}

// tryRead reads at least min bytes into buf.
func (s *script) tryRead(c wire, buf []byte, min int) (int, error) {
	return env.Await2(s.Task, func(done func(int, error)) { c.Read(buf, min, done) })
}

// read reads exactly n bytes.
func (s *script) read(c wire, n int) []byte {
	s.Helper()
	buf := make([]byte, n)
	got, err := s.tryRead(c, buf, n)
	s.must(err, "read of %d bytes", n)
	s.check(got == n, "a read of exactly %d bytes got %d", n, got)
	return buf
}

// expect reads exactly what is wanted.
func (s *script) expect(c wire, want string) {
	s.Helper()
	if got := s.read(c, len(want)); string(got) != want {
		s.fatalf("read %q, want %q", got, want)
	}
}

// drain reads until the stream ends and checks that it is the repeated chunk. It
// returns the number of bytes and how the stream ended.
func (s *script) drain(c wire, chunk []byte) (int64, error) {
	s.Helper()
	buf := make([]byte, 100_000) // no divisor of anything
	total := int64(0)
	for {
		n, err := s.tryRead(c, buf, 1)
		for i := range n {
			if at := (total + int64(i)) % int64(len(chunk)); buf[i] != chunk[at] {
				s.fatalf("the stream is wrong at byte %d", total+int64(i))
			}
		}
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// drained waits until the world has taken everything written.
func (s *script) drained(c wire) {
	s.Suspend(func(wake func()) { c.OnDrain(0, wake) })
}

// talk runs a client script on node 0 that has dialled a server script on node 1,
// each with its end of the connection, and waits for both.
func (s *suite) talk(server, client func(s *script, c wire)) {
	s.Helper()
	addr := ""
	s.start(1, func(s *script) {
		var accepted env.Conn
		l := s.listen(func(c env.Conn) { accepted = c })
		addr = l.Addr()
		s.until(func() bool { return accepted != nil })
		l.Close()
		server(s, wire{accepted})
	})
	s.eventually("listen", func() bool { return addr != "" || s.Failed() })
	s.start(0, func(s *script) { client(s, s.dial(addr)) })
	s.finish()
}

func (s *script) tryOpen(path string, mode env.OpenMode) (env.File, error) {
	return env.Await2(s.Task, func(done func(env.File, error)) { s.Disk.Open(path, mode, done) })
}

func (s *script) openFile(path string, mode env.OpenMode) env.File {
	s.Helper()
	f, err := s.tryOpen(path, mode)
	s.must(err, "open %s", path)
	return f
}

// create opens a new file.
func (s *script) create(path string) env.File {
	s.Helper()
	return s.openFile(path, env.Create|env.Exclusive)
}

func (s *script) write(f env.File, off int64, parts ...string) error {
	bufs := make([][]byte, len(parts))
	for i, p := range parts {
		bufs[i] = bytesOf(p)
	}
	return env.Await(s.Task, func(done func(error)) { f.WriteAt(bufs, off, done) })
}

func (s *script) put(f env.File, off int64, parts ...string) {
	s.Helper()
	s.must(s.write(f, off, parts...), "write at %d", off)
}

func (s *script) tryReadAt(f env.File, off int64, n int) (string, error) {
	buf := make([]byte, n)
	got, err := env.Await2(s.Task, func(done func(int, error)) { f.ReadAt(buf, off, done) })
	return string(buf[:got]), err
}

// holds checks that the file's content is exactly want.
func (s *script) holds(f env.File, want string) {
	s.Helper()
	if f.Size() != int64(len(want)) {
		s.fatalf("the file has %d bytes, want %d (%q)", f.Size(), len(want), want)
	}
	if want == "" {
		return
	}
	got, err := s.tryReadAt(f, 0, len(want))
	s.must(err, "read")
	s.check(got == want, "the file holds %q, want %q", got, want)
}

// file makes a file with a content and closes it.
func (s *script) file(path, content string) {
	s.Helper()
	f := s.create(path)
	s.put(f, 0, content)
	f.Close()
}

// pathHolds checks the content of a file by name.
func (s *script) pathHolds(path, want string) {
	s.Helper()
	f := s.openFile(path, env.ReadOnly)
	s.holds(f, want)
	f.Close()
}

func (s *script) sync(f env.File) error     { return env.Await(s.Task, f.Sync) }
func (s *script) syncDir(path string) error { return s.dirOp(s.Disk.SyncDir, path) }
func (s *script) remove(path string) error  { return s.dirOp(s.Disk.Remove, path) }
func (s *script) mkdir(path string) error   { return s.dirOp(s.Disk.Mkdir, path) }

func (s *script) dirOp(op func(string, func(error)), path string) error {
	return env.Await(s.Task, func(done func(error)) { op(path, done) })
}

func (s *script) rename(from, to string) error {
	return env.Await(s.Task, func(done func(error)) { s.Disk.Rename(from, to, done) })
}

func (s *script) truncate(f env.File, size int64) error {
	return env.Await(s.Task, func(done func(error)) { f.Truncate(size, done) })
}

func (s *script) list(dir string) ([]env.DirEntry, error) {
	return env.Await2(s.Task, func(done func([]env.DirEntry, error)) { s.Disk.List(dir, done) })
}

// names lists a directory by name; directories end with a slash.
func (s *script) names(dir string) []string {
	s.Helper()
	entries, err := s.list(dir)
	s.must(err, "list %s", dir)
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Dir {
			e.Name += "/"
		}
		names = append(names, e.Name)
	}
	return names
}
