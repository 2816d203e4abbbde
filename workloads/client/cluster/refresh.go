package cluster

import (
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// Never is the Deadline of a core that waits for nothing but input.
const Never int64 = math.MaxInt64

// refresh is when to ask again.
type refresh struct {
	// need: something asked for a newer view since the last request was made.
	need bool
	// inFlight: a request has not been answered.
	inFlight bool
	// fruitless counts the refreshes in a row that failed or left a wanted topic
	// without a leader.
	fruitless int
	// notBefore is the earliest time of the next request, in ns.
	notBefore int64
	// expires is when the view is too old, in ns; 0 while there is none.
	expires int64
}

// RequestUpdate says that the view has shown itself to be out of date.
func (m *Metadata) RequestUpdate() { m.refresh.need = true }

// Deadline is when Poll should be called next, in ns; Never if only input can
// change anything.
func (m *Metadata) Deadline() int64 {
	r := &m.refresh
	switch {
	case r.inFlight:
		return Never
	case r.need:
		return r.notBefore
	case r.expires != 0:
		return max(r.expires, r.notBefore)
	}
	return Never
}

// Poll gives the request to send, if a refresh is due. Its end must be told with
// OnResponse or OnFailure.
func (m *Metadata) Poll(now int64) (*kmsg.MetadataRequest, bool) {
	if m.Deadline() > now {
		return nil, false
	}
	m.refresh.inFlight = true
	m.refresh.need = false
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = m.cfg.AutoCreate
	// Not nil, which would ask for all topics.
	req.Topics = make([]kmsg.MetadataRequestTopic, 0, len(m.wanted))
	for _, name := range m.Wanted() {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	return req, true
}

// OnFailure tells that the request in flight got no usable answer.
func (m *Metadata) OnFailure(now int64) {
	m.refresh.need = true
	m.settle(now, false)
}

// settle ends a refresh and sets the pause until the next.
func (m *Metadata) settle(now int64, fruitful bool) {
	r := &m.refresh
	r.inFlight = false
	if fruitful {
		r.fruitless = 0
	} else {
		r.fruitless++
	}
	r.notBefore = now + int64(m.cfg.Backoff.After(max(r.fruitless, 1), m.rng))
	r.expires = now + int64(max(m.cfg.MaxAge, time.Millisecond))
}

// OnResponse takes in a newer view. A response without any broker says nothing
// (a broker that has just started sends it) and counts as a failure.
func (m *Metadata) OnResponse(now int64, resp *kmsg.MetadataResponse) {
	if len(resp.Brokers) == 0 || resp.ErrorCode != 0 {
		m.OnFailure(now)
		return
	}
	m.updates++
	clear(m.brokers)
	for i := range resp.Brokers {
		b := &resp.Brokers[i]
		m.HintBroker(wire.NodeID(b.NodeID), b.Host, b.Port)
	}
	m.controller = wire.NodeID(resp.ControllerID)
	whole := true
	for i := range resp.Topics {
		rt := &resp.Topics[i]
		if rt.Topic == nil || !m.wanted[*rt.Topic] {
			continue // forgotten while the request was under way
		}
		whole = m.updateTopic(*rt.Topic, rt) && whole
	}
	if !whole {
		m.refresh.need = true
	}
	m.settle(now, whole)
}

// updateTopic reports whether the topic has a leader in every partition.
func (m *Metadata) updateTopic(name string, rt *kmsg.MetadataResponseTopic) bool {
	t := m.topics[name]
	if t == nil {
		t = &Topic{Name: name}
		m.topics[name] = t
	}
	t.Code = rt.ErrorCode
	if rt.ErrorCode != 0 {
		t.Partitions = nil
		return false
	}
	if id := wire.UUID(rt.TopicID); id != t.ID {
		// Another incarnation: its epochs have nothing to do with the old ones.
		if !t.ID.IsZero() {
			delete(m.names, t.ID)
			t.seen = nil
			t.Partitions = nil
		}
		t.ID = id
		if !id.IsZero() {
			m.names[id] = name
		}
	}
	n := 0
	for i := range rt.Partitions {
		// Partitions are numbered without gaps; a number beyond that would let a
		// broken broker make us allocate at will.
		if p := rt.Partitions[i].Partition; p >= 0 && int(p) < len(rt.Partitions) {
			n = max(n, int(p)+1)
		}
	}
	for len(t.seen) < n {
		t.seen = append(t.seen, wire.NoLeaderEpoch)
	}
	old := t.Partitions
	t.Partitions = make([]Partition, n)
	for i := range t.Partitions {
		t.Partitions[i] = Partition{Leader: wire.NoNode, Epoch: wire.NoLeaderEpoch}
	}
	for i := range rt.Partitions {
		rp := &rt.Partitions[i]
		if rp.Partition < 0 || int(rp.Partition) >= n {
			continue
		}
		p := Partition{Leader: wire.NodeID(rp.Leader), Epoch: wire.LeaderEpoch(rp.LeaderEpoch), Code: rp.ErrorCode}
		if p.Leader < 0 {
			p.Leader = wire.NoNode
		}
		if p.Epoch < t.seen[rp.Partition] && p.Epoch != wire.NoLeaderEpoch {
			// Stale in this partition: keep what was known, or know nothing.
			if int(rp.Partition) < len(old) {
				t.Partitions[rp.Partition] = old[rp.Partition]
			}
			continue
		}
		t.seen[rp.Partition] = max(t.seen[rp.Partition], p.Epoch)
		t.Partitions[rp.Partition] = p
	}
	for _, p := range t.Partitions {
		if p.Leader == wire.NoNode {
			return false
		}
	}
	return true
}
