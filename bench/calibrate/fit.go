package calibrate

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"time"

	"odradek/bench"
	"odradek/bench/load"
	"odradek/bench/simulated"
	"odradek/bench/target"
)

// Options of a calibration.
type Options struct {
	// Dir is where data are written, "" the system's temporary directory: its disk is what
	// is measured.
	Dir string
	// Binary is the odradek program that is started, "" this one.
	Binary string
	// Seconds is how long each load is measured, 0 is 3.
	Seconds float64
	// Repetitions of each load, 0 is 3; the median counts.
	Repetitions int
	// Progress, if not nil, is told what is being done.
	Progress func(what string)
}

func (o *Options) fill() {
	if o.Seconds == 0 {
		o.Seconds = 3
	}
	if o.Repetitions == 0 {
		o.Repetitions = 3
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
}

// point is a load whose CPU time is mostly one kind of cost.
type point struct {
	name string
	rate float64
	text string
}

var points = []point{
	{"requests", 1500, "messageSize: 100\n"},
	{"bytes", 300, "messageSize: 102400\n"},
	{"records", 20_000, "messageSize: 100\nproducerConfig: {linger.ms: \"20\"}\n"},
}

func (p *point) scenario(seconds float64) (*bench.Scenario, error) {
	text := fmt.Sprintf("name: calibrate-%s\nwarmupDuration: 1s\ntestDuration: %v\n%s", p.name, time.Duration(seconds*1e9), p.text)
	list, err := bench.Parse([]byte(text))
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

// measured is what a point took: CPU seconds of broker and client a second, and a median
// latency in ns.
type measured struct{ server, client, ack float64 }

// Measure makes the profile of this machine.
func Measure(ctx context.Context, o Options) (simulated.Profile, error) {
	o.fill()
	p, err := simulated.BuiltIn("cloud-nvme-10gbe")
	if err != nil {
		return p, err
	}
	host, _ := os.Hostname()
	p.Name, p.Cores, p.OneMachine = simulated.ThisMachine, runtime.NumCPU(), true
	p.Description = fmt.Sprintf("%s, as odradek bench calibrate found it at %s.", host, bench.Now())
	p.Network.Handover = 0
	o.Progress("memory")
	if err := memory(&p.Broker); err != nil {
		return p, err
	}
	c := &p.Client
	c.Copy, c.Checksum, c.Compress, c.Decompress = p.Broker.Copy, p.Broker.Checksum, p.Broker.Compress, p.Broker.Decompress
	o.Progress("loopback")
	if err := loopback(&p.Network); err != nil {
		return p, fmt.Errorf("loopback: %w", err)
	}
	o.Progress("disk")
	if err := storage(o.Dir, &p.Disk); err != nil {
		return p, fmt.Errorf("disk: %w", err)
	}
	real := make([]measured, len(points))
	for i := range points {
		if real[i], err = o.drive(ctx, &points[i]); err != nil {
			return p, fmt.Errorf("load of %s: %w", points[i].name, err)
		}
	}
	return p, o.fit(&p, real)
}

// drive measures a point with a broker of its own for each repetition.
func (o *Options) drive(ctx context.Context, pt *point) (measured, error) {
	s, err := pt.scenario(o.Seconds)
	if err != nil {
		return measured{}, err
	}
	var server, client, ack []float64
	for i := range o.Repetitions {
		o.Progress(fmt.Sprintf("load of %s, %d/%d", pt.name, i+1, o.Repetitions))
		x, err := o.once(ctx, s, pt.rate)
		if err != nil {
			return measured{}, err
		}
		if !x.KeptUp(s.Groups()) {
			return measured{}, fmt.Errorf("%v of %v records/s: the machine is too busy, or too slow, to be calibrated", x.Throughput(), pt.rate)
		}
		server = append(server, x.Server.CPUSeconds/x.Seconds)
		client = append(client, x.Client.CPUSeconds/x.Seconds)
		ack = append(ack, float64(x.Ack.Quantile(0.5)))
	}
	// What is too much is somebody else's doing, for latency even the median.
	return measured{median(server), median(client), slices.Min(ack)}, nil
}

// once runs a scenario against new brokers.
func (o *Options) once(ctx context.Context, s *bench.Scenario, rate float64) (bench.Sample, error) {
	sys, err := target.Processes(target.Options{Brokers: s.Brokers, BrokerConfig: s.BrokerConfig, Dir: o.Dir, Binary: o.Binary})
	if err != nil {
		return bench.Sample{}, err
	}
	x, err := load.Run(ctx, sys, s, rate, load.Options{})
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w\n%s", err, target.Logs(sys))
	}
	if closed := sys.Close(); err == nil {
		err = closed
	}
	return x, err
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// fit scales the costs of a profile until its CPU times are those measured, and then the
// hand-overs until its latency is.
func (o *Options) fit(p *simulated.Profile, real []measured) error {
	o.Progress("fitting")
	const server, client = 0, 1
	var eq [2][][]float64 // of the sides: a row for each point
	var want [2][]float64
	for i := range points {
		// A profile in which a kind of cost is zero tells what the others come to.
		all, err := o.predict(*p, i)
		if err != nil {
			return err
		}
		noBytes, err := o.predict(without(*p, bytesOf), i)
		if err != nil {
			return err
		}
		noRecords, err := o.predict(without(*p, recordsOf), i)
		if err != nil {
			return err
		}
		// What was measured by itself, copies and checksums, is not scaled.
		fixed, err := o.predict(without(without(without(*p, eachOf), bytesOf), recordsOf), i)
		if err != nil {
			return err
		}
		bytes := [2]float64{all.server - noBytes.server, all.client - noBytes.client}
		records := all.client - noRecords.client
		eq[server] = append(eq[server], []float64{all.server - bytes[server] - fixed.server, bytes[server]})
		eq[client] = append(eq[client], []float64{all.client - bytes[client] - records - fixed.client, bytes[client], records})
		want[server] = append(want[server], beyond(real[i].server, fixed.server))
		want[client] = append(want[client], beyond(real[i].client, fixed.client))
	}
	for side, costs := range []*simulated.Costs{&p.Broker, &p.Client} {
		for i, f := range solve(eq[side], want[side]) {
			scale(costs, []kind{eachOf, bytesOf, recordsOf}[i], f)
		}
	}
	x, err := o.predict(*p, 0)
	if err != nil {
		return err
	}
	// A record and its acknowledgement pass two readers.
	p.Network.Handover = max(0, time.Duration(real[0].ack-x.ack)/2)
	return nil
}

// beyond is what was measured without what is known, of which noise may leave nothing.
func beyond(real, fixed float64) float64 { return max(real-fixed, real/20) }

// predict is a point in the simulation.
func (o *Options) predict(p simulated.Profile, i int) (measured, error) {
	s, err := points[i].scenario(min(o.Seconds, 1))
	if err != nil {
		return measured{}, err
	}
	p, err = p.Again()
	if err != nil {
		return measured{}, err
	}
	x, err := simulated.Run(s, points[i].rate, p, simulated.Options{Seed: 1})
	if err != nil {
		return measured{}, err
	}
	return measured{x.Server.CPUSeconds / x.Seconds, x.Client.CPUSeconds / x.Seconds, float64(x.Ack.Quantile(0.5))}, nil
}

// without is a profile in which some costs are zero.
func without(p simulated.Profile, k kind) simulated.Profile {
	for _, c := range []*simulated.Costs{&p.Broker, &p.Client} {
		scale(c, k, 0)
	}
	return p
}

// kind are costs that are scaled together.
type kind func(*simulated.Costs) []*time.Duration

// scale multiplies costs. It leaves those alone that other profiles share.
func scale(c *simulated.Costs, k kind, f float64) {
	times := func(d time.Duration) time.Duration { return time.Duration(math.Round(float64(d) * f)) }
	for _, d := range k(c) {
		if d == &c.Answer { // stands for all that is for each request
			requests := make(map[string]time.Duration, len(c.Requests))
			for name, d := range c.Requests {
				requests[name] = times(d)
			}
			c.Requests = requests
		}
		*d = times(*d)
	}
}

// eachOf are costs of requests, wake-ups and system calls.
func eachOf(c *simulated.Costs) []*time.Duration {
	return []*time.Duration{&c.Read.Each, &c.Write.Each, &c.Sendfile.Each, &c.FileOp.Each, &c.Wake, &c.Answer}
}

// bytesOf are costs of bytes that are not measured by themselves.
func bytesOf(c *simulated.Costs) []*time.Duration {
	return []*time.Duration{&c.Read.PerKB, &c.Write.PerKB, &c.Sendfile.PerKB, &c.FileOp.PerKB, &c.ProduceRecord.PerKB, &c.ConsumeRecord.PerKB}
}

func recordsOf(c *simulated.Costs) []*time.Duration {
	return []*time.Duration{&c.ProduceRecord.Each, &c.ConsumeRecord.Each}
}

// The bounds of a factor: beyond, it is the measurement that is wrong.
const leastFactor, mostFactor = 0.05, 20

// solve finds factors x for which the rows come to what is wanted, as nearly as they can
// by shares of it (a point is no more important because it takes more time).
func solve(rows [][]float64, want []float64) []float64 {
	n := len(rows[0])
	x := make([]float64, n)
	for i := range x {
		x[i] = 1
	}
	// Coordinate descent on a convex function of two or three variables.
	for range 2000 {
		for j := range x {
			var num, den float64
			for i, row := range rows {
				rest := want[i]
				for k, v := range row {
					if k != j {
						rest -= v * x[k]
					}
				}
				num += row[j] * rest / (want[i] * want[i])
				den += row[j] * row[j] / (want[i] * want[i])
			}
			if den > 0 {
				x[j] = min(max(num/den, leastFactor), mostFactor)
			}
		}
	}
	return x
}
