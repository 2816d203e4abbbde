package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"odradek/bench/gate"
)

type benchGateFlags struct {
	baseline string
	update   bool
	asJSON   bool
	against  againstFlags
}

func benchGateCommand() *cobra.Command {
	var f benchGateFlags
	c := &cobra.Command{
		Use:   "gate",
		Short: "Find what a change has made slower",
		Long: `Run small scenarios in the simulation, where everything is exact, and compare what they
took (requests, round trips, flushes, bytes copied and sent, kernel events, virtual
latencies) with a baseline. One more of anything is a finding; so is one less, until
--update has written it down, lest the next change lose it again. A scenario that is
missing, or is not in the baseline, is one too.

With --against it is real disks instead: this build and another run a scenario by turns,
and are compared. Something that became worse by more than --fail-on, with a probability
of at most 0.05 that any of it is noise, is a finding.

Exit code 1 is a finding.`,
		Example: `  odradek bench gate
  odradek bench gate --update && git diff bench/gate/baseline.json
  odradek bench gate --against /tmp/odradek-main --scenario 1KiB`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.against.binary != "" {
				return benchAgainst(c, f)
			}
			for _, flag := range againstOnly {
				if c.Flags().Changed(flag) {
					return fmt.Errorf("--%s: is of --against, which is not asked for", flag)
				}
			}
			return benchGate(c, f)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.baseline, "baseline", "bench/gate/baseline.json", "file of what is expected")
	fl.BoolVar(&f.update, "update", false, "write the baseline anew, and tell what has changed")
	fl.BoolVar(&f.asJSON, "json", false, "one JSON object a line, for every difference")
	f.against.add(c)
	return c
}

func benchGate(c *cobra.Command, f benchGateFlags) error {
	before, err := gate.Read(f.baseline)
	if err != nil && !(f.update && errors.Is(err, os.ErrNotExist)) {
		return fmt.Errorf("%w; run it where the repository begins, or say --baseline; --update writes one", err)
	}
	run, err := gate.Simulated()
	if err != nil {
		return err
	}
	after, err := gate.Measure(gate.Scenarios(), run)
	if err != nil {
		return err
	}
	found := gate.Differences(before, after)
	if err := printDifferences(c, f, found); err != nil {
		return err
	}
	switch {
	case f.update:
		return after.Write(f.baseline)
	case len(found) > 0:
		return errFinding
	}
	return nil
}

func printDifferences(c *cobra.Command, f benchGateFlags, found []gate.Difference) error {
	if f.asJSON {
		for _, d := range found {
			if err := printJSON(c.OutOrStdout(), d); err != nil {
				return err
			}
		}
		return nil
	}
	if err := gate.Print(c.OutOrStdout(), found); err != nil {
		return err
	}
	if len(found) == 0 {
		fmt.Fprintf(c.OutOrStdout(), "nothing differs from %s\n", f.baseline)
	}
	if len(found) > 0 && !f.update {
		fmt.Fprintf(c.OutOrStdout(), "\n%s from %s; if they are meant, %s bench gate --update and say why in the commit\n",
			plural(len(found), "difference", "differences"), f.baseline, program())
	}
	return nil
}
