package register

import (
	"slices"

	"github.com/anishathalye/porcupine"
)

// state is what a register holds: a value or, of producer ids, the current one and those
// that were current before. It is comparable, so that Porcupine can tell states apart.
type state struct {
	value string
	id    int64
	epoch int16
	used  string // packed, sorted
}

// step is the sequential specification: the states in which an operation can leave a
// register.
func step(s state, o Op) []state {
	switch o.Kind {
	case Read:
		if s.value == o.Value || s.value == Anything {
			return []state{{value: o.Value}}
		}
		return nil
	case Write:
		return []state{{value: o.Value}}
	case Maybe:
		return []state{s, {value: o.Value}}
	}
	next, legal := s.grant(o)
	if !legal {
		return nil
	}
	return []state{next}
}

// grant is legal if the epoch grows, or the producer id is new. (The producer that has
// the epoch may be told it again.)
func (s state) grant(o Op) (state, bool) {
	switch {
	case o.Epoch < 0 || o.ID < 0:
		return s, false
	case s.used != "" && o.ID == s.id:
		ok := o.Epoch > s.epoch || o.Epoch == s.epoch && o.Who == s.value
		return state{o.Who, o.ID, o.Epoch, s.used}, ok
	}
	ids := unpack(s.used)
	i, known := slices.BinarySearch(ids, o.ID)
	return state{o.Who, o.ID, o.Epoch, pack(slices.Insert(ids, i, o.ID))}, !known
}

// pack makes ids comparable.
func pack(ids []int64) string {
	b := make([]byte, 0, 8*len(ids))
	for _, id := range ids {
		for shift := 56; shift >= 0; shift -= 8 {
			b = append(b, byte(id>>shift))
		}
	}
	return string(b)
}

func unpack(s string) []int64 {
	var ids []int64
	for ; len(s) >= 8; s = s[8:] {
		var id int64
		for i := range 8 {
			id = id<<8 | int64(s[i])
		}
		ids = append(ids, id)
	}
	return ids
}

// Budget is how many steps of the model the check of one register may take, and the
// making of a counterexample again. Whether a history is linearizable is a hard question:
// where many operations were under way together, only some orders can be tried.
const Budget = 50_000

// search decides by Porcupine. It spends the budget; once that is gone, whatever is left is
// taken for legal.
func search(ops []Op, initial state, budget *int) bool {
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{initial} },
		Step: func(s, input, _ any) []any {
			if *budget <= 0 {
				return []any{state{value: Anything}}
			}
			*budget--
			var out []any
			for _, next := range step(s.(state), input.(Op)) {
				out = append(out, next)
			}
			return out
		},
	}
	history := make([]porcupine.Operation, len(ops))
	for i, o := range ops {
		history[i] = porcupine.Operation{Input: o, Call: o.Call, Return: o.Return}
	}
	return porcupine.CheckOperations(model.ToModel(), history)
}
