package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"odradek/bench"
	"odradek/bench/calibrate"
	benchreport "odradek/bench/report"
	"odradek/bench/simulated"
)

type benchCalibrateFlags struct {
	out, profile string
	check        []string
	asJSON       bool
	options      calibrate.Options
}

func benchCalibrateCommand() *cobra.Command {
	var f benchCalibrateFlags
	c := &cobra.Command{
		Use:   "calibrate",
		Short: "Measure this machine, so that the simulation can predict it",
		Long: `Measure memory, loopback and disk, and the CPU time of a broker and a client under a few
loads, and write what things cost here as a profile, ` + simulated.ThisMachine + `, which simulated targets
can name from then on. Do it while nothing else runs.

With --check, run scenarios on this machine and in the simulation of it instead, and
print how far the predictions are off.`,
		Example: `  odradek bench calibrate
  odradek bench calibrate --dir /data --out big-disk.yaml
  odradek bench calibrate --check smoke,small-records`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return benchCalibrate(c, f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.out, "out", "", "file of the profile (default: in the user's directory of configs)")
	fl.StringVar(&f.options.Dir, "dir", "", "where to write data: the disk that is measured (default: the system's temporary directory)")
	fl.Float64Var(&f.options.Seconds, "seconds", 3, "how long each load is measured")
	fl.IntVar(&f.options.Repetitions, "repetitions", 3, "how often each load is measured; the median counts")
	fl.StringSliceVar(&f.check, "check", nil, "scenarios to compare with their predictions, by name or file")
	fl.StringVar(&f.profile, "profile", simulated.ThisMachine, "with --check: the profile that predicts, by name or file")
	fl.BoolVar(&f.asJSON, "json", false, "with --check: one JSON object a line")
	return c
}

func benchCalibrate(c *cobra.Command, f benchCalibrateFlags) error {
	if f.options.Seconds <= 0 || f.options.Repetitions < 1 {
		return errors.New("--seconds and --repetitions: want more than 0")
	}
	if len(f.check) > 0 && f.out != "" {
		return errors.New("--out: with --check no profile is made")
	}
	if len(f.check) == 0 && (f.asJSON || c.Flags().Changed("profile")) {
		return errors.New("--json and --profile: are of --check, which is not asked for")
	}
	ctx, stop := interruptible()
	defer stop()
	f.options.Progress = func(what string) { fmt.Fprintln(c.ErrOrStderr(), what) }
	if len(f.check) > 0 {
		return benchCheck(ctx, c, f)
	}
	p, err := calibrate.Measure(ctx, f.options)
	if err != nil {
		return err
	}
	text, err := p.Text()
	if err != nil {
		return err
	}
	if f.out == "" {
		if f.out, err = simulated.Calibrated(); err != nil {
			return fmt.Errorf("%w; say where with --out", err)
		}
		if err := os.MkdirAll(filepath.Dir(f.out), 0o777); err != nil {
			return err
		}
	}
	if err := os.WriteFile(f.out, text, 0o666); err != nil {
		return err
	}
	fmt.Fprintln(c.OutOrStdout(), f.out)
	return nil
}

// predictedMeasure is a line of the check.
type predictedMeasure struct {
	Scenario  string  `json:"scenario"`
	Rate      float64 `json:"rate"`
	Measure   string  `json:"measure"`
	Unit      string  `json:"unit"`
	Measured  float64 `json:"measured"`
	Predicted float64 `json:"predicted"`
	// Error as a share of what was measured.
	Error float64 `json:"error"`
}

func benchCheck(ctx context.Context, c *cobra.Command, f benchCalibrateFlags) error {
	p, err := simulated.Load(f.profile)
	if err != nil {
		return err
	}
	var list []bench.Scenario
	for _, name := range f.check {
		_, variants, err := loadScenario(name)
		if err != nil {
			return err
		}
		list = append(list, variants...)
	}
	predictions, err := calibrate.Check(ctx, list, p, f.options)
	if err != nil {
		return err
	}
	var lines []predictedMeasure
	for i := range predictions {
		x := &predictions[i]
		for _, key := range []string{"throughput", "ack_p50", "ack_p99", "end-to-end p99", "cpu_per_record"} {
			m := bench.MeasureCalled(key)
			off, ok := x.Error(m)
			if !ok {
				continue
			}
			real, _ := m.Of(&x.Measured)
			predicted, _ := m.Of(&x.Predicted)
			lines = append(lines, predictedMeasure{x.Title, x.Rate, m.Name, m.Unit, real, predicted, off})
		}
	}
	t := table[predictedMeasure]{columns: "SCENARIO\tRATE\tMEASURE\tMEASURED\tPREDICTED\tPREDICTED/MEASURED", row: func(l predictedMeasure) []any {
		return []any{l.Scenario, benchreport.Rate(l.Rate), l.Measure, benchreport.Quantity(l.Measured, l.Unit), benchreport.Quantity(l.Predicted, l.Unit), benchreport.Number(l.Error + 1)}
	}}
	return t.show(c, f.asJSON, lines, "nothing was measured")
}
