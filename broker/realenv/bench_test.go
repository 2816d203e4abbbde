package realenv

import (
	"testing"
	"time"

	"odradek/broker/env"
)

func running(b *testing.B) *World {
	w := open(b, Options{})
	go w.Run()
	return w
}

// One post to an idle loop and the answer: two wake-ups.
func BenchmarkPostRoundTrip(b *testing.B) {
	w := running(b)
	back := make(chan struct{}, 1)
	fn := func() { back <- struct{}{} }
	b.ReportAllocs()
	for b.Loop() {
		w.Post(fn)
		<-back
	}
}

// Posts from several goroutines, as completions arrive under load.
func BenchmarkPostThroughput(b *testing.B) {
	w := running(b)
	n := 0
	fn := func() { n++ }
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w.Post(fn)
		}
	})
	play(b, w, func(*env.Task) {})
}

// A callback that queues the next.
func BenchmarkTurn(b *testing.B) {
	w := running(b)
	done := make(chan struct{})
	left := 0
	var turn func()
	turn = func() {
		if left--; left == 0 {
			close(done)
			return
		}
		w.Post(turn)
	}
	b.ReportAllocs()
	b.ResetTimer()
	w.Post(func() {
		left = b.N
		turn()
	})
	<-done
}

func BenchmarkTimerSetAndStop(b *testing.B) {
	w := running(b)
	b.ReportAllocs()
	play(b, w, func(*env.Task) {
		for range 1000 {
			w.Env().Clock.After(time.Hour, func() {})
		}
		for b.Loop() {
			w.Env().Clock.After(time.Minute, func() {}).Stop()
		}
	})
}

// connect makes a connection of a world to another; both ends are used on their
// own loops.
func connect(b *testing.B, from, to *World) (client, server env.Conn) {
	accepted := make(chan env.Conn, 1)
	dialled := make(chan env.Conn, 1)
	to.Post(func() {
		l, err := to.Env().Net.Listen("127.0.0.1:0", func(c env.Conn) { accepted <- c })
		if err != nil {
			b.Error(err)
			return
		}
		from.Post(func() {
			from.Env().Net.Dial(l.Addr(), time.Second, func(c env.Conn, err error) {
				if err != nil {
					b.Error(err)
				}
				dialled <- c
			})
		})
	})
	return <-dialled, <-accepted
}

// 100 bytes there and back over loopback TCP.
func BenchmarkPingPong(b *testing.B) {
	from, to := running(b), running(b)
	client, server := connect(b, from, to)
	message := []env.Segment{{Bytes: make([]byte, 100)}}
	to.Post(func() {
		buf := make([]byte, 100)
		var echo func(int, error)
		echo = func(_ int, err error) {
			if err == nil {
				server.Write(message)
				server.Read(buf, 100, echo)
			}
		}
		server.Read(buf, 100, echo)
	})
	done := make(chan struct{})
	b.ReportAllocs()
	b.ResetTimer()
	from.Post(func() {
		left, buf := b.N, make([]byte, 100)
		var next func(int, error)
		next = func(_ int, err error) {
			if err != nil {
				b.Error(err)
			}
			if left--; left < 0 || err != nil {
				close(done)
				return
			}
			client.Write(message)
			client.Read(buf, 100, next)
		}
		next(0, nil)
	})
	<-done
}

// 1 MiB at a time, from memory or from a file, as fast as the reader takes it.
func BenchmarkStream(b *testing.B) {
	const size = 1 << 20
	for _, source := range []string{"memory", "file"} {
		b.Run(source, func(b *testing.B) {
			from, to := running(b), running(b)
			client, server := connect(b, from, to)
			segs := []env.Segment{{Bytes: make([]byte, size)}}
			if source == "file" {
				play(b, from, func(task *env.Task) {
					f, err := env.Await2(task, func(done func(env.File, error)) { from.Env().Disk.Open("f", env.Create, done) })
					if err != nil {
						b.Error(err)
						return
					}
					if err := env.Await(task, func(done func(error)) { f.WriteAt([][]byte{segs[0].Bytes}, 0, done) }); err != nil {
						b.Error(err)
					}
					segs = []env.Segment{{File: f, Len: size}}
				})
			}
			done := make(chan struct{})
			b.SetBytes(size)
			b.ReportAllocs()
			b.ResetTimer()
			to.Post(func() {
				left, buf := int64(b.N)*size, make([]byte, 256<<10)
				var next func(int, error)
				next = func(n int, err error) {
					if left -= int64(n); left == 0 || err != nil {
						close(done)
						return
					}
					server.Read(buf, 1, next)
				}
				next(0, nil)
			})
			from.Post(func() {
				left := b.N
				var more func()
				more = func() {
					for ; left > 0 && client.Buffered() < 4*size; left-- {
						client.Write(segs)
					}
					if left > 0 {
						client.OnDrain(2*size, more)
					}
				}
				more()
			})
			<-done
		})
	}
}

// An append of 4 KiB in two buffers, and the sync, one after the other.
func BenchmarkAppendSync(b *testing.B) {
	benchmarkAppend(b, func(task *env.Task, f env.File) error { return env.Await(task, f.Sync) })
}

func BenchmarkAppend(b *testing.B) {
	benchmarkAppend(b, func(*env.Task, env.File) error { return nil })
}

func benchmarkAppend(b *testing.B, after func(*env.Task, env.File) error) {
	w := running(b)
	bufs := [][]byte{make([]byte, 61), make([]byte, 4096-61)}
	b.SetBytes(4096)
	b.ReportAllocs()
	play(b, w, func(task *env.Task) {
		f, err := env.Await2(task, func(done func(env.File, error)) { w.Env().Disk.Open("f", env.Create, done) })
		if err != nil {
			b.Error(err)
			return
		}
		off := int64(0)
		for b.Loop() {
			if err := env.Await(task, func(done func(error)) { f.WriteAt(bufs, off%(64<<20), done) }); err != nil {
				b.Error(err)
				return
			}
			if err := after(task, f); err != nil {
				b.Error(err)
				return
			}
			off += 4096
		}
	})
}

func BenchmarkReadAt(b *testing.B) {
	w := running(b)
	b.SetBytes(4096)
	b.ReportAllocs()
	play(b, w, func(task *env.Task) {
		f, err := env.Await2(task, func(done func(env.File, error)) { w.Env().Disk.Open("f", env.Create, done) })
		if err != nil {
			b.Error(err)
			return
		}
		buf := make([]byte, 4096)
		_ = env.Await(task, func(done func(error)) { f.WriteAt([][]byte{buf}, 0, done) })
		for b.Loop() {
			if _, err := env.Await2(task, func(done func(int, error)) { f.ReadAt(buf, 0, done) }); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
