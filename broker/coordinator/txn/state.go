package txn

// State is where a transaction stands, numbered as in the records. The legal transitions:
//
//	none, Empty, Complete*         -> Empty           InitProducerId
//	Empty, Ongoing, Complete*      -> Ongoing         AddPartitionsToTxn, AddOffsetsToTxn
//	Ongoing                        -> PrepareCommit   EndTxn
//	Ongoing                        -> PrepareAbort    EndTxn, InitProducerId, the time-out
//	Empty, Complete*               -> PrepareAbort    EndTxn from version 5 on, of nothing
//	PrepareCommit                  -> CompleteCommit  every partition has its marker
//	PrepareAbort                   -> CompleteAbort   every partition has its marker
//	Empty, Complete*               -> Dead            idle for transactional.id.expiration.ms
//
// Dead is a tombstone: the transactional id is unknown again. Kafka's PrepareEpochFence,
// which only ever was in memory, to remember that an append was under way that fences a
// producer, does not occur.
type State int8

// The states.
const (
	Empty State = iota
	Ongoing
	PrepareCommit
	PrepareAbort
	CompleteCommit
	CompleteAbort
	Dead
	prepareEpochFence
)

var stateNames = [...]string{
	"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence",
}

// String is the state's name in Kafka's answers.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "Unknown"
	}
	return stateNames[s]
}

// stateNamed is the state with a name, as ListTransactions filters by it.
func stateNamed(name string) (State, bool) {
	for s, n := range stateNames {
		if n == name {
			return State(s), true
		}
	}
	return 0, false
}

// outcome is the states of a transaction that is committed, or aborted.
func outcome(commit bool) (prepare, complete State) {
	if commit {
		return PrepareCommit, CompleteCommit
	}
	return PrepareAbort, CompleteAbort
}

// prepared reports whether the outcome is decided, and markers are being written.
func (s State) prepared() bool { return s == PrepareCommit || s == PrepareAbort }

// idle reports whether there is no transaction.
func (s State) idle() bool { return s == Empty || s == CompleteCommit || s == CompleteAbort }

// mayFollow reports whether a transition is legal in a protocol version.
func (s State) mayFollow(from State, version int16) bool {
	switch s {
	case Empty, Dead:
		return from.idle()
	case Ongoing:
		return from.idle() || from == Ongoing
	case PrepareCommit:
		return from == Ongoing
	case PrepareAbort:
		return from == Ongoing || version >= 2 && from.idle()
	case CompleteCommit:
		return from == PrepareCommit
	case CompleteAbort:
		return from == PrepareAbort
	}
	return false
}
