package main

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// chunk is how much the baselines move with one system call.
const chunk = 1 << 20

// chunks calls use with pieces that add up to the workload.
func (w *workload) chunks(use func([]byte) error) error {
	for left := w.bytes(); left > 0; {
		n := min(left, chunk)
		at := left % int64(len(w.noise)-chunk)
		if err := use(w.noise[at : at+n]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// writeFile writes the bytes to a new file, in order.
func writeFile(w *workload, dir string, sync bool) (took time.Duration, err error) {
	path := filepath.Join(dir, "baseline")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(path)) }()
	begin := time.Now()
	if err := w.chunks(func(b []byte) error { _, err := f.Write(b); return err }); err != nil {
		return 0, err
	}
	if sync {
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
	}
	return time.Since(begin), nil
}

// copyTCP sends the bytes to a reader in this process, which throws them away.
func copyTCP(w *workload) (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return 0, err
	}
	defer out.Close()
	in, err := l.Accept()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	begin := time.Now()
	sent := make(chan error, 1)
	go func() { sent <- w.chunks(func(b []byte) error { _, err := out.Write(b); return err }) }()
	buf := make([]byte, chunk)
	for left := w.bytes(); left > 0; {
		n, err := in.Read(buf)
		left -= int64(n)
		if err != nil && (err != io.EOF || left > 0) {
			return 0, err
		}
	}
	return time.Since(begin), <-sent
}
