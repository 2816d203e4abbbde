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
