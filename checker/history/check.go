package history

import (
	"fmt"
	"slices"

	"odradek/broker/wire"
)

// Check finds the anomalies of a history. It fails only if the history is not
// well formed. Anomalies come in the order of partitions, then of kinds, then of
// offsets or events; after those of partitions alone come those of transactions, groups,
// pipelines and producers. So equal histories give equal reports.
func Check(events []Event, g Guarantees) (*Report, error) {
	if err := WellFormed(events); err != nil {
		return nil, err
	}
	c := judge{chronicle: collect(events, &g), report: &Report{}}
	for _, p := range c.parts {
		c.partition(p)
	}
	c.isolation()
	c.cycles()
	for _, g := range c.groups {
		c.group(g)
	}
	for i := range g.Pipelines {
		c.pipeline(&g.Pipelines[i])
	}
	c.identities()
	c.tally()
	return c.report, nil
}

// judge judges a whole history.
type judge struct {
	*chronicle
	report *Report
}

// about is what a finding is about.
type about struct {
	name    Name
	tp      wire.TopicPartition // noPartition if none in particular
	subject string              // a group, transaction or producer, or ""
}

var noPartition wire.TopicPartition

func (c *judge) found(what about, r ruling, seqs []int64, format string, args ...any) {
	c.report.Anomalies = append(c.report.Anomalies, Anomaly{
		Name: what.name, Partition: what.tp, Subject: what.subject, Verdict: r.verdict, Because: r.because,
		Sentence: fmt.Sprintf(format, args...), Seqs: seqs,
	})
}

func (c *judge) partition(p *partition) {
	k := check{partition: p, g: c.g, report: c.report}
	k.count()
	k.finalRead()
	k.losses()
	k.vanished()
	k.duplicates()
	k.inconsistencies()
	k.origins()
	k.sends()
	k.polls()
	k.regressions()
	k.table()
}

func (c *judge) group(g *group) {
	c.ownership(g)
	tps := make([]wire.TopicPartition, 0, len(g.partitions))
	for tp := range g.partitions { //odradek:unordered sorted below
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, wire.TopicPartition.Compare)
	for _, tp := range tps {
		o := g.partitions[tp]
		c.committedOffsets(g, o)
		c.coverage(g, o)
	}
}

// tally counts what was judged besides the partitions.
func (c *judge) tally() {
	r := c.report
	for _, t := range c.txns {
		switch t.fate {
		case committed:
			r.Committed++
		case aborted:
			r.Aborted++
		default:
			r.Undecided++
		}
	}
	for _, g := range c.groups {
		r.Memberships += len(g.members)
		for _, o := range g.partitions { //odradek:unordered counts
			for _, w := range o.writes {
				if w.outcome == OK {
					r.Commits++
				}
			}
			r.Given += len(o.given)
			r.Fetched += len(o.reads)
			if o.final != nil {
				r.FinalOffsets++
			}
		}
	}
	r.Producers = len(c.inits)
}

// check judges one partition.
type check struct {
	*partition
	g      *Guarantees
	report *Report
}

func (c *check) found(name Name, r ruling, seqs []int64, format string, args ...any) {
	(&judge{report: c.report}).found(about{name: name, tp: c.tp}, r, seqs, format, args...)
}

func (c *check) count() {
	for _, a := range c.appends {
		switch a.outcome {
		case OK:
			c.report.Acknowledged++
		case Failed:
			c.report.Failed++
		default:
			c.report.Unknown++
		}
	}
	c.report.Read += len(c.reads)
	c.report.Final += len(c.log.records)
}

// finalRead makes sure that there is something to judge against.
func (c *check) finalRead() {
	switch {
	case c.log.broken != "":
		c.found(BrokenFinalRead, violates("a log has one order"), []int64{c.log.seq}, "%s", c.log.broken)
	case !c.log.present && len(c.appends) > 0:
		c.found(BrokenFinalRead, violates("every run ends with a final read"), []int64{c.appends[0].invokeSeq},
			"%d appends, but no final read", len(c.appends))
	}
}

// losses looks for acknowledged appends that the final log lacks.
func (c *check) losses() {
	if !c.log.present {
		return
	}
	for _, a := range c.appends {
		if a.outcome != OK || len(c.log.offsets[a.value]) > 0 {
			continue
		}
		if c.compacts && a.key != "" {
			c.report.Compacted++
			continue // see table
		}
		switch {
		case a.offset == wire.NoOffset: // acks=0, or an acknowledgement without offset
			c.found(LostWrite, c.g.lossOfAppend(a), a.seqs(), "value %d was acknowledged and is in no place", a.value)
		case a.offset < c.log.start:
			if !c.g.Retention {
				c.found(LostWrite, violates("nothing may delete records"), a.seqs(), "value %d was acknowledged at %d, but the log starts at %d", a.value, a.offset, c.log.start)
			}
		case a.offset >= c.log.end:
			c.found(Unseen, c.g.lossOfAppend(a), a.seqs(), "value %d was acknowledged at %d, but the log ends at %d", a.value, a.offset, c.log.end)
		default:
			r := c.g.lossOfAppend(a)
			if _, other := c.log.at[a.offset]; c.compacts && !other && r.verdict == Violation {
				r = allows("rule 19: compaction")
			}
			c.found(LostWrite, r, a.seqs(), "value %d was acknowledged at %d, which the log covers without having it", a.value, a.offset)
		}
	}
}

// vanished looks for records that were read and have no successor at their
// offset. (Offsets with another value are inconsistencies.)
func (c *check) vanished() {
	if !c.log.present {
		return
	}
	seen := make(map[wire.Offset]bool)
	for i := range c.reads {
		r := &c.reads[i]
		if _, there := c.log.at[r.Offset]; there || r.Offset < c.log.start || seen[r.Offset] || r.Value == 0 {
			continue
		}
		seen[r.Offset] = true
		if a := c.byValue[r.Value]; a != nil && a.key != "" && c.compacts {
			continue // see table
		}
		ruled := c.lossOfRead(r)
		if c.compacts && r.Offset < c.log.end && ruled.verdict == Violation {
			ruled = allows("rule 19: compaction")
		}
		c.found(Vanished, ruled, []int64{r.returnSeq}, "%s read value %d at %d, where the final log has nothing", r.process, r.Value, r.Offset)
	}
}

// lossOfRead rules on a record that was read and is gone.
func (c *check) lossOfRead(r *read) ruling {
	invoked := r.time
	if a := c.byValue[r.Value]; a != nil {
		invoked = min(invoked, a.invoked)
	}
	return c.g.lossOfRead(c.tp, r.Offset, invoked, r.time)
}

// duplicates looks for values that the final log has more than once.
func (c *check) duplicates() {
	for _, a := range c.appends {
		at := c.log.offsets[a.value]
		if len(at) < 2 {
			continue
		}
		var r ruling
		switch {
		case !a.idempotent:
			r = allows("rule 10: the producer is not idempotent")
		case c.g.Unclean:
			r = allows("rule 8: unclean leader election")
		default:
			r = violates("rule 9: the producer is idempotent")
		}
		c.found(Duplicate, r, a.seqs(), "value %d is in the log at %v", a.value, at)
	}
}

// origins looks for values that should not be there: refused ones, and ones that
// were read before anybody sent them.
func (c *check) origins() {
	reported := make(map[uint64]bool)
	judge := func(r Record, seq int64, reader string) {
		if r.Value == 0 || reported[r.Value] {
			return
		}
		a := c.byValue[r.Value]
		switch {
		case a == nil:
			c.found(UnwrittenRead, violates("records come from producers"), []int64{seq}, "%s read value %d at %d, which nobody sent there", reader, r.Value, r.Offset)
		case seq < a.invokeSeq:
			c.found(UnwrittenRead, violates("records come from producers"), []int64{seq, a.invokeSeq}, "%s read value %d at %d before it was sent", reader, r.Value, r.Offset)
		case a.outcome == Failed:
			c.found(AbortedRead, violates("a refused append has no effect"), append(a.seqs(), seq), "%s read value %d at %d, which was refused", reader, r.Value, r.Offset)
		default:
			return
		}
		reported[r.Value] = true
	}
	for i := range c.reads {
		judge(c.reads[i].Record, c.reads[i].returnSeq, c.reads[i].process)
	}
	for _, r := range c.log.records {
		judge(r, c.log.seq, "the final read")
	}
}
