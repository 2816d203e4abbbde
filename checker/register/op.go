package register

import (
	"fmt"
	"math"
	"strings"

	"odradek/broker/wire"
)

// Kind is what an operation does with a register.
type Kind uint8

const (
	Read Kind = iota
	Write
	// Stale is a read that may see any value that was current before it returned.
	Stale
	// Maybe is a write that may have happened or not.
	Maybe
	// Grant gives out a producer id and epoch.
	Grant
)

// Op is one operation on a register. Call and Return are sequence numbers of events,
// distinct among all operations except for the open ends below.
type Op struct {
	Kind  Kind
	Value string // read or written
	// Of a Grant.
	ID    int64
	Epoch int16

	Who          string
	Call, Return int64
}

// Open ends of an operation's interval.
const (
	Always int64 = math.MinInt64 // called before everything
	Never  int64 = math.MaxInt64 // returns after everything
)

func (o Op) String() string {
	var what string
	switch o.Kind {
	case Read:
		what = "reads " + o.Value
	case Stale:
		what = "reads, perhaps late, " + o.Value
	case Write:
		what = "writes " + o.Value
	case Maybe:
		what = "perhaps writes " + o.Value
	case Grant:
		what = fmt.Sprintf("gets producer id %d, epoch %d", o.ID, o.Epoch)
	}
	from, to := "before", "open"
	if o.Call != Always {
		from = fmt.Sprint(o.Call)
	}
	if o.Return != Never {
		to = fmt.Sprint(o.Return)
	}
	return fmt.Sprintf("%s %s [%s, %s]", o.Who, what, from, to)
}

// Register is one register with what was done to it.
type Register struct {
	Name      string              // "orders-0 of group g", "config topic/orders/retention.ms"
	Partition wire.TopicPartition // of a committed offset, else zero
	// Initial is the value in the beginning, Anything if it is not known.
	Initial string
	Ops     []Op
}

// Anything is an initial value that the first reader tells.
const Anything = "?"

// None is the value of a register that nobody has written.
const None = "none"

// Verdict is the outcome of a check.
type Verdict struct {
	OK bool
	// Undecided: it is OK as far as the [Budget] went.
	Undecided bool
	// Reason is a sentence, and Ops the operations that cannot be put in any order: each
	// of them is needed for that, by their calls.
	Reason string
	Ops    []Op
	Seqs   []int64 // their events
}

// String is the counterexample, an operation a line.
func (v *Verdict) String() string {
	if v.OK {
		return "linearizable"
	}
	var b strings.Builder
	fmt.Fprintln(&b, v.Reason)
	for _, o := range v.Ops {
		fmt.Fprintf(&b, "  %v\n", o)
	}
	return b.String()
}
