package load

import (
	"fmt"
	"math/rand/v2"

	"odradek/bench"
)

// payload makes what records consist of. Each producer has its own.
type payload struct {
	s     *bench.Scenario
	noise *rand.ChaCha8
	keys  [][]byte
	next  func() int
}

func newPayload(s *bench.Scenario, producer int) *payload {
	p := &payload{s: s, noise: rand.NewChaCha8([32]byte{byte(producer), byte(producer >> 8)})}
	if s.KeyDistributor == "NO_KEY" {
		return p
	}
	for i := range s.Keys {
		p.keys = append(p.keys, fmt.Appendf(nil, "key-%07d", i))
	}
	r := rand.New(rand.NewPCG(1, uint64(producer)))
	switch s.KeyDistributor {
	case "KEY_ROUND_ROBIN":
		n := -1
		p.next = func() int { n = (n + 1) % s.Keys; return n }
	case "RANDOM":
		p.next = func() int { return r.IntN(s.Keys) }
	case "ZIPFIAN":
		z := rand.NewZipf(r, 1.1, 1, uint64(s.Keys-1))
		p.next = func() int { return int(z.Uint64()) }
	default:
		panic("keyDistributor " + s.KeyDistributor) // validated
	}
	return p
}

// key is the next record's, nil without keys. Nobody may write to it.
func (p *payload) key() []byte {
	if p.keys == nil {
		return nil
	}
	return p.keys[p.next()]
}

// value makes a value. Only its header is written again for each record: a batch consists
// of values of different slots, so that a codec finds nothing repeated in it.
func (p *payload) value() []byte {
	v := make([]byte, p.s.MessageSize)
	ratio := 1.0
	if p.s.UseRandomizedPayloads {
		ratio = p.s.RandomBytesRatio
	}
	_, _ = p.noise.Read(v[:int(ratio*float64(len(v)))]) // never fails
	return v
}

// again is a copy of a value that may still be in use.
func (p *payload) again(v []byte) []byte { return append([]byte(nil), v...) }
