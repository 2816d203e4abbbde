package compare

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"odradek/bench/report"
)

// Print writes a table for every target, variant and rate: medians, the ratio of them, and
// "~" where the difference may as well be noise.
func (c *Comparison) Print(w io.Writer) error {
	for _, note := range c.Notes {
		fmt.Fprintf(w, "note: %s\n", note)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	run := ""
	var why []string
	for i := range c.Changes {
		x := &c.Changes[i]
		if name := report.RunName(x.Target, x.Variant, x.Rate); name != run {
			run = name
			fmt.Fprintf(t, "\n%s\n  MEASURE\tBEFORE\tAFTER\tCHANGE\tRATIO\t\n", run)
		}
		ratio := "-"
		if x.Ratio != 0 {
			ratio = fmt.Sprintf("%.3f", x.Ratio)
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\n", x.Measure, x.Before.text(x.Unit), x.After.text(x.Unit), x.delta(), ratio, x.evidence())
		if x.Note != "" && !slices.Contains(why, x.Note) {
			why = append(why, x.Note)
		}
	}
	for _, name := range c.Missing {
		fmt.Fprintf(t, "\n%s: missing after\n", name)
	}
	for _, name := range c.New {
		fmt.Fprintf(t, "\n%s: missing before\n", name)
	}
	for _, harm := range c.Harm {
		fmt.Fprintf(t, "\nworse: %s\n", harm)
	}
	for _, note := range why {
		fmt.Fprintf(t, "\n~ because: %s\n", note)
	}
	return t.Flush()
}

// delta is the change in percent, if there is one beyond doubt.
func (c *Change) delta() string {
	switch {
	case c.Verdict == Unclear || c.Verdict == Same:
		return c.Verdict
	case c.Before.Median == 0:
		return c.Verdict
	}
	return fmt.Sprintf("%+.2f%% %s", (c.Ratio-1)*100, c.Verdict)
}

// evidence is what the verdict rests on.
func (c *Change) evidence() string {
	n := fmt.Sprintf("n=%d", c.Before.N)
	if c.Before.N != c.After.N {
		n = fmt.Sprintf("n=%d+%d", c.Before.N, c.After.N)
	}
	if c.P == 0 {
		return "exact " + n
	}
	return fmt.Sprintf("p=%.3f %s", c.P, n)
}

// text is the median, and how far the repetitions are from it.
func (s *Side) text(unit string) string {
	text := report.Quantity(s.Median, unit)
	if s.Median != 0 && s.Lowest != s.Highest {
		text += fmt.Sprintf(" ±%.0f%%", 100*max(s.Highest/s.Median-1, 1-s.Lowest/s.Median))
	}
	return text
}

// PrintBeyond tells what is worse than a threshold allows, a line each.
func PrintBeyond(w io.Writer, found []Change) error {
	for i := range found {
		x := &found[i]
		_, err := fmt.Fprintf(w, "worse: %s, %s: %s -> %s (%s)\n", report.RunName(x.Target, x.Variant, x.Rate), x.Measure,
			x.Before.text(x.Unit), x.After.text(x.Unit), x.delta())
		if err != nil {
			return err
		}
	}
	return nil
}
