package uses

import (
	"context"
	"fmt"
	"math/rand"
	randv2 "math/rand/v2"
	"reflect"
	"runtime"
	"sort"
	"time"
	"unsafe"
)

var clock = time.Now // want `time.Now: time comes from env.Clock`

type After struct{}

func (After) Now() {}

func times(t time.Time) {
	_ = time.Since(t)            // want `time.Since`
	_ = time.Until(t)            // want `time.Until`
	time.Sleep(time.Second)      // want `time.Sleep`
	<-time.After(1)              // want `time.After` `channel receive`
	_ = time.Tick(1)             // want `time.Tick`
	time.AfterFunc(1, func() {}) // want `time.AfterFunc`
	_ = time.NewTimer(1)         // want `time.NewTimer`
	_ = time.NewTicker(1)        // want `time.NewTicker`
	_ = t.In(time.Local)         // want `time.Local: the machine's time zone`
	_ = t.Add(time.Second).After(t)
	_ = time.Unix(0, 1)
	After{}.Now()
}

func contexts(ctx context.Context) {
	ctx, _ = context.WithTimeout(ctx, 1) // want `context.WithTimeout`
	ctx, _ = context.WithCancel(ctx)
	_ = ctx
}

func random(r *randv2.Rand) {
	_ = rand.Int()         // want `math/rand.Int: the global generator`
	_ = randv2.IntN(3)     // want `math/rand/v2.IntN: the global generator`
	randv2.Shuffle(0, nil) // want `math/rand/v2.Shuffle`
	_ = r.IntN(3)
	_ = randv2.New(randv2.NewPCG(1, 2))
	_ = rand.New(rand.NewSource(1)).Int()
}

func memory(p *int, v reflect.Value) {
	runtime.SetFinalizer(p, nil)           // want `runtime.SetFinalizer: the collector decides`
	runtime.AddCleanup(p, func(int) {}, 1) // want `runtime.AddCleanup`
	_ = runtime.NumGoroutine()             // want `runtime.NumGoroutine: the scheduler decides`
	_ = uintptr(unsafe.Pointer(p))         // want `an address as a number`
	_ = fmt.Sprintf("%p", p)               // want `%p: addresses differ`
	_ = fmt.Errorf("at %-8p: %d", p, 1)    // want `%p: addresses differ`
	_ = fmt.Sprintf("%d %s", 1, "p")
	_ = v.MapKeys() // want `MapKeys: maps have no order`
}

func sorts(list []int) {
	sort.Slice(list, func(i, j int) bool { return list[i] < list[j] }) // want `sort.Slice: .* use slices.SortFunc`
	sort.SliceStable(list, func(i, j int) bool { return list[i] < list[j] })
	sort.Ints(list)
}
