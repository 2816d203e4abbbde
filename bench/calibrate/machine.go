package calibrate

import (
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"time"

	"odradek/bench/simulated"
	"odradek/broker/wire"
)

// least is the shortest of some times that fn took: on a busy machine the others measure
// the others.
func least(times int, fn func()) time.Duration {
	best := time.Duration(1<<63 - 1)
	for range times {
		began := time.Now()
		fn()
		best = min(best, time.Since(began))
	}
	return best
}

// perKB is the cost of 1024 bytes of what was done to n.
func perKB(d time.Duration, n int) simulated.Cost {
	return simulated.Cost{PerKB: max(1, d*1024/time.Duration(n))}
}

// memory measures what the broker does to bytes in memory.
func memory(c *simulated.Costs) error {
	const size = 1 << 20
	from, to := make([]byte, 64*size), make([]byte, size)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(from)
	at := 0
	next := func() []byte { at = (at + size) % len(from); return from[at : at+size] } // not in a cache
	c.Copy = perKB(least(200, func() { copy(to, next()) }), size)
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := uint32(0)
	c.Checksum = perKB(least(200, func() { sum += crc32.Checksum(next(), table) }), size)

	codec := wire.NewCodec(4 * size)
	var batch []byte
	var failed error
	record := make([]byte, 1024)
	compress := least(20, func() {
		b := wire.NewBuilder(wire.BatchOptions{Compression: wire.LZ4, LeaderEpoch: wire.NoLeaderEpoch})
		for i := range size / len(record) {
			copy(record[:len(record)/2], from[i*len(record):]) // half of it compresses
			b.Append(0, nil, record)
		}
		batch, failed = b.Build(nil, codec)
	})
	if failed != nil {
		return fmt.Errorf("compressing: %w", failed)
	}
	c.Compress = perKB(compress, size)
	decompress := least(20, func() {
		records, err := codec.Records(batch)
		if err != nil {
			failed = err
			return
		}
		var r wire.Record
		for records.Next(&r) {
			sum += uint32(len(r.Value))
		}
	})
	c.Decompress = perKB(decompress, size)
	if failed != nil {
		return fmt.Errorf("decompressing: %w", failed)
	}
	return nil
}

// parts of a transfer are timed by themselves.
const parts = 16

// fastest does something n times and returns the shortest time that [parts] of them took:
// in the others somebody else had the machine.
func fastest(n int, fn func() error) (time.Duration, error) {
	best := time.Duration(1<<63 - 1)
	for range n / parts {
		began := time.Now()
		for range parts {
			if err := fn(); err != nil {
				return 0, err
			}
		}
		best = min(best, time.Since(began))
	}
	return best, nil
}

// loopback measures TCP between two goroutines: half the median round trip of a byte, and
// the bandwidth of one connection.
func loopback(n *simulated.Network) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	done := make(chan error, 1)
	const rounds, total, piece = 3000, 512 << 20, 1 << 20
	go func() {
		c, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer c.Close()
		b := make([]byte, piece)
		for range rounds {
			if _, err = io.ReadFull(c, b[:1]); err == nil {
				_, err = c.Write(b[:1])
			}
			if err != nil {
				done <- err
				return
			}
		}
		_, err = io.CopyN(io.Discard, c, total)
		done <- err
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	b := make([]byte, piece)
	var trips []time.Duration
	for range rounds {
		began := time.Now()
		if _, err = c.Write(b[:1]); err == nil {
			_, err = io.ReadFull(c, b[:1])
		}
		if err != nil {
			return err
		}
		trips = append(trips, time.Since(began))
	}
	slices.Sort(trips)
	part, err := fastest(total/piece, func() error { _, err := c.Write(b); return err })
	if err != nil {
		return err
	}
	if err := <-done; err != nil {
		return err
	}
	// A wake-up is part of a round trip, and of the costs of a read; here it is taken for
	// what the least round trip has.
	n.Latency = max(trips[len(trips)/20]/2, time.Microsecond)
	n.Jitter = max(trips[len(trips)/2]/2-n.Latency, 0)
	n.BytesPerSecond = int64(parts * piece / part.Seconds())
	return nil
}

// storage measures the disk under a directory.
func storage(dir string, d *simulated.Disk) error {
	f, err := os.CreateTemp(dir, "odradek-calibrate-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	const piece, total, flushes = 1 << 20, 256 << 20, 300
	b := make([]byte, piece)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(b)
	part, err := fastest(total/piece, func() error { _, err := f.Write(b); return err })
	if err != nil {
		return err
	}
	d.CacheBytesPerSecond = int64(parts * piece / part.Seconds())
	flushed := time.Now()
	if err := datasync(f); err != nil {
		return err
	}
	d.SyncedBytesPerSecond = int64(total / time.Since(flushed).Seconds())
	var latencies []time.Duration
	deadline := time.Now().Add(5 * time.Second)
	for i := 0; i < flushes && (time.Now().Before(deadline) || i < 21); i++ {
		if _, err := f.Write(b[:4096]); err != nil {
			return err
		}
		began := time.Now()
		if err := datasync(f); err != nil {
			return err
		}
		latencies = append(latencies, time.Since(began))
	}
	d.Fdatasync = quantiles(latencies, 20)
	const pages = 2000
	took := least(5, func() {
		for range pages {
			if _, err = f.Write(b[:1024]); err != nil {
				return
			}
		}
	})
	// As env.File has it: a hand-over to a thread and back besides the call.
	d.WriteLatency = took/pages + 5*time.Microsecond
	return err
}

// quantiles are the values at n+1 equal shares, from the least to the greatest.
func quantiles(of []time.Duration, n int) []time.Duration {
	slices.Sort(of)
	out := make([]time.Duration, n+1)
	for i := range out {
		out[i] = of[i*(len(of)-1)/n]
	}
	return out
}
