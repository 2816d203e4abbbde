package txn

import (
	"time"

	"odradek/broker/coordinator"
)

func ms[T ~int32 | ~int64](v T) int64 { return int64(v) * int64(time.Millisecond) }

// abortTimedOut aborts the transactions that took longer than their producer asked for, and
// fences it: it may be dead, or about to go on.
func (t *turn) abortTimedOut() {
	for _, id := range t.m.ids() {
		s := t.m.soft[id]
		if s == nil || s.timesOut == 0 || s.timesOut > t.at.Now {
			continue
		}
		x := t.get(id)
		check(x.state == Ongoing, "%v has a time-out", x)
		t.rareEvent("transaction-timed-out", x)
		t.abort(x)
	}
}

// expire forgets the transactional ids that were not used for transactional.id.expiration.ms
// and are in no transaction.
func (t *turn) expire() {
	var forgotten []coordinator.Record
	for _, id := range t.m.ids() {
		x := t.get(id)
		if !x.state.idle() || t.at.Wall-x.updated < int64(t.m.cfg.Broker.TxnIDExpirationMs) {
			continue
		}
		check(Dead.mayFollow(x.state, x.version), "%v expires", x)
		t.rareEvent("transactional-id-expired", x)
		forgotten = append(forgotten, tombstone(id))
	}
	t.out.AppendSplit(coordinator.BatchLimit(t.m.cfg.Broker), forgotten)
}
