package replica

import (
	"fmt"
	"strings"

	"odradek/broker/wire"
)

// record is one record of the model's logs.
type record struct {
	epoch wire.LeaderEpoch
	value string
}

// testLog is a log in memory: records, and an epoch cache that is kept apart as on
// a real disk, so that it can be out of step with them.
type testLog struct {
	start   wire.Offset
	records []record
	epochs  []EpochEnd // End is the epoch's start offset here
}

func (l *testLog) end() wire.Offset { return l.start + wire.Offset(len(l.records)) }

func (l *testLog) append(r record) {
	l.assign(r.epoch, l.end())
	l.records = append(l.records, r)
}

func (l *testLog) assign(epoch wire.LeaderEpoch, start wire.Offset) {
	if l.LatestEpoch() < epoch {
		l.epochs = append(l.epochs, EpochEnd{epoch, start})
	}
}

func (l *testLog) LatestEpoch() wire.LeaderEpoch {
	if len(l.epochs) == 0 {
		return wire.NoLeaderEpoch
	}
	return l.epochs[len(l.epochs)-1].Epoch
}

func (l *testLog) EndOffsetForEpoch(epoch wire.LeaderEpoch) (wire.LeaderEpoch, wire.Offset) {
	floor := epoch
	for i, e := range l.epochs {
		if e.Epoch > epoch {
			return floor, e.End
		}
		floor = e.Epoch
		if i == len(l.epochs)-1 && e.Epoch == epoch {
			return floor, l.end()
		}
	}
	return wire.NoLeaderEpoch, wire.NoOffset
}

func (l *testLog) truncate(to wire.Offset) {
	if to < l.end() {
		l.records = l.records[:to-l.start]
	}
	for len(l.epochs) > 0 && l.epochs[len(l.epochs)-1].End >= to {
		l.epochs = l.epochs[:len(l.epochs)-1]
	}
}

func (l *testLog) restart(at wire.Offset) { *l = testLog{start: at} }

func (l *testLog) advanceStart(to wire.Offset) {
	for ; l.start < to; l.start++ {
		l.records = l.records[1:]
	}
	for len(l.epochs) > 1 && l.epochs[1].End <= to {
		l.epochs = l.epochs[1:]
	}
	if len(l.epochs) > 0 {
		l.epochs[0].End = max(l.epochs[0].End, to)
	}
}

func (l *testLog) at(o wire.Offset) record { return l.records[o-l.start] }

// String shows each record as value/epoch, from the log start.
func (l *testLog) String() string {
	var s []string
	for _, r := range l.records {
		s = append(s, fmt.Sprintf("%s/%d", r.value, r.epoch))
	}
	if l.start > 0 {
		return fmt.Sprintf("%d:[%s]", l.start, strings.Join(s, " "))
	}
	return "[" + strings.Join(s, " ") + "]"
}
