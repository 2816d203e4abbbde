package sim

import "math/rand/v2"

// Stream returns the random stream of that name. It depends on the seed and the
// name alone, so one more draw in one stream never shifts another. Asking twice
// gives the same stream, continued.
func (k *Kernel) Stream(name string) *rand.Rand {
	if r := k.streams[name]; r != nil {
		return r
	}
	r := rand.New(rand.NewPCG(k.seed, HashString(name)))
	k.streams[name] = r
	return r
}

// Streams gives out streams whose names begin with a prefix. It implements
// env.Rand for one machine: two machines that ask for the same name get
// different streams, and a restarted one continues where its last life stopped.
type Streams struct {
	Kernel *Kernel
	Prefix string // such as "broker-1/"
}

// Stream implements env.Rand.
func (s Streams) Stream(name string) *rand.Rand { return s.Kernel.Stream(s.Prefix + name) }

// HashString is 64-bit FNV-1a, finished with an avalanche: names that differ in
// one letter must not give related seeds.
func HashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return avalanche(h)
}

// HashBytes digests b, eight bytes at a time. It tells runs apart; it is no
// protection against anybody.
func HashBytes(b []byte) uint64 {
	h := uint64(len(b)) * 0x9e3779b97f4a7c15
	for len(b) >= 8 {
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		h = Mix(h, w)
		b = b[8:]
	}
	for _, c := range b {
		h = Mix(h, uint64(c)+1)
	}
	return h
}

// Mix folds one word into a digest.
func Mix(h, v uint64) uint64 {
	h = (h ^ v) * 0xff51afd7ed558ccd
	return h ^ h>>32
}

func avalanche(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
