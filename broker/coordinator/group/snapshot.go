package group

import (
	"slices"
	"strings"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// Snapshot is a group at a moment, for white-box checks. It shares nothing with the machine.
type Snapshot struct {
	ID, Type, State string // as ListGroups names them
	// Epoch is the group's: of a classic one the generation.
	Epoch int32
	// TargetEpoch is what the target is of; of a classic group also the generation.
	TargetEpoch int32
	Members     []MemberSnapshot // by id
}

// MemberSnapshot is a member of a [Snapshot].
type MemberSnapshot struct {
	ID, Instance string // the second is "" for a dynamic member
	Classic      bool   // it speaks the classic protocol
	Epoch        int32  // of a classic group's member the generation
	// Assigned is what it has or may take, Revoking what it has to give up, Target what it
	// shall have in the end. All are sorted, by topic id. Of a classic group's member the first
	// is what can be read of its assignment, and there is no other.
	Assigned, Revoking, Target []wire.TopicIDPartition
}

// Groups lists every group with what its members own, by id. The image names the topics of
// classic groups, whose members know them by name.
func (m *Machine) Groups(image *metadata.Image) []Snapshot {
	var all []Snapshot
	for _, id := range m.ids() {
		s := Snapshot{ID: id, Type: m.groups[id].groupType(), State: m.groups[id].stateName()}
		switch g := m.groups[id].(type) {
		case *classic:
			s.Epoch, s.TargetEpoch = g.generation, g.generation
			for _, mb := range g.order {
				assigned, _ := readAssignment(image, mb.assignment)
				s.Members = append(s.Members, MemberSnapshot{ID: mb.id, Instance: text(mb.instance), Classic: true, Epoch: g.generation, Assigned: assigned})
			}
			slices.SortFunc(s.Members, func(a, b MemberSnapshot) int { return strings.Compare(a.ID, b.ID) })
		case *consumer:
			s.Epoch, s.TargetEpoch = g.epoch, g.targetEpoch
			for _, id := range g.memberIDs() {
				mb := g.members[id]
				s.Members = append(s.Members, MemberSnapshot{ID: mb.id, Instance: text(mb.instance), Classic: mb.classic != nil, Epoch: mb.epoch,
					Assigned: slices.Clone(mb.assigned), Revoking: slices.Clone(mb.revoking), Target: slices.Clone(mb.target)})
			}
		}
		all = append(all, s)
	}
	return all
}
