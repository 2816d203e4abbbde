package group

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/coordinator"
)

// group is what the machine asks of a group of either protocol. Whatever is not here,
// such as joining, is between the requests of a protocol and its own type.
type group interface {
	// groupType is as ListGroups names it: "classic" or "consumer".
	groupType() string
	// stateName is as ListGroups names it.
	stateName() string
	// protocolName is the protocol type, "" for a group that only has offsets.
	protocolName() string
	// empty groups may be deleted, and strangers may commit to them.
	empty() bool
	// persisted reports whether the log has records of the group itself.
	persisted() bool
	// tombstones takes those back. It is asked of empty groups.
	tombstones() []coordinator.Record
	// dissolve ends the group: its timers stop. Called when it leaves the machine.
	dissolve()
	// loaded follows the last record of the log: sessions begin.
	loaded(t *turn)

	// checkCommit is why the sender may not commit offsets, or nil.
	checkCommit(by committer) *kerr.Error
	// active follows a request of a member that counts as a sign of life.
	active(t *turn, member string)
	// checkFetch is why a sender that calls itself a member may not read offsets, or nil.
	checkFetch(member *string, epoch int32) *kerr.Error
	// subscribes reports whether the members want a topic, as far as is known: true if
	// it is not. The offsets of such a topic neither expire nor can be deleted.
	subscribes(topic string) bool
	// checkOffsetDelete is why no offsets at all may be deleted now, or nil.
	checkOffsetDelete() *kerr.Error
	// agesFrom is since when (ms, wall clock) an offset of a topic that is not subscribed
	// to counts as unused; false if none expires in this state.
	agesFrom(committed int64) (since int64, expires bool)
}

// committer is who commits offsets.
type committer struct {
	member        string
	instance      *string
	generation    int32 // or member epoch; -1 is somebody outside of the group
	transactional bool
	version       int16 // of the request
}

// forget takes a group out of the machine whose last record a tombstone has taken back. Offsets stay: then what
// is left is a group that only has offsets.
func (m *Machine) forget(id string) {
	delete(m.groups, id)
	if m.offsets.has(id) {
		m.groups[id] = newClassic(m, id)
	}
}

// dropIfVoid takes a group out of the machine that nothing in the log speaks of and nobody
// is about to join.
func (m *Machine) dropIfVoid(g *classic) {
	if g.written || g.writing || len(g.members) > 0 || len(g.promised) > 0 || m.offsets.has(g.id) || m.groups[g.id] != g {
		return
	}
	g.dissolve()
	delete(m.groups, g.id)
}
