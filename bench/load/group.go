package load

import (
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"odradek/bench"
)

// group is a consumer group that reads a topic, and what it has received.
type group struct {
	r     *run
	name  string
	topic string

	mu sync.Mutex // guards what follows
	// seen are the numbers of each producer.
	seen       []numbers
	received   int64 // of the time measured, and in time
	unique     int64 // over the whole run
	duplicated int64
	endToEnd   bench.Histogram
	assigned   int     // partitions that have a member
	whole      []int64 // when that became all of them
	members    []*member
	failing    error // why a session with the coordinator failed last
}

func newGroup(r *run, topic string, n int) *group {
	return &group{r: r, name: fmt.Sprintf("%s-group-%d", topic, n), topic: topic, seen: make([]numbers, r.producers())}
}

// receive counts what a poll has brought at a time.
func (g *group) receive(now int64, each func(func(*kgo.Record))) error {
	var wrong error
	var fresh int64
	g.mu.Lock()
	inTime := g.r.rate == 0 || now < g.r.cutoff()
	each(func(rec *kgo.Record) {
		i, due, ok := read(rec.Value)
		if !ok || i.producer >= len(g.seen) || len(rec.Value) != g.r.s.MessageSize {
			wrong = fmt.Errorf("group %s received what nobody sent: %s-%d at offset %d", g.name, rec.Topic, rec.Partition, rec.Offset)
			return
		}
		if !g.seen[i.producer].add(i.number) {
			g.duplicated++
			return
		}
		fresh++
		if !g.r.measures(due) {
			return
		}
		g.endToEnd.Record(now - g.r.dueTime(due))
		if inTime || due == backlog {
			g.received++
		}
	})
	g.unique += fresh
	g.mu.Unlock()
	g.r.ticks.receive(now, fresh)
	return wrong
}

// missing notes a record that the group cannot have received by the end.
func (g *group) missing(age int64) {
	g.mu.Lock()
	g.endToEnd.Record(age)
	g.mu.Unlock()
}

func (g *group) has() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.unique
}

// assign notes partitions that the member has got, or given up if n is negative.
func (m *member) assign(n int) {
	g := m.g
	g.mu.Lock()
	defer g.mu.Unlock()
	m.assigned += n
	if g.assigned += n; n > 0 && g.assigned == g.r.s.PartitionsPerTopic {
		g.whole = append(g.whole, g.r.clock.now())
	}
}

// trouble notes why a member is without a session.
func (g *group) trouble(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failing = err
}

func (g *group) size() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.members)
}

// settled reports whether every partition has a member and no member more than its share:
// until then partitions will change hands, and be read twice.
func (g *group) settled() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	partitions := g.r.s.PartitionsPerTopic
	for _, m := range g.members {
		if m.assigned < partitions/len(g.members) {
			return false
		}
	}
	return g.assigned == partitions
}
