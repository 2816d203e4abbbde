package register

import "odradek/checker/history"

// Report is what is known of the registers of a history.
type Report struct {
	Failed []Failure
	// Ops is how many operations were judged: those of registers that stay undecided are not.
	Ops int
	// Searches is how many registers were looked at, and Undecided how many of them stay
	// so, because the [Budget] did not suffice.
	Searches, Undecided int
}

// Failure is a register that is not linearizable.
type Failure struct {
	Register *Register
	Verdict  Verdict
}

// CheckHistory checks all registers of a history.
func CheckHistory(events []history.Event, g history.Guarantees) Report {
	registers := append(Offsets(events, g), Configs(events)...)
	registers = append(registers, Epochs(events, g)...)
	var report Report
	for i := range registers {
		r := &registers[i]
		if len(r.Ops) == 0 {
			continue
		}
		v := Check(r)
		report.Searches++
		if v.Undecided {
			report.Undecided++
		} else {
			report.Ops += len(r.Ops)
		}
		if !v.OK {
			report.Failed = append(report.Failed, Failure{r, v})
		}
	}
	return report
}

// Inconclusive reports whether most searches were given up, so that finding nothing means
// little.
func (r *Report) Inconclusive() bool { return 2*r.Undecided > r.Searches }
