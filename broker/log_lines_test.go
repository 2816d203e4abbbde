package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

// logLines is what a node's log would have at its usual level.
type logLines struct{ lines []string }

// Record implements sim.Recorder.
func (l *logLines) Record(k *sim.Kernel, r *sim.Record) {
	if r.Note && r.Level >= env.Info {
		l.lines = append(l.lines, string(k.AppendText(nil, r)))
	}
}

func (l *logLines) with(text string) (found []string) {
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// A broker may have thousands of partitions, which start and change leaders together: the
// log sums that up.
func TestLogHasNoLineForEachPartition(t *testing.T) {
	l := newLab(t, 3, map[string]string{"auto.leader.rebalance.enable": "false"})
	var log logLines
	l.k.SetRecorder(&log)
	const partitions = 60
	l.do(func(task *env.Task) {
		var replicas [][]int32
		for i := range int32(partitions) {
			replicas = append(replicas, []int32{i%3 + 1, (i+1)%3 + 1, (i+2)%3 + 1})
		}
		l.createTopic(task, "t", nil, replicas...)
		task.Sleep(l.env.Clock, 3*time.Second)
		led := 0
		for _, line := range log.with("partitions-changed") {
			led += attribute(t, line, "became-leader")
		}
		if led != partitions {
			t.Errorf("%d partitions have a leader by the log", led)
		}
		l.c.Node(1).Crash()
		task.Sleep(l.env.Clock, 5*time.Second)
		l.c.Node(1).Up()
		task.Sleep(l.env.Clock, 5*time.Second)
	})
	led, shrunk, expanded := 0, 0, 0
	for _, line := range log.with("partitions-changed") {
		led, shrunk, expanded = led+attribute(t, line, "became-leader"), shrunk+attribute(t, line, "isr-shrunk"), expanded+attribute(t, line, "isr-expanded")
	}
	if led < partitions*4/3 || expanded < partitions {
		t.Errorf("by the log %d leaders, %d ISRs shrunk, %d expanded", led, shrunk, expanded)
	}
	if n := len(log.lines); n > 60 {
		t.Errorf("%d lines:\n%s", n, strings.Join(log.lines, "\n"))
	}
	if each := log.with("partition=\"t-"); len(each) > 0 {
		t.Errorf("lines of single partitions:\n%s", strings.Join(each, "\n"))
	}
}

func attribute(t *testing.T, line, name string) (v int) {
	t.Helper()
	_, rest, found := strings.Cut(line, name+"=")
	if _, err := fmt.Sscan(rest, &v); err != nil || !found {
		t.Fatalf("no %s in %s", name, line)
	}
	return v
}
