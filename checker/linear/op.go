package linear

import (
	"fmt"
	"math"

	"odradek/broker/wire"
)

// Op is one operation on a partition: an append of N records at Base or, if N is
// 0, a read of the end that saw Base. Call and Return are sequence numbers of
// events, distinct among all operations except for the open ends below.
type Op struct {
	Base         wire.Offset
	N            int
	Call, Return int64
}

// Open ends of an operation's interval.
const (
	Always int64 = math.MinInt64 // called before everything
	Never  int64 = math.MaxInt64 // returns after everything
)

func (o Op) isRead() bool { return o.N == 0 }

func (o Op) String() string {
	if o.isRead() {
		return fmt.Sprintf("read of end %d", o.Base)
	}
	return fmt.Sprintf("append of %d at %d", o.N, o.Base)
}

// Verdict is the outcome of a check.
type Verdict struct {
	OK     bool
	Reason string  // one sentence, if not OK
	Seqs   []int64 // offending events, if known
}

func illegal(ops []Op, format string, args ...any) Verdict {
	v := Verdict{Reason: fmt.Sprintf(format, args...)}
	for _, o := range ops {
		for _, s := range []int64{o.Call, o.Return} {
			if s != Always && s != Never {
				v.Seqs = append(v.Seqs, s)
			}
		}
	}
	return v
}
