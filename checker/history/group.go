package history

import (
	"odradek/broker/wire"
)

// group is what a history says about one group.
type group struct {
	name string
	// members are the memberships that have begun, in order.
	members []*membership
	current map[string]*membership // by process
	// consumer: some member speaks the protocol of KIP-848.
	consumer bool
	owned    map[wire.TopicPartition][]*ownership // as begun
	stale    []*commitAttempt                     // accepted although a newer generation was known

	partitions map[wire.TopicPartition]*groupOffsets
}

func newGroup(name string) *group {
	return &group{
		name: name, current: make(map[string]*membership),
		owned: make(map[wire.TopicPartition][]*ownership), partitions: make(map[wire.TopicPartition]*groupOffsets),
	}
}

// membership is one process being one member, until it is no more.
type membership struct {
	Member   // as it is known last
	process  string
	owned    map[wire.TopicPartition]*ownership
	accepted []int64 // invocations that the coordinator accepted, ascending
	// overtaken is the first event that showed another member in a newer classic
	// generation, 0 if none has.
	overtaken int64
}

// ownership is a partition being a member's by its own knowledge.
type ownership struct {
	tp    wire.TopicPartition
	who   *membership
	until int64 // never if it did not end
	spans []span
}

// span is a generation in which the ownership was held, from an event on until the next.
type span struct {
	from       int64
	generation int32
}

func (o *ownership) from() int64 { return o.spans[0].from }

// commitAttempt is a heartbeat or a commit of a member.
type commitAttempt struct {
	who       *membership // nil if the process was none
	invokeSeq int64
	returnSeq int64
	// overtaken is the event that showed a newer generation before it was invoked.
	overtaken  int64
	generation int32
	commit     bool
}

// membershipChanged takes down an assignment, or the end of one.
func (g *group) membershipChanged(e *Event) {
	m := g.current[e.Process]
	if e.Func != Assigned {
		if m == nil {
			return
		}
		if e.Func == Lost {
			g.end(m, e.Seq)
			delete(g.current, e.Process)
			return
		}
		for _, tp := range e.Partitions {
			if o := m.owned[tp]; o != nil {
				o.until = e.Seq
				delete(m.owned, tp)
			}
		}
		return
	}
	if m != nil && m.ID != e.Member.ID {
		g.end(m, e.Seq) // it is another member now
		m = nil
	}
	if m == nil {
		m = &membership{process: e.Process, owned: make(map[wire.TopicPartition]*ownership)}
		g.current[e.Process] = m
		g.members = append(g.members, m)
	}
	moved := m.Generation != e.Member.Generation || m.ID == ""
	m.Member, m.overtaken = *e.Member, 0
	g.consumer = g.consumer || m.Consumer
	if moved {
		for _, o := range m.owned { //odradek:unordered each on its own
			o.spans = append(o.spans, span{e.Seq, m.Generation})
		}
	}
	for _, tp := range e.Partitions {
		if m.owned[tp] == nil {
			o := &ownership{tp: tp, who: m, until: never, spans: []span{{e.Seq, m.Generation}}}
			m.owned[tp] = o
			g.owned[tp] = append(g.owned[tp], o)
		}
	}
	for _, other := range g.current { //odradek:unordered each on its own
		if other.overtaken == 0 && other.Generation < m.Generation {
			other.overtaken = e.Seq
		}
	}
}

// end is that a member has no partitions any more.
func (g *group) end(m *membership, seq int64) {
	for _, o := range m.owned { //odradek:unordered each on its own
		o.until = seq
	}
	clear(m.owned)
}

// attempted takes down that a member asks the coordinator for something that only members
// get.
func (g *group) attempted(e *Event) *commitAttempt {
	a := &commitAttempt{invokeSeq: e.Seq, generation: e.Member.Generation, commit: e.Func == Commit}
	if m := g.current[e.Process]; m != nil && m.ID == e.Member.ID && m.ID != "" {
		a.who = m
		if m.Generation == e.Member.Generation {
			a.overtaken = m.overtaken
		}
	}
	return a
}

// answered takes down what became of it.
func (g *group) answered(a *commitAttempt, e *Event) {
	if a.who == nil || e.Outcome != OK {
		return
	}
	a.returnSeq = e.Seq
	a.who.accept(a.invokeSeq)
	if a.overtaken != 0 {
		g.stale = append(g.stale, a)
	}
}

// accept keeps the invocations in order: answers may overtake one another.
func (m *membership) accept(seq int64) {
	m.accepted = append(m.accepted, seq)
	for i := len(m.accepted) - 1; i > 0 && m.accepted[i-1] > seq; i-- {
		m.accepted[i], m.accepted[i-1] = m.accepted[i-1], m.accepted[i]
	}
}

func (g *group) offsets(tp wire.TopicPartition) *groupOffsets {
	o := g.partitions[tp]
	if o == nil {
		o = &groupOffsets{tp: tp}
		g.partitions[tp] = o
	}
	return o
}
