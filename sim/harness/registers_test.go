package harness

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odradek/broker/wire"
	"odradek/checker/history"
)

// Nobody shall take a run whose registers were not decided for one in which they were right.
func TestRunTellsOfUndecidedRegisters(t *testing.T) {
	r := &run{history: history.NewRecorder(nil)}
	event := func(f history.Func, o wire.Offset) history.Event {
		return history.Event{Func: f, Process: fmt.Sprint(f, o), Topic: "t", Member: &history.Member{Group: "g"}, Offset: o}
	}
	var commits []int64
	for i := range 20 { // all under way together
		commits = append(commits, r.history.Invoke(event(history.Commit, wire.Offset(i))))
	}
	for _, op := range commits {
		r.history.Return(op, history.Event{Outcome: history.OK})
	}
	r.history.Return(r.history.Invoke(event(history.FetchCommitted, 0)), history.Event{Outcome: history.OK})
	res := &Result{Checked: make(map[string]int)}
	r.registers(res, history.Guarantees{})
	if d := cmp.Diff(map[string]int{"registers": 1, "registers undecided": 1, "operations on registers": 0}, res.Checked); d != "" {
		t.Error(d)
	}
	if len(res.Anomalies) > 0 {
		t.Errorf("%v", res.Anomalies)
	}
}
