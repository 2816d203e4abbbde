package linear

import (
	"github.com/anishathalye/porcupine"

	"odradek/broker/wire"
)

// Model is the sequential specification. Inputs are Ops, the state is the end.
func model(start wire.Offset) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return start },
		Step: func(state, input, _ any) (bool, any) {
			end, o := state.(wire.Offset), input.(Op)
			return o.Base == end, end + wire.Offset(o.N)
		},
	}
}

// Porcupine decides by search, without limit of time. Its memory grows with the
// square of the number of operations (n*n/8 bytes).
func Porcupine(ops []Op, start wire.Offset) bool {
	history := make([]porcupine.Operation, len(ops))
	for i, o := range ops {
		history[i] = porcupine.Operation{Input: o, Call: o.Call, Return: o.Return}
	}
	return porcupine.CheckOperations(model(start), history)
}
