package group

import (
	"encoding/binary"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"

	"odradek/broker/coordinator"
	"odradek/broker/coordinator/group/assignor"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// pattern is a regular expression that members subscribe by (RE2, which is Go's), and
// the topics whose whole names match it.
type pattern struct {
	text     string
	users    int // members; not in the log
	regexp   *regexp.Regexp
	topics   []string // sorted
	resolved int64    // ms, wall clock
}

// compilePattern returns nil for what is no regular expression.
func compilePattern(text string) *regexp.Regexp {
	if _, err := regexp.Compile(text); err != nil { // or "a)(b" would be one
		return nil
	}
	re, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return nil // too large only with the rest
	}
	return re
}

// usePattern notes one more member that subscribes by a regular expression.
func (g *consumer) usePattern(text string) {
	if text == "" {
		return
	}
	p := g.patterns[text]
	if p == nil {
		p = &pattern{text: text}
		g.patterns[text] = p
		g.patternChanged(text)
	}
	p.users++
}

// dropPattern notes one less.
func (g *consumer) dropPattern(text string) {
	if text == "" {
		return
	}
	if p := g.patterns[text]; p.users == 1 {
		delete(g.patterns, text)
		g.patternChanged(text)
	} else {
		p.users--
	}
}

func (g *consumer) patternChanged(text string) {
	if g.changes.patterns == nil {
		g.changes.patterns = make(map[string]bool)
	}
	g.changes.patterns[text] = true
}

// resolve looks for the topics of every regular expression.
func (g *consumer) resolve(at coordinator.Moment) {
	for text, p := range g.patterns { //odradek:unordered each is on its own
		if p.regexp == nil {
			p.regexp = compilePattern(text)
		}
		var topics []string
		for _, topic := range at.Image.Topics() {
			// What cannot be compiled came from the log; it matches nothing.
			if p.regexp != nil && p.regexp.MatchString(topic.Name) {
				topics = append(topics, topic.Name)
			}
		}
		if !slices.Equal(topics, p.topics) || g.changes.patterns[text] {
			p.topics, p.resolved = topics, at.Wall
			g.patternChanged(text)
		}
	}
}

func (g *consumer) patternRecords() []coordinator.Record {
	var records []coordinator.Record
	for _, text := range slices.Sorted(maps.Keys(g.changes.patterns)) {
		if p := g.patterns[text]; p != nil {
			records = append(records, g.patternRecord(p))
		} else {
			records = append(records, consumerTombstone(consumerPatternKey, g.id, text))
		}
	}
	return records
}

// wants are the topics that a member subscribes to, sorted, whether they exist or not.
func (g *consumer) wants(mb *consumerMember) []string {
	if mb.pattern == "" {
		return mb.topics
	}
	all := slices.Concat(mb.topics, g.patterns[mb.pattern].topics)
	slices.Sort(all)
	return slices.Compact(all)
}

// subscribed are the topics that exist and that somebody subscribes to, by name.
func (g *consumer) subscribed(image *metadata.Image) []*metadata.Topic {
	names := make(map[string]bool)
	for _, mb := range g.members { //odradek:unordered sorted below
		for _, name := range g.wants(mb) {
			names[name] = true
		}
	}
	var topics []*metadata.Topic
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if topic := image.Topic(name); topic != nil {
			topics = append(topics, topic)
		}
	}
	return topics
}

// hashOf is a number that differs, but for chance, if the topics do, or their numbers of
// partitions. It says the same on every broker; it is not Kafka's, which also has racks.
func hashOf(topics []*metadata.Topic) int64 {
	h := fnv.New64a()
	for _, topic := range topics {
		h.Write(topic.ID[:])
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(topic.Partitions))))
	}
	return int64(h.Sum64())
}

// refresh looks at the metadata of the topics, and raises the epoch if they are different.
func (g *consumer) refresh(t *turn) {
	g.stale = false
	g.resolve(t.at)
	if len(g.changes.patterns) > 0 {
		g.touch(t)
	}
	if hash := hashOf(g.subscribed(t.at.Image)); hash != g.hash {
		g.hash = hash
		g.raise(t)
	}
}

// assign makes the target of the group's epoch.
func (g *consumer) assign(t *turn) {
	var spec assignor.Spec
	for _, topic := range g.subscribed(t.at.Image) {
		spec.Topics = append(spec.Topics, assignor.Topic{ID: topic.ID, Partitions: int32(len(topic.Partitions))})
	}
	ids := g.memberIDs()
	for _, id := range ids {
		mb := g.members[id]
		am := assignor.Member{ID: id, InstanceID: text(mb.instance), Assigned: mb.target}
		for _, name := range g.wants(mb) {
			if topic := t.at.Image.Topic(name); topic != nil {
				am.Topics = append(am.Topics, topic.ID)
			}
		}
		spec.Members = append(spec.Members, am)
	}
	for i, target := range assignor.Named(g.preferred()).Assign(spec) {
		if mb := g.members[ids[i]]; !slices.Equal(target, []wire.TopicIDPartition(mb.target)) {
			mb.target, mb.retargeted = target, true
		}
	}
	g.targetEpoch, g.targetChanged = g.epoch, true
	g.touch(t)
}

// preferred is the assignor that most members vote for; among equals, and if nobody
// votes, the first in group.consumer.assignors.
func (g *consumer) preferred() string {
	votes := make(map[string]int)
	for _, mb := range g.members { //odradek:unordered counting
		votes[mb.assignor]++
	}
	configured := g.m.cfg.Broker.ConsumerAssignors
	best := configured[0]
	for _, name := range configured[1:] {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}
