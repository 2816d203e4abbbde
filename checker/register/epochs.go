package register

import "odradek/checker/history"

// Epochs makes a register of each transactional id, which hands out producer ids and
// epochs, unless the guarantees allow that the coordinators of transactions lose
// something. Initialisations of unknown outcome leave gaps, which are legal.
func Epochs(events []history.Event, g history.Guarantees) []Register {
	if g.MayLose(history.TransactionsTopic) {
		return nil
	}
	of := make(map[string]*Register)
	for i := range events {
		e := &events[i]
		if e.Func != history.InitProducer || e.Phase != history.Return || e.Outcome != history.OK || e.Producer == nil || e.Producer.TransactionalID == "" {
			continue
		}
		id := e.Producer.TransactionalID
		if of[id] == nil {
			of[id] = &Register{Name: "the producer epoch of " + id, Initial: None}
		}
		of[id].Ops = append(of[id].Ops, Op{Kind: Grant, ID: e.Producer.ID, Epoch: e.Producer.Epoch, Who: e.Process, Call: e.Op, Return: e.Seq})
	}
	return sorted(of)
}

// CheckHistory checks all registers of a history and returns those verdicts that are not
// OK, and how many operations were judged: those of registers that stay undecided are not.
func CheckHistory(events []history.Event, g history.Guarantees) (failed []Failure, ops int) {
	registers := append(Offsets(events, g), Configs(events)...)
	registers = append(registers, Epochs(events, g)...)
	for i := range registers {
		r := &registers[i]
		v := Check(r)
		if !v.OK {
			failed = append(failed, Failure{r, v})
		}
		if !v.Undecided {
			ops += len(r.Ops)
		}
	}
	return failed, ops
}

// Failure is a register that is not linearizable.
type Failure struct {
	Register *Register
	Verdict  Verdict
}
