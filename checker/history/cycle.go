package history

import "slices"

// cycles looks for transactions each of which has read what the next one wrote, and the
// last one what the first one wrote (G1c): no order of them explains that. A
// transaction has read what was polled inside it and the inputs of what it wrote.
func (c *judge) cycles() {
	g := c.readsFrom()
	for g.trim() {
		cycle := g.cycle()
		r := violates("rule 13: a transaction reads what was committed before")
		var seqs []int64
		for _, t := range cycle {
			seqs = append(seqs, t.op)
			if c.isolated[t.process] != ReadCommitted {
				if _, polls := c.isolated[t.process]; polls {
					r = allows("rule 14: %s reads uncommitted records too", t.process)
				}
			}
			g.remove(t)
		}
		c.found(about{name: Cycle, subject: cycle[0].String()}, r, seqs, "%d transactions have read from one another in a circle, beginning with %v, which read from %v", len(cycle), cycle[0], cycle[1])
	}
}

// graph has an edge from each transaction to those that it read from.
type graph struct {
	nodes []*transaction // as begun
	from  map[*transaction][]*transaction
	// readers counts the edges that come in, from nodes that are left.
	readers map[*transaction]int
}

func (c *judge) readsFrom() *graph {
	g := &graph{from: make(map[*transaction][]*transaction), readers: make(map[*transaction]int)}
	for _, t := range c.txns {
		if t.fate == aborted {
			continue // that its values were read is another anomaly
		}
		var from []*transaction
		add := func(value uint64) {
			if a := c.byValue[value]; a != nil && a.txn != nil && a.txn != t && a.txn.fate != aborted && !slices.Contains(from, a.txn) {
				from = append(from, a.txn)
			}
		}
		for _, v := range t.read {
			add(v)
		}
		for _, a := range t.appends {
			add(a.input)
		}
		if len(from) > 0 {
			g.nodes = append(g.nodes, t)
			g.from[t] = from
		}
	}
	return g
}

// trim removes, as long as there are some, the transactions that have read from nobody
// who is left, or that nobody who is left has read from. What remains lies on cycles or
// between them; it reports whether anything does.
func (g *graph) trim() bool {
	for {
		clear(g.readers)
		for _, t := range g.nodes {
			for _, u := range g.from[t] {
				g.readers[u]++
			}
		}
		before := len(g.nodes)
		g.nodes = slices.DeleteFunc(g.nodes, func(t *transaction) bool {
			g.from[t] = slices.DeleteFunc(g.from[t], func(u *transaction) bool { return len(g.from[u]) == 0 })
			if len(g.from[t]) > 0 && g.readers[t] > 0 {
				return false
			}
			delete(g.from, t)
			return true
		})
		if len(g.nodes) == before {
			return before > 0
		}
	}
}

// cycle is one of the graph, which is trimmed.
func (g *graph) cycle() []*transaction {
	at := make(map[*transaction]int)
	var path []*transaction
	for t := g.nodes[0]; ; t = g.from[t][0] {
		if i, met := at[t]; met {
			return path[i:]
		}
		at[t] = len(path)
		path = append(path, t)
	}
}

func (g *graph) remove(t *transaction) {
	delete(g.from, t)
	g.nodes = slices.DeleteFunc(g.nodes, func(u *transaction) bool { return u == t })
}
