package history

import (
	"fmt"
	"slices"

	"odradek/broker/wire"
)

// Guarantees is what the run's configuration and fault plan promise. What depends
// on the single append (acks, idempotence, requests in flight) is in its event.
type Guarantees struct {
	// Unclean: unclean leader election is on, so committed records may be lost
	// (rule 8).
	Unclean bool
	// Retention: records may be deleted from the front of a log.
	Retention bool
	// Compaction: records may be removed anywhere (rule 19): of keyed ones those that a
	// later record of their key replaces. In all topics, or in those of Compacted.
	Compaction bool
	Compacted  []string
	// DeleteRetention is how long a compacted log keeps a tombstone at least
	// (delete.retention.ms), in nanoseconds; 0 promises nothing.
	DeleteRetention int64
	// Forgetful: committed offsets may expire, and groups and their offsets may be
	// deleted and begin anew.
	Forgetful bool
	// AtMostOnce are the groups whose members commit before they process.
	AtMostOnce []string
	// Pipelines are the jobs that consume, transform and produce.
	Pipelines []Pipeline
	// Excuses are the losses that the fault plan explains.
	Excuses []Excuse
}

// Pipeline is a job whose members read the Inputs as a group, and for each record write
// one to Output, with Event.Input set. The inputs hold no transactions but those of other
// pipelines and producers that end.
type Pipeline struct {
	Group  string
	Inputs []string // topics
	Output string   // topic
	// AtLeastOnce: offsets are not committed in the transaction that writes the output,
	// so that there may be several copies (rule 17).
	AtLeastOnce bool
}

// Rules by which a fault excuses a loss; the numbers are those in package checker.
const (
	// LeaderFailed: an append with acks=1 is lost if the leader failed before it
	// was replicated.
	LeaderFailed = 4
	// PowerLost: records that were not flushed are lost if all in-sync replicas
	// lose power together.
	PowerLost = 21
)

// Deposed: a coordinator that was replaced and has not heard of it may answer with old
// committed offsets, and heartbeats as if nothing had happened, as long as nothing that it
// writes commits.
const Deposed = 18

// Topics of the coordinators. If they lose records, groups and transactions go back too.
const (
	OffsetsTopic      = "__consumer_offsets"
	TransactionsTopic = "__transaction_state"
)

// Excuse allows the loss of records that were in flight or acknowledged in a
// window of time: appends that were invoked by Until and had not returned before
// From. For a crash at time t, Until is t, and From bounds how long before t a
// record could still be at risk.
type Excuse struct {
	Rule        int
	Topic       string // "" is every topic
	Partition   int32  // -1 is every partition
	From, Until int64  // nanoseconds
	// FromOffset is the lowest offset that the fault can have taken away.
	FromOffset wire.Offset
	Reason     string // "node 2 lost power"
}

func (x *Excuse) covers(tp wire.TopicPartition, o wire.Offset, invoked, returned int64) bool {
	return o >= x.FromOffset && (x.Topic == "" || x.Topic == tp.Topic) && (x.Partition == -1 || x.Partition == tp.Partition) &&
		invoked <= x.Until && returned >= x.From
}

// ruling is a verdict with its reason.
type ruling struct {
	verdict Verdict
	because string
}

func violates(format string, args ...any) ruling {
	return ruling{Violation, fmt.Sprintf(format, args...)}
}
func allows(format string, args ...any) ruling { return ruling{Allowed, fmt.Sprintf(format, args...)} }

// excused looks for an excuse by one of the rules.
func (g *Guarantees) excused(tp wire.TopicPartition, o wire.Offset, invoked, returned int64, rules ...int) (ruling, bool) {
	for i := range g.Excuses {
		x := &g.Excuses[i]
		for _, rule := range rules {
			if x.Rule == rule && x.covers(tp, o, invoked, returned) {
				return allows("rule %d: %s", rule, x.Reason), true
			}
		}
	}
	return ruling{}, false
}

// lossOfAppend rules on an acknowledged append that is gone.
func (g *Guarantees) lossOfAppend(a *appendOp) ruling {
	rules := []int{PowerLost}
	if a.acks == AcksLeader {
		rules = append(rules, LeaderFailed)
	}
	switch r, ok := g.excused(a.tp, a.offset, a.invoked, a.returned, rules...); {
	case a.acks == AcksNone:
		return allows("rule 3: acks=0 promises nothing")
	case g.Unclean:
		return allows("rule 8: unclean leader election")
	case ok:
		return r
	case a.txn != nil:
		// A coordinator that forgot its last epochs hands them out again. What the new producer
		// sends is a duplicate then, and acknowledged with the place of what the old one sent.
		return g.lossBefore(a.returned, violates("rule 5: acks=all"), TransactionsTopic)
	case a.acks == AcksLeader:
		return violates("rule 4: acks=1, but no leader failure explains it")
	}
	return violates("rule 5: acks=all")
}

// lossOfRead rules on a record that a consumer got at time t and that is gone: only what
// is below the high watermark is delivered. It was at risk from the time that its append
// was invoked: what a consumer hands out may have been fetched before the fault.
func (g *Guarantees) lossOfRead(tp wire.TopicPartition, o wire.Offset, invoked, t int64) ruling {
	if g.Unclean {
		return allows("rule 8: unclean leader election")
	}
	if r, ok := g.excused(tp, o, invoked, t, PowerLost); ok {
		return r
	}
	return violates("rule 2: only committed records are delivered")
}

// lossOf rules on what depends on all the topics: it is excused if one of them may have
// lost records that were committed.
func (g *Guarantees) lossOf(r ruling, topics ...string) ruling {
	if g.Unclean {
		return allows("rule 8: unclean leader election")
	}
	return g.lossBefore(never, r, topics...)
}

// lossBefore excuses what only power loss can: one of the topics may have lost records by
// time t.
func (g *Guarantees) lossBefore(t int64, r ruling, topics ...string) ruling {
	for i := range g.Excuses {
		if x := &g.Excuses[i]; x.Rule == PowerLost && (x.Topic == "" || slices.Contains(topics, x.Topic)) && x.Until <= t {
			return allows("rule 21: %s", x.Reason)
		}
	}
	return r
}

// lostMarker looks for what excuses that the partition of an append in a transaction has lost
// the marker that ended it, wherever in the log that was. The next one counts for all.
func (g *Guarantees) lostMarker(a *appendOp) (ruling, bool) {
	return g.excused(a.tp, wire.Offset(never), a.invoked, never, PowerLost)
}

// Compacts reports whether records of a topic may be removed by compaction.
func (g *Guarantees) Compacts(topic string) bool {
	return g.Compaction || slices.Contains(g.Compacted, topic)
}

// MayLose reports whether the run's settings and faults allow that one of the topics lost
// records that were committed. What lives in them is no register then.
func (g *Guarantees) MayLose(topics ...string) bool {
	return g.lossOf(ruling{verdict: Violation}, topics...).verdict == Allowed
}

// StaleAt reports whether a coordinator of groups may have answered at time t without
// knowing that it had been replaced.
func (g *Guarantees) StaleAt(t int64) bool {
	for i := range g.Excuses {
		x := &g.Excuses[i]
		if x.Rule == Deposed && (x.Topic == "" || x.Topic == OffsetsTopic) && x.From <= t && t <= x.Until {
			return true
		}
	}
	return false
}
