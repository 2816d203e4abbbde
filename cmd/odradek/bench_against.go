package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"odradek/bench"
	"odradek/bench/gate"
	"odradek/bench/session"
	"odradek/bench/target"
)

// againstFlags are those of bench gate that are of real disks.
type againstFlags struct {
	binary      string
	scenario    string
	repetitions int
	failOn      []string
	out         string
}

func (f *againstFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.binary, "against", "", "run this build of odradek and another, given here, on real disks instead")
	fl.StringVar(&f.scenario, "scenario", "smoke", "what --against runs: SCENARIO or FILE")
	fl.IntVar(&f.repetitions, "repetitions", 10, "how often --against runs it")
	fl.StringArrayVar(&f.failOn, "fail-on", []string{"5%"}, "by how much --against lets things become worse: `[MEASURE=]PERCENT` (may be repeated)")
	fl.StringVar(&f.out, "out", "", "file for the result of --against, with both builds")
}

// againstOnly are flags that mean nothing to the gate of the simulation.
var againstOnly = []string{"scenario", "repetitions", "fail-on", "out"}

// benchAgainst judges this build by another, on this machine's disk.
func benchAgainst(c *cobra.Command, f benchGateFlags) error {
	if f.update || c.Flags().Changed("baseline") {
		return fmt.Errorf("--update and --baseline: there is no baseline with --against")
	}
	thresholds, err := parseThresholds(f.against.failOn)
	if err != nil {
		return err
	}
	text, variants, err := loadScenario(f.against.scenario)
	if err != nil {
		return err
	}
	for i := range variants {
		variants[i].Repetitions = f.against.repetitions
		if err := variants[i].Validate(); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	run := func(ctx context.Context, list []bench.Scenario) (*bench.Result, error) {
		plan := session.Plan{
			Text: text, Variants: list, Command: "bench gate --against " + f.against.binary, Path: f.against.out,
			Targets: []session.Target{build(gate.Before, f.against.binary), build(gate.After, self)},
		}
		clear := benchProgress(&plan, c.ErrOrStderr())
		defer clear()
		return session.Run(ctx, plan)
	}
	ctx, stop := interruptible()
	defer stop()
	j, err := gate.Against(ctx, run, variants, thresholds)
	if err != nil {
		return err
	}
	if f.asJSON {
		err = printJSON(c.OutOrStdout(), j)
	} else {
		err = j.Print(c.OutOrStdout())
	}
	if err == nil && j.Findings() > 0 {
		return errFinding
	}
	return err
}

// build is a target of processes of a binary.
func build(name, binary string) session.System {
	return func(s *bench.Scenario) (target.System, error) {
		return target.Processes(target.Options{Brokers: s.Brokers, BrokerConfig: s.BrokerConfig, Binary: binary, Name: name})
	}
}
