package workloads_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads"
	"odradek/workloads/client/clienttest"
)

func wantFinding(t *testing.T, err error, name string) {
	t.Helper()
	if f := (*workloads.Finding)(nil); !errors.As(err, &f) || f.Name != name {
		t.Errorf("%v is not the finding %s", err, name)
	}
}

func TestGroupThatCannotCommitIsUnfinished(t *testing.T) {
	r := begin(t, 1, workloads.Config{Name: "queue-and-pubsub", Params: map[string]int{"operations": 100}})
	r.cluster.Inject = func(_ wire.NodeID, req kmsg.Request) clienttest.Fault {
		if _, ok := req.(*kmsg.OffsetCommitRequest); ok {
			return clienttest.Fault{Code: kerr.OffsetMetadataTooLarge.Code, Skip: true}
		}
		return clienttest.Fault{}
	}
	r.start()
	r.world.Run(5 * time.Second)
	r.stop = true
	r.wait(2 * time.Minute)
	wantFinding(t, r.final(), "unfinished-group")
}

// The scripted cluster cleans nothing.
func TestTombstonesThatStayAreFound(t *testing.T) {
	_, err := perform(t, "compacted-table", 1, map[string]int{"delete-retention-ms": 1000, "pace-us": 20000}, false)
	wantFinding(t, err, "tombstones-stay")
}

// brokenMachines are machines of which one never comes.
type brokenMachines struct{}

func (brokenMachines) Brokers() (there, away []wire.NodeID) {
	return []wire.NodeID{1, 2, 3}, []wire.NodeID{4}
}
func (brokenMachines) Controllers() []wire.NodeID { return []wire.NodeID{1} }
func (brokenMachines) Join(wire.NodeID)           {}
func (brokenMachines) Leave(wire.NodeID)          {}
func (brokenMachines) Running(wire.NodeID) bool   { return false }

func TestOperatorWhoseBrokerDoesNotJoinIsStuck(t *testing.T) {
	r := begin(t, 1, workloads.Config{Name: "scale-out", Params: map[string]int{"at-least": 0, "pace-us": 50000}})
	r.site.Machines = brokenMachines{}
	r.start()
	r.world.Run(5 * time.Second)
	r.stop = true
	r.wait(2 * time.Minute)
	wantFinding(t, r.final(), "operator-stuck")
}
