package disk

import (
	"testing"
	"time"

	"odradek/sim"
)

func TestFlushesTakeAsLongAsWasMeasured(t *testing.T) {
	k := sim.New(3)
	cfg := DefaultConfig()
	cfg.SyncQuantiles = []time.Duration{time.Millisecond, 2 * time.Millisecond, 100 * time.Millisecond}
	d := New(k, "d", k.NewNode("d"), cfg)
	fast := 0
	for range 1000 {
		took := d.flushLatency()
		if took < time.Millisecond || took > 100*time.Millisecond {
			t.Fatalf("a flush of %v", took)
		}
		if took <= 2*time.Millisecond {
			fast++
		}
	}
	if fast < 400 || fast > 600 {
		t.Errorf("%d of 1000 flushes are below the median, want half", fast)
	}
	d.SetSlow(3)
	if took := d.flushLatency(); took < 3*time.Millisecond {
		t.Errorf("a flush of a slow disk takes %v", took)
	}
}
