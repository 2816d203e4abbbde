package txn

// State of a transactional producer; doc.go lists the transitions.
type State uint8

const (
	Uninitialised State = iota
	Initialising
	Ready
	InTransaction
	Committing
	Aborting
	Abortable
	Fatal
)

func (s State) String() string {
	return [...]string{
		"uninitialised", "initialising", "ready", "in transaction", "committing", "aborting", "abortable", "fatal",
	}[s]
}
