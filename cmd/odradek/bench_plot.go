package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"odradek/bench"
	"odradek/reports"
)

type benchPlotFlags struct {
	out     string
	formats []string
	kinds   []string
}

func benchPlotCommand() *cobra.Command {
	var f benchPlotFlags
	var names []string
	for _, k := range reports.Kinds() {
		names = append(names, string(k))
	}
	c := &cobra.Command{
		Use:   "plot RESULT...",
		Short: "Draw what was measured",
		Long: `Draw all figures that result files allow, and print the names of the files made.
Results of the same scenario and machine are drawn together: those of the same target
and version count as more repetitions.

  latency     throughput against p50, p99 and p99.9, of two rates or more
  prediction  what the simulation foretold beside what was measured
  cdf         the whole distribution of latencies, to five nines
  cost        throughput, latency and processor time of the variants
  timeline    latency and throughput over the time of a run, with faults
  failover    how long nothing was acknowledged after a leader was killed`,
		Example: `  odradek bench plot result.json
  odradek bench plot odradek.json kafka.json --kind latency,cdf --format svg --out docs/img`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return benchPlot(args, f, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&f.out, "out", ".", "directory for the figures")
	c.Flags().StringSliceVar(&f.formats, "format", reports.Formats, "formats of the figures: "+strings.Join(reports.Formats, ", "))
	c.Flags().StringSliceVar(&f.kinds, "kind", nil, "kinds of figures: "+strings.Join(names, ", ")+"; all that the results allow if none is given")
	return c
}

func benchPlot(files []string, f benchPlotFlags, out, diagnostics io.Writer) error {
	for _, format := range f.formats {
		if !slices.Contains(reports.Formats, format) {
			return fmt.Errorf("--format %s: want one of %s", format, strings.Join(reports.Formats, ", "))
		}
	}
	var results []bench.Result
	for _, file := range files {
		r, err := bench.ReadResult(file)
		if err != nil {
			return err
		}
		results = append(results, *r)
	}
	var kinds []reports.Kind
	for _, k := range f.kinds {
		kinds = append(kinds, reports.Kind(k))
	}
	figures, missing, err := reports.Figures(results, kinds...)
	if err != nil {
		return err
	}
	for i := range figures {
		made, err := figures[i].Save(f.out, f.formats...)
		for _, file := range made {
			fmt.Fprintln(out, file)
		}
		if err != nil {
			return err
		}
	}
	// Whoever asked for a kind wants to know why it is not there; of the others most
	// results have only some.
	if len(kinds) > 0 {
		for _, m := range missing {
			fmt.Fprintf(diagnostics, "no %s of %s: %s\n", m.Kind, m.Scenario, m.Why)
		}
	}
	return nil
}
