package cluster

import (
	"testing"
	"time"

	"odradek/sim"
)

func TestClusterBoots(t *testing.T) {
	k := sim.New(7)
	c, err := New(k, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	c.Failed = func(n *Node, err error) { t.Errorf("node %d: %v", n.ID, err) }
	c.Start()
	k.RunFor(3 * time.Second)
	for _, r := range k.Recent() {
		if r.Note {
			t.Log(string(k.AppendText(nil, &r)))
		}
	}
	for _, kc := range k.Counts() {
		t.Log(kc.Kind, kc.Count)
	}
}
