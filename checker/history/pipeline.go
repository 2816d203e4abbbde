package history

import (
	"fmt"
	"slices"

	"odradek/broker/wire"
)

// pipeline judges a job that consumes, transforms and produces (rule 17): in the end each
// input below the group's committed offset has exactly one output, and no other input
// has any. What counts is what readers of committed records get.
func (c *judge) pipeline(job *Pipeline) {
	outputs := make(map[uint64][]*appendOp) // by input
	for _, p := range c.parts {
		if p.tp.Topic != job.Output {
			continue
		}
		for _, r := range p.settled() {
			if a := p.byValue[r.Value]; a != nil && a.input != 0 {
				outputs[a.input] = append(outputs[a.input], a)
			}
		}
	}
	group := c.byGroup[job.Group]
	for _, p := range c.parts {
		if !slices.Contains(job.Inputs, p.tp.Topic) || group == nil {
			continue
		}
		if o := group.partitions[p.tp]; o != nil && o.final != nil {
			c.processed(job, p, o.final, outputs)
		}
	}
}

// settled is the final log as readers of committed records see it, if any of them did.
func (p *partition) settled() []Record {
	if p.committed.present {
		return p.committed.records
	}
	return p.log.records
}

// processed judges the inputs of one partition.
func (c *judge) processed(job *Pipeline, p *partition, f *finalOffset, outputs map[uint64][]*appendOp) {
	loss := func(r ruling) ruling {
		return c.g.lossOf(r, append([]string{job.Output, OffsetsTopic, TransactionsTopic}, job.Inputs...)...)
	}
	for _, r := range p.settled() {
		if r.Value == 0 || r.Offset < f.start {
			continue
		}
		c.report.Inputs++
		out := outputs[r.Value]
		done := f.offset != wire.NoOffset && r.Offset < f.offset
		seqs := []int64{f.invokeSeq, f.returnSeq}
		if a := p.byValue[r.Value]; a != nil {
			seqs = append(a.seqs(), seqs...)
		}
		for _, a := range out {
			seqs = append(seqs, a.seqs()...)
		}
		subject := about{NotOnce, p.tp, "group " + job.Group}
		switch {
		case done && len(out) == 0:
			c.found(subject, loss(violates("rule 17: every input has its output")), seqs, "value %d at %d is below the committed offset %d and has no output in %s", r.Value, r.Offset, f.offset, job.Output)
		case len(out) > 1:
			rule := violates("rule 17: exactly once")
			if job.AtLeastOnce {
				rule = allows("rule 17: at least once")
			}
			c.found(subject, loss(rule), seqs, "value %d at %d has %d outputs: %s", r.Value, r.Offset, len(out), places(out))
		case !done && len(out) > 0 && !job.AtLeastOnce:
			subject.name = TornTransaction
			c.found(subject, loss(violates("rule 11: a transaction takes place as a whole")), seqs, "value %d at %d has its output %s, but the committed offset is %d", r.Value, r.Offset, places(out), f.offset)
		}
	}
}

func places(as []*appendOp) string {
	s := ""
	for i, a := range as {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("value %d in %v", a.value, a.tp)
	}
	return s
}
