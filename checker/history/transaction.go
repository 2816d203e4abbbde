package history

import (
	"fmt"
	"slices"
)

// transaction is what a history says about one transaction.
type transaction struct {
	op       int64 // of its begin
	process  string
	producer *Producer // nil if not told
	appends  []*appendOp
	offsets  []*offsetWrite
	ends     []*endOp
	read     []uint64 // values that were read inside it

	// told is the fate as the producer knows it, fate as the final logs know it besides.
	told, fate fate
	because    string // why told is what it is
	// shown and missing are the acknowledged appends that readers of committed records
	// get in the end, and those that they do not get.
	shown   []*appendOp
	missing []*appendOp
}

// fate is whether a transaction took place.
type fate uint8

const (
	undecided fate = iota
	committed
	aborted
)

// endOp is one call of commit or abort.
type endOp struct {
	invokeSeq, returnSeq int64 // returnSeq is never if it did not return
	commit               bool
	outcome              Outcome
}

func (t *transaction) String() string {
	if t.producer == nil || t.producer.TransactionalID == "" {
		return fmt.Sprintf("transaction %d", t.op)
	}
	return fmt.Sprintf("transaction %d of %s", t.op, t.producer.TransactionalID)
}

// resolve finds the fate. The producer's word comes first: a commit that was
// acknowledged is one, and without a commit that could have succeeded there is none
// (whoever aborts otherwise, the coordinator's time-out or a successor, cannot commit).
// What it does not know the final logs tell.
func (t *transaction) resolve(c *chronicle) {
	t.told, t.because = aborted, "nobody asked for a commit"
	for _, e := range t.ends {
		switch {
		case e.commit && e.outcome == OK:
			t.told, t.because = committed, "its commit was acknowledged"
		case t.told == committed:
		case !e.commit && e.outcome == OK:
			t.told, t.because = aborted, "its abort was acknowledged"
		case e.commit && e.outcome == Failed:
			if t.told == aborted {
				t.because = "its commit was refused"
			}
		case e.commit && t.told == aborted && t.because != "its abort was acknowledged":
			t.told, t.because = undecided, "nobody knows how its commit ended"
		}
	}
	skipped := false
	for _, a := range t.appends {
		s := c.byTP[a.tp].sightOf(a, c.g)
		switch {
		case s == visible:
			t.shown = append(t.shown, a)
		case s != unclear && a.outcome == OK: // without an acknowledgement it may be anywhere
			t.missing = append(t.missing, a)
		}
		skipped = skipped || s == hidden
	}
	t.fate = t.told
	switch {
	case t.fate != undecided:
	case len(t.shown) > 0:
		t.fate = committed
	case skipped:
		t.fate = aborted
	}
}

// asked is the event that first asked for a commit, never if there is none.
func (t *transaction) asked() int64 {
	for _, e := range t.ends { // as invoked
		if e.commit {
			return e.invokeSeq
		}
	}
	return never
}

// done is the event that first told that the transaction is committed, never if none
// did.
func (t *transaction) done() int64 {
	first := never
	for _, e := range t.ends {
		if e.commit && e.outcome == OK {
			first = min(first, e.returnSeq)
		}
	}
	return first
}

// seqs are the events of its begin and its ends.
func (t *transaction) seqs() []int64 {
	out := []int64{t.op}
	for _, e := range t.ends {
		out = append(out, e.invokeSeq)
		if e.returnSeq != never {
			out = append(out, e.returnSeq)
		}
	}
	return out
}

// Fates tells how each transaction of a history ended, by the operation of its begin: OK is
// committed, Failed aborted, Unknown that neither its producer nor the final logs tell.
func Fates(events []Event, g Guarantees) map[int64]Outcome {
	out := make(map[int64]Outcome)
	if !slices.ContainsFunc(events, func(e Event) bool { return e.Func == Begin }) {
		return out
	}
	for _, t := range collect(events, &g).txns {
		switch t.fate {
		case committed:
			out[t.op] = OK
		case aborted:
			out[t.op] = Failed
		default:
			out[t.op] = Unknown
		}
	}
	return out
}
