package realenv

import (
	crand "crypto/rand"
	"crypto/sha256"
	"math/rand/v2"
)

// streams is env.Rand, seeded from the system.
type streams struct {
	key    [32]byte
	byName map[string]*rand.Rand
}

func newStreams() *streams {
	s := &streams{byName: make(map[string]*rand.Rand)}
	crand.Read(s.key[:]) // never fails
	return s
}

func (s *streams) Stream(name string) *rand.Rand {
	r := s.byName[name]
	if r == nil {
		seed := sha256.Sum256(append(s.key[:], name...))
		r = rand.New(rand.NewChaCha8(seed))
		s.byName[name] = r
	}
	return r
}
