package linear

import (
	"fmt"

	"odradek/broker/wire"
)

// Window is how many operations Porcupine gets at a time by default: 2 MB.
const Window = 4096

// Check decides with both checkers, Porcupine in windows of the given number of
// operations. That they disagree is a bug of this package and panics.
func Check(ops []Op, start wire.Offset, window int) Verdict {
	sweep := Sweep(ops, start)
	search := windowed(ops, start, window)
	if sweep.OK != search {
		panic(fmt.Sprintf("linear: the sweep says %v (%s), Porcupine %v, of %d operations from %d", sweep.OK, sweep.Reason, search, len(ops), start))
	}
	return sweep
}

// windowed runs Porcupine on one window of offsets after the other. What comes
// later in the log must not return before something earlier was called; so that no
// such pair in different windows is missed, each window's calls are moved up to
// the latest call before it.
func windowed(ops []Op, start wire.Offset, window int) bool {
	order := inOrder(ops)
	end, latest := start, Always
	for len(order) > 0 {
		n := min(window, len(order))
		// Reads of one end are free among each other: keep them together.
		for n < len(order) && order[n].isRead() && order[n].Base == order[n-1].Base && order[n-1].isRead() {
			n++
		}
		piece := order[:n]
		order = order[n:]
		next := latest
		for i := range piece {
			o := &piece[i]
			next = max(next, o.Call)
			o.Call = max(o.Call, latest)
			if o.Return < o.Call {
				return false
			}
		}
		if !Porcupine(piece, end) {
			return false
		}
		for i := range piece {
			end += wire.Offset(piece[i].N)
		}
		latest = next
	}
	return true
}
