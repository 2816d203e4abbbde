package load

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// slot is a record under way, used again when it has come to an end.
type slot struct {
	record kgo.Record
	value  []byte
	id     id
	due    int64
	sent   int64 // when it was handed over
	// done is made once, since a record is handed over with a function.
	done func(*kgo.Record, error)
}

// slots bound what is under way. Were it unbounded, a system that does not keep up would
// fill the memory of the machine that it is measured on.
type slots struct {
	most int
	make func() *slot

	mu    sync.Mutex
	room  *sync.Cond
	free  []*slot
	made  int
	ended bool
}

func newSlots(most int, make func() *slot) *slots {
	s := &slots{most: most, make: make}
	s.room = sync.NewCond(&s.mu)
	return s
}

// take gets a slot; waited says that there was none at first, nil that the run is over.
func (s *slots) take() (taken *slot, waited bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.free) == 0 {
		if s.ended {
			return nil, waited
		}
		if s.made < s.most {
			s.made++
			return s.make(), waited
		}
		waited = true
		s.room.Wait()
	}
	last := len(s.free) - 1
	taken, s.free = s.free[last], s.free[:last]
	return taken, waited
}

func (s *slots) put(back *slot) {
	s.mu.Lock()
	s.free = append(s.free, back)
	s.mu.Unlock()
	s.room.Signal()
}

// underWay is how many are taken.
func (s *slots) underWay() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made - len(s.free)
}

// end lets nobody wait any longer.
func (s *slots) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.room.Broadcast()
}
