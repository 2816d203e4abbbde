package controller

import (
	"math"
	"time"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// session is what the active controller knows of a broker besides the image. It
// lives in memory only: a new controller starts all sessions afresh.
type session struct {
	lastContact int64 // monotonic nanoseconds
	// over means that the broker has said goodbye: its id may be taken at once.
	over bool
	// registeredAt is the offset of the last registration record.
	registeredAt wire.Offset
	// replayed is the last metadata offset that the broker reported, or NoOffset.
	replayed wire.Offset
	// shutdownAt is the offset of the last record that moved something away from a
	// broker in controlled shutdown, or NoOffset.
	shutdownAt wire.Offset
}

type sessions struct {
	timeout int64
	byID    map[wire.NodeID]*session
}

func newSessions(timeout time.Duration) sessions {
	return sessions{timeout: int64(timeout), byID: make(map[wire.NodeID]*session)}
}

// start begins a session with a broker that registered at an offset.
func (s *sessions) start(id wire.NodeID, now int64, registeredAt wire.Offset) {
	s.byID[id] = &session{lastContact: now, registeredAt: registeredAt, replayed: wire.NoOffset, shutdownAt: wire.NoOffset}
}

// of returns the session of a registered broker. Every registered broker has one.
func (s *sessions) of(id wire.NodeID) *session {
	if found := s.byID[id]; found != nil {
		return found
	}
	panic("controller: registered broker without a session")
}

// end forgets a broker that is no longer registered.
func (s *sessions) end(id wire.NodeID) { delete(s.byID, id) }

// valid reports whether the broker is to be taken for alive.
func (s *sessions) valid(id wire.NodeID, now int64) bool {
	found := s.of(id)
	return !found.over && now-found.lastContact < s.timeout
}

// deadline is when the first unfenced broker's session ends if it stays silent.
func (s *sessions) deadline(image *metadata.Image) (int64, bool) {
	first, ok := int64(math.MaxInt64), false
	for _, b := range image.Brokers() {
		if !b.Fenced {
			first, ok = min(first, s.of(b.ID).lastContact+s.timeout), true
		}
	}
	return first, ok
}

// lowestReplayed is the metadata offset that every live broker has replayed;
// without live brokers there is nobody to wait for.
func (s *sessions) lowestReplayed(image *metadata.Image) wire.Offset {
	lowest := wire.Offset(math.MaxInt64)
	for _, b := range image.Brokers() {
		if b.Active() {
			lowest = min(lowest, s.of(b.ID).replayed)
		}
	}
	return lowest
}

// fenceSilentBrokers fences every unfenced broker whose session has timed out.
func (c *Controller) fenceSilentBrokers() {
	for _, b := range c.pending.Brokers() {
		if !b.Fenced && !c.sessions.valid(b.ID, c.moment.Now) {
			c.fence(b)
		}
	}
}

// fence takes a broker out of leadership and every ISR, then fences it, so that
// no image ever shows a fenced broker in an ISR.
func (c *Controller) fence(b *metadata.Broker) {
	c.removeFromISRs(b.ID)
	c.write(&metadata.BrokerRegistrationChangeRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, Fenced: metadata.SetTrue})
}

// unfence makes a broker live, then elects it wherever it was waited for.
func (c *Controller) unfence(b *metadata.Broker) {
	c.write(&metadata.BrokerRegistrationChangeRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, Fenced: metadata.SetFalse})
	c.electForLeaderless()
}
