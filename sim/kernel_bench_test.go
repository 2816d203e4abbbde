package sim

import (
	"fmt"
	"testing"
	"time"
)

type hopper struct {
	k    *Kernel
	p    *Proc
	kind Kind
	left *int
}

func (h *hopper) Run(arg uint64) {
	if *h.left == 0 {
		return
	}
	*h.left--
	d := time.Duration(arg*7919%1000 + 1)
	h.k.Schedule(Event{At: h.k.Now().Add(d), Proc: h.p, Kind: h.kind, Do: h, Arg: arg + 1})
}

// BenchmarkEvents is events per second with 1000 of them pending.
func BenchmarkEvents(b *testing.B) {
	for _, pending := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("pending=%d", pending), func(b *testing.B) {
			k := New(1)
			left := b.N
			kind := k.Kind("hop")
			p := k.NewProc(k.NewNode("n"))
			for i := range pending {
				h := &hopper{k, p, kind, &left}
				h.Run(uint64(i))
			}
			left = b.N
			b.ReportAllocs()
			b.ResetTimer()
			for left > 0 {
				k.Step()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mevents/s")
		})
	}
}
