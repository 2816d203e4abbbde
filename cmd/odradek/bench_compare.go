package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"odradek/bench"
	"odradek/bench/compare"
)

type benchCompareFlags struct {
	force  bool
	alpha  float64
	asJSON bool
	failOn []string
}

func benchCompareCommand() *cobra.Command {
	var f benchCompareFlags
	c := &cobra.Command{
		Use:   "compare BEFORE.json AFTER.json",
		Short: "Say what changed between two results",
		Long: `Compare two results of one scenario: for every target, variant and rate the throughput,
latencies, CPU time and memory, as medians over repetitions. "~" is where the difference
may as well be noise (Mann-Whitney U test, as benchstat does); simulations are exact.
Results with one target each are compared whatever their targets are called.

Exit code 1 is only with --fail-on: something became worse, beyond doubt and by more than
was allowed, more records were lost, duplicated or failed, or something has not run.`,
		Example: `  odradek bench compare before.json after.json
  odradek bench compare before.json after.json --fail-on 10% --fail-on ack_p99=5%`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error { return benchCompare(c, f, args[0], args[1]) },
	}
	fl := c.Flags()
	fl.BoolVar(&f.force, "force", false, "compare results of different scenarios")
	fl.Float64Var(&f.alpha, "alpha", 0.05, "how probable a difference found in noise may be, for each comparison")
	fl.BoolVar(&f.asJSON, "json", false, "print one JSON object")
	fl.StringArrayVar(&f.failOn, "fail-on", nil, "exit with 1 if something became worse by more than `[MEASURE=]PERCENT` (may be repeated)")
	return c
}

func benchCompare(c *cobra.Command, f benchCompareFlags, before, after string) error {
	if f.alpha <= 0 || f.alpha >= 1 {
		return fmt.Errorf("--alpha %v: want more than 0 and less than 1", f.alpha)
	}
	thresholds, err := parseThresholds(f.failOn)
	if err != nil {
		return err
	}
	b, err := bench.ReadResult(before)
	if err != nil {
		return err
	}
	a, err := bench.ReadResult(after)
	if err != nil {
		return err
	}
	result, err := compare.Compare(b, a, compare.Options{Force: f.force, Alpha: f.alpha})
	if errors.Is(err, compare.ErrScenarios) {
		return fmt.Errorf("%w; --force compares them all the same", err)
	}
	if err != nil {
		return err
	}
	if unknown := result.Unknown(thresholds); len(unknown) > 0 {
		return fmt.Errorf("--fail-on: no measure %s is in both results", strings.Join(unknown, ", "))
	}
	if len(thresholds) > 0 {
		if err := result.Blind(); err != nil {
			return fmt.Errorf("--fail-on: %w", err)
		}
	}
	if f.asJSON {
		err = printJSON(c.OutOrStdout(), result)
	} else {
		err = result.Print(c.OutOrStdout())
	}
	if err != nil || len(thresholds) == 0 {
		return err
	}
	beyond := result.Beyond(thresholds)
	if !f.asJSON {
		fmt.Fprintln(c.OutOrStdout())
		if err := compare.PrintBeyond(c.OutOrStdout(), beyond); err != nil {
			return err
		}
	}
	if len(beyond)+len(result.Harm)+len(result.Missing) > 0 {
		return errFinding
	}
	return nil
}

func parseThresholds(texts []string) ([]compare.Threshold, error) {
	var list []compare.Threshold
	for _, text := range texts {
		t, err := compare.ParseThreshold(text)
		if err != nil {
			return nil, fmt.Errorf("--fail-on %w", err)
		}
		list = append(list, t)
	}
	return list, nil
}
