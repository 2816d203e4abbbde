// Command reference prints what the machine gives a log, whoever writes it:
//
//	go run ./bench/reference/cmd/reference [-frames 16384,131072,1048576] [-duration 2s] [-reps 3]
//
// Servers are processes of their own: this program again, with other arguments. Each
// repetition goes through all measurements; the medians are printed, with the lowest and
// the highest throughput.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"odradek/bench"
	"odradek/bench/reference"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(2)
	}
}

func run(args []string) error {
	if len(args) > 0 && args[0] == "server" {
		return reference.Main(args[1:])
	}
	flags := flag.NewFlagSet("reference", flag.ContinueOnError)
	frames := flags.String("frames", "16384,131072,1048576", "bytes of a frame, separated by commas")
	duration := flags.Duration("duration", 2*time.Second, "how long each is measured")
	reps := flags.Int("reps", 3, "repetitions")
	dir := flags.String("dir", "", "where logs go (default: the system's temporary directory)")
	only := flags.String("only", "", "measurements whose name contains this")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	list, err := measurements(*frames, *duration, *dir, []string{binary, "server"})
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(m *measurement) bool { return !strings.Contains(m.name, *only) })
	for range *reps {
		for _, m := range list {
			s, err := m.measure(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			m.samples = append(m.samples, s)
		}
	}
	return report(list)
}

type measurement struct {
	name    string
	measure func(context.Context) (bench.Sample, error)
	samples []bench.Sample
}

func measurements(frames string, duration time.Duration, dir string, program []string) ([]*measurement, error) {
	var list []*measurement
	add := func(name string, measure func(context.Context) (bench.Sample, error)) {
		list = append(list, &measurement{name: name, measure: measure})
	}
	for _, text := range strings.Split(frames, ",") {
		size, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("-frames: %w", err)
		}
		base := reference.Config{Frame: size, Warmup: duration / 4, Duration: duration, Dir: dir, Program: program}
		for _, v := range []struct {
			name string
			set  func(*reference.Config)
		}{
			{"produce", func(*reference.Config) {}},
			{"produce and consume", func(c *reference.Config) { c.Readers = 1 }},
			{"catch-up read", func(c *reference.Config) { c.Readers, c.Backlog = 1, 1<<30 }},
			{"produce", func(c *reference.Config) { c.Sync = true }},
			{"produce", func(c *reference.Config) { c.Followers = 2 }},
			{"produce and consume, 50 MB/s", func(c *reference.Config) { c.Readers, c.Rate = 1, 50e6/float64(size) }},
			{"produce and consume, 50 MB/s", func(c *reference.Config) { c.Readers, c.Sync, c.Rate = 1, true, 50e6/float64(size) }},
		} {
			c := base
			v.set(&c)
			add(c.Info().Name+": "+v.name, func(ctx context.Context) (bench.Sample, error) { return reference.Measure(ctx, c) })
		}
	}
	for _, consume := range []bool{false, true} {
		c := reference.CeilingConfig{Record: 1024, Consume: consume, Warmup: duration / 4, Duration: duration, Program: program}
		add(c.Info().Name, func(ctx context.Context) (bench.Sample, error) { return reference.MeasureCeiling(ctx, c) })
	}
	return list, nil
}

func report(list []*measurement) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tMB/s\t\tserver s/GB\tclient s/GB\tack p50\tp99\tend-to-end p50\tp99\t")
	for _, m := range list {
		var ack, end bench.Histogram
		for i := range m.samples {
			ack.Merge(m.samples[i].Ack)
			end.Merge(m.samples[i].EndToEnd)
		}
		rates := sorted(m, (*bench.Sample).MBps)
		perGB := func(of func(*bench.Sample) float64) float64 {
			return median(sorted(m, func(s *bench.Sample) float64 { return of(s) / (float64(s.Bytes) / 1e9) }))
		}
		fmt.Fprintf(t, "%s\t%.0f\t(%.0f-%.0f)\t%.2f\t%.2f\t%s\t%s\t%s\t%s\t\n", m.name, median(rates), rates[0], rates[len(rates)-1],
			perGB(func(s *bench.Sample) float64 { return s.Server.CPUSeconds }),
			perGB(func(s *bench.Sample) float64 { return s.Client.CPUSeconds }),
			latency(ack, 0.5), latency(ack, 0.99), latency(end, 0.5), latency(end, 0.99))
	}
	return t.Flush()
}

func sorted(m *measurement, of func(*bench.Sample) float64) []float64 {
	var list []float64
	for i := range m.samples {
		list = append(list, of(&m.samples[i]))
	}
	slices.Sort(list)
	return list
}

func median(sorted []float64) float64 {
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func latency(h bench.Histogram, q float64) string {
	if h.Count() == 0 {
		return ""
	}
	return time.Duration(h.Quantile(q)).Round(time.Microsecond).String()
}
