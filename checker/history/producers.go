package history

// initOp is a producer id and epoch that a producer got.
type initOp struct {
	Producer
	process              string
	invokeSeq, returnSeq int64
}

// identities judges producer ids and epochs (rule 12): nobody else has the same, and
// those of one transactional id grow.
func (c *judge) identities() {
	type identity struct {
		id    int64
		epoch int16
	}
	first := make(map[identity]*initOp)
	owner := make(map[int64]*initOp)
	newest := make(map[string]*initOp) // by transactional id, of those that have returned
	for _, x := range c.inits {        // as returned
		who := x.TransactionalID
		if who == "" {
			who = x.process
		}
		subject := about{SharedProducer, noPartition, "producer " + who}
		seqs := []int64{x.invokeSeq, x.returnSeq}
		lost := func(text string) ruling { return c.g.lossOf(violates("%s", text), TransactionsTopic) }
		if x.Epoch < 0 || x.ID < 0 {
			subject.name = EpochRegression
			c.found(subject, lost("rule 12: an epoch is not negative"), seqs, "%s got producer id %d and epoch %d", x.process, x.ID, x.Epoch)
			continue
		}
		k := identity{x.ID, x.Epoch}
		before, again := first[k]
		other, owned := owner[x.ID]
		if !again {
			first[k] = x
		}
		if !owned {
			owner[x.ID] = x
		}
		switch {
		case again && before.process != x.process:
			c.found(subject, lost("rule 12: a producer id and epoch are one producer's"), append(seqs, before.returnSeq), "%s and %s both got producer id %d and epoch %d", before.process, x.process, x.ID, x.Epoch)
		case owned && other.owner() != x.owner():
			c.found(subject, lost("rule 12: a producer id is one producer's"), append(seqs, other.returnSeq), "%s and %s both got producer id %d", other.process, x.process, x.ID)
		}
		if x.TransactionalID == "" {
			continue
		}
		last := newest[x.TransactionalID]
		if last != nil && last.returnSeq < x.invokeSeq && last.ID == x.ID && x.Epoch < last.Epoch {
			subject.name = EpochRegression
			c.found(subject, lost("rule 12: epochs of a transactional id grow"), append(seqs, last.returnSeq), "%s got epoch %d of producer id %d after %s had got %d", x.process, x.Epoch, x.ID, last.process, last.Epoch)
		}
		if last == nil || last.ID != x.ID || x.Epoch > last.Epoch {
			newest[x.TransactionalID] = x
		}
	}
	c.zombies()
}

// owner tells producer ids apart: one belongs to a transactional id, or else to a process.
func (x *initOp) owner() string {
	if x.TransactionalID != "" {
		return "id " + x.TransactionalID
	}
	return "process " + x.process
}

// zombies looks for transactional producers that could go on after another process had
// taken their place (rule 12).
func (c *judge) zombies() {
	taken := make(map[string][]*initOp) // by transactional id, as returned
	for _, x := range c.inits {
		if x.TransactionalID != "" {
			taken[x.TransactionalID] = append(taken[x.TransactionalID], x)
		}
	}
	for _, t := range c.txns {
		if t.producer == nil {
			continue
		}
		by := t.replaced(taken[t.producer.TransactionalID])
		if by == nil {
			continue
		}
		topics := []string{TransactionsTopic} // what fences it is a record there, or a marker
		for _, a := range t.appends {
			topics = append(topics, a.tp.Topic)
		}
		report := func(what string, seqs ...int64) {
			r := c.g.lossOf(violates("rule 12: a new producer fences the old ones"), topics...)
			c.found(about{name: ZombieWrite, subject: t.String()}, r, append(seqs, by.invokeSeq, by.returnSeq), "%s of %s in epoch %d was acknowledged, although %s had got epoch %d of producer id %d before it was sent", what, t.process, t.producer.Epoch, by.process, by.Epoch, by.ID)
		}
		for _, a := range t.appends {
			if a.outcome == OK && a.invokeSeq > by.returnSeq && a.acks != AcksNone {
				report("an append", a.seqs()...)
				break
			}
		}
		for _, e := range t.ends {
			if e.outcome == OK && e.commit && e.invokeSeq > by.returnSeq {
				report("a commit", e.invokeSeq, e.returnSeq)
				break
			}
		}
	}
}

// replaced is the first initialisation of another process that is newer than the
// transaction's producer.
func (t *transaction) replaced(inits []*initOp) *initOp {
	for _, x := range inits {
		if x.process != t.process && (x.ID == t.producer.ID && x.Epoch > t.producer.Epoch || x.ID != t.producer.ID && x.invokeSeq > t.op) {
			return x
		}
	}
	return nil
}
