package calibrate

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"odradek/bench"
	"odradek/bench/simulated"
)

func TestFactorsAreFound(t *testing.T) {
	rows := [][]float64{{0.2, 0.01, 0.001}, {0.05, 0.3, 0}, {0.02, 0.02, 0.1}}
	factors := []float64{1.7, 0.4, 3}
	var want []float64
	for _, row := range rows {
		sum := 0.0
		for i, v := range row {
			sum += v * factors[i]
		}
		want = append(want, sum)
	}
	for i, f := range solve(rows, want) {
		if math.Abs(f-factors[i]) > 0.001 {
			t.Errorf("factor %d is %v, want %v", i, f, factors[i])
		}
	}
	// What would need a negative cost is bounded.
	if f := solve([][]float64{{1, 1}, {1, 2}}, []float64{1, 0.5}); f[1] != leastFactor || f[0] <= 0 {
		t.Errorf("factors of a contradiction are %v", f)
	}
}

func TestQuantilesRunFromLeastToGreatest(t *testing.T) {
	var of []time.Duration
	for i := range 101 {
		of = append(of, time.Duration(100-i))
	}
	if got := quantiles(of, 4); !slices.Equal(got, []time.Duration{0, 25, 50, 75, 100}) {
		t.Errorf("%v", got)
	}
}

// A machine whose costs are known is fitted from what it does under the loads.
func TestFitFindsTheMachineThatWasMeasured(t *testing.T) {
	machine, err := simulated.BuiltIn("cloud-nvme-10gbe")
	if err != nil {
		t.Fatal(err)
	}
	machine.OneMachine, machine.Cores, machine.Network.Handover = true, 4, 0
	guess := machine
	scale(&machine.Broker, eachOf, 3)
	scale(&machine.Broker, bytesOf, 2)
	scale(&machine.Client, bytesOf, 2)
	scale(&machine.Client, recordsOf, 2.5)
	machine.Network.Handover = 20 * time.Microsecond
	o := Options{Seconds: 0.5}
	o.fill()
	real := make([]measured, len(points))
	for i := range points {
		if real[i], err = o.predict(machine, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.fit(&guess, real); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what      string
		got, want time.Duration
	}{
		{"a broker's read", guess.Broker.Read.Each, machine.Broker.Read.Each},
		{"a Produce", guess.Broker.Requests["Produce"], machine.Broker.Requests["Produce"]},
		{"a KiB written", guess.Broker.Write.PerKB, machine.Broker.Write.PerKB},
		{"a client's write", guess.Client.Write.Each, machine.Client.Write.Each},
		{"a record", guess.Client.ProduceRecord.Each, machine.Client.ProduceRecord.Each},
		{"a hand-over", guess.Network.Handover, machine.Network.Handover},
	} {
		if off := math.Abs(float64(c.got)/float64(c.want) - 1); off > 0.1 {
			t.Errorf("%s costs %v, want %v", c.what, c.got, c.want)
		}
	}
}

func TestMachineIsMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 256 MiB")
	}
	p, err := simulated.BuiltIn("laptop")
	if err != nil {
		t.Fatal(err)
	}
	if err := memory(&p.Broker); err != nil {
		t.Error(err)
	}
	if err := loopback(&p.Network); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := storage(dir, &p.Disk); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	again, err := p.Again() // which checks that it makes sense
	if err != nil {
		t.Fatal(err)
	}
	text, err := again.Text()
	if err != nil || !strings.Contains(string(text), "fdatasync:") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestErrorIsAShareOfWhatWasMeasured(t *testing.T) {
	p := Prediction{Measured: bench.Sample{Seconds: 1, Acked: 200}, Predicted: bench.Sample{Seconds: 2, Acked: 300}}
	if off, ok := p.Error(bench.MeasureCalled("throughput")); !ok || off != -0.25 {
		t.Errorf("%v %v, want -0.25", off, ok)
	}
	if _, ok := p.Error(bench.MeasureCalled("ack_p99")); ok {
		t.Error("the error of latencies that nobody measured is known")
	}
}
