package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"odradek/bench"
	"odradek/bench/scenarios"
)

func benchCommand() *cobra.Command {
	return family(&cobra.Command{
		Use:   "bench",
		Short: "Measure brokers, predict them in the simulation, compare and plot",
		Long: `Run scenarios, which are files in the field names of the OpenMessaging Benchmark,
against brokers on this machine or elsewhere, and keep what was measured in result files.

Records are due at fixed times, whatever the system does, and latencies count from
then: a system that stalls is asked no less while it does.`,
	}, benchListCommand(), benchShowCommand(), benchRunCommand(), benchSweepCommand(), benchCalibrateCommand(), benchReportCommand(), benchCompareCommand(), benchPlotCommand(), benchGateCommand(), benchReferenceCommand())
}

func benchListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the scenarios that are shipped",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var list []shippedScenario
			for _, name := range scenarios.Names() {
				_, variants, err := loadScenario(name)
				if err != nil {
					return err
				}
				s := shippedScenario{Name: name, Description: variants[0].Description, Variants: []string{}}
				for _, v := range variants {
					if v.Variant != "" {
						s.Variants = append(s.Variants, v.Variant)
					}
				}
				list = append(list, s)
			}
			t := table[shippedScenario]{columns: "SCENARIO\tVARIANTS\tDESCRIPTION", row: func(s shippedScenario) []any {
				return []any{s.Name, orDash(strings.Join(s.Variants, ",")), s.Description}
			}}
			return t.show(c, asJSON, list, "there are no scenarios")
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return c
}

// shippedScenario is a line of bench list.
type shippedScenario struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Variants    []string `json:"variants"`
}

func benchShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show SCENARIO",
		Short: "Print the file of a scenario, to copy and change",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := scenarios.Text(args[0])
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.OutOrStdout(), string(text))
			return err
		},
	}
}

// loadScenario reads a scenario by its name or from a file, as it is and parsed into its
// variants.
func loadScenario(nameOrFile string) (text []byte, variants []bench.Scenario, err error) {
	if strings.ContainsAny(nameOrFile, "./") {
		text, err = os.ReadFile(nameOrFile)
	} else {
		text, err = scenarios.Text(nameOrFile)
	}
	if err != nil {
		return nil, nil, err
	}
	if variants, err = bench.Parse(text); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", nameOrFile, err)
	}
	return text, variants, nil
}
