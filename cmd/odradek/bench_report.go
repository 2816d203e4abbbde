package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"odradek/bench"
	benchreport "odradek/bench/report"
)

// reportFormats are the forms in which a result is written.
var reportFormats = map[string]func(io.Writer, *bench.Result) error{
	"markdown": benchreport.Markdown,
	"csv":      benchreport.CSV,
	"go":       benchreport.GoBenchmark,
}

func benchReportCommand() *cobra.Command {
	var format string
	names := slices.Sorted(maps.Keys(reportFormats))
	c := &cobra.Command{
		Use:   "report RESULT.json",
		Short: "Print a result as tables, or for other programs",
		Long: `Print a result file:

  markdown  what ran, where, and what came of it: medians over repetitions with their
            spread, what it cost, and who was the limit
  csv       a line for every sample, units in the headers; what is not known is empty
  go        the Go benchmark format, for benchstat`,
		Example: `  odradek bench report acks.json
  odradek bench report acks.json --format csv > acks.csv`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			write, ok := reportFormats[format]
			if !ok {
				return fmt.Errorf("--format %q: want %s", format, strings.Join(names, ", "))
			}
			r, err := bench.ReadResult(args[0])
			if err != nil {
				return err
			}
			return write(c.OutOrStdout(), r)
		},
	}
	c.Flags().StringVar(&format, "format", "markdown", strings.Join(names, ", "))
	return c
}
