package txn

import (
	"math"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/coordinator"
	"odradek/broker/failpoint"
)

// WantProducerID is an effect: the machine needs a producer id that nobody has ever had.
type WantProducerID struct{}

// FreshProducerID is an input: the answer to WantProducerID. Code is the error, if the
// controller gave none.
type FreshProducerID struct {
	ID   int64
	Code int16
}

// producerIDs is the one producer id in store, and who waits for the next.
type producerIDs struct {
	fresh   int64
	stocked bool
	asked   bool
	waiting []coordinator.Request
}

// takeProducerID is a producer id that nobody has ever had. Without one in store the
// request waits for it, and is handled again from the start.
func (t *turn) takeProducerID(r coordinator.Request) (id int64, ok bool) {
	p := &t.m.producerIDs
	if p.stocked {
		p.stocked = false
		return p.fresh, true
	}
	p.waiting = append(p.waiting, r)
	t.askProducerID()
	return 0, false
}

func (t *turn) askProducerID() {
	if p := &t.m.producerIDs; !p.asked {
		p.asked = true
		t.effect(WantProducerID{})
	}
}

func (t *turn) freshProducerID(got FreshProducerID) {
	p := &t.m.producerIDs
	if !p.asked {
		return
	}
	p.asked = false
	waiting := p.waiting
	p.waiting = nil
	if got.Code != 0 {
		for _, r := range waiting {
			t.refuse(r, kerr.CoordinatorNotAvailable) // which clients retry
		}
		return
	}
	p.fresh, p.stocked = got.ID, true
	for i, r := range waiting {
		if !p.stocked {
			p.waiting = append(p.waiting, waiting[i:]...)
			t.askProducerID()
			return
		}
		t.handle(r)
	}
}

// firstEpoch is the epoch in which a new transactional id begins.
func (m *Machine) firstEpoch() int16 {
	if v := m.cfg.Fail.Value(failpoint.TxnFirstEpoch); v != "" {
		if e, err := strconv.ParseInt(v, 10, 16); err == nil {
			return int16(min(max(e, 0), int64(lastEpoch)))
		}
	}
	return 0
}

// overflows reports whether epochs wrap (KAFKA-19367).
func (m *Machine) overflows() bool { return m.cfg.Fail.On(failpoint.ZooEpochOverflow) }

// wornOut reports whether a producer id needs a successor.
func (m *Machine) wornOut(epoch int16) bool { return exhausted(epoch) && !m.overflows() }

// bump is the epoch after one. It wraps only where a bug is planted.
func (m *Machine) bump(epoch int16, by int) int16 {
	if m.overflows() {
		return epoch + int16(by)
	}
	return int16(min(int(epoch)+by, math.MaxInt16))
}
