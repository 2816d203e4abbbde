package target

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// freeAddrs finds n addresses on loopback that nobody listens on. Their ports are below those
// that systems give to outgoing connections: a broker must find its own free when it is
// restarted.
func freeAddrs(n int) ([]string, error) {
	const first, last, tries = 15000, 32000, 1000
	var addrs []string
	for range tries {
		if len(addrs) == n {
			return addrs, nil
		}
		addr := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		defer l.Close() // held until all are found, so that they differ
		addrs = append(addrs, addr)
	}
	return nil, fmt.Errorf("no %d free ports from %d to %d", n, first, last)
}
