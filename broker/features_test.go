package broker_test

import (
	"strings"
	"testing"
	"time"

	"odradek/broker/env"
)

// A cluster whose features are of an earlier version says at each start how to raise them.
func TestLogTellsHowToRaiseFeatures(t *testing.T) {
	b := newBank(t, 3, nil)
	var log logLines
	b.k.SetRecorder(&log)
	restart := func(task *env.Task) []string {
		log.lines = nil
		b.c.Node(2).Crash()
		task.Sleep(b.env.Clock, time.Second)
		b.c.Node(2).Up()
		task.Sleep(b.env.Clock, 5*time.Second)
		return log.with("features-behind")
	}
	b.do(func(task *env.Task) {
		if got := restart(task); len(got) > 0 {
			t.Errorf("in a new cluster: %v", got)
		}
		b.level(task, 0)
		if got := restart(task); len(got) != 1 || !strings.Contains(got[0], "odradek feature upgrade transaction.version=2\"") {
			t.Errorf("without transaction.version: %v", got)
		}
	})
}
