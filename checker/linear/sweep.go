package linear

import (
	"cmp"
	"slices"

	"odradek/broker/wire"
)

// Sweep decides in O(n log n). Offsets leave no choice: appends happen in the
// order of their bases, without gap or overlap, and a read of end L between the
// append that ends at L and the one that begins there. Such an order has instants
// in all the intervals if and only if no operation returns before one that comes
// earlier in the order is called; reads of the same end are free among each other.
func Sweep(ops []Op, start wire.Offset) Verdict {
	order := inOrder(ops)
	end := start
	var latest *Op  // called last among those strictly earlier in the order
	var reading *Op // called last among the reads of the current end
	for i := range order {
		o := &order[i]
		if o.Base != end {
			return illegal([]Op{*o}, "%v when the end was %d", *o, end)
		}
		if !o.isRead() && reading != nil {
			latest, reading = later(latest, reading), nil
		}
		if latest != nil && o.Return < latest.Call {
			return illegal([]Op{*latest, *o}, "%v returned before %v was called, which must come first", *o, *latest)
		}
		if o.isRead() {
			reading = later(reading, o)
			continue
		}
		latest = later(latest, o)
		end += wire.Offset(o.N)
	}
	return Verdict{OK: true}
}

// inOrder sorts by offset, reads before the append that starts there.
func inOrder(ops []Op) []Op {
	order := slices.Clone(ops)
	slices.SortFunc(order, func(a, b Op) int {
		return cmp.Or(cmp.Compare(a.Base, b.Base), cmp.Compare(a.N, b.N), cmp.Compare(a.Call, b.Call), cmp.Compare(a.Return, b.Return))
	})
	return order
}

func later(a, b *Op) *Op {
	if a == nil || b.Call > a.Call {
		return b
	}
	return a
}
