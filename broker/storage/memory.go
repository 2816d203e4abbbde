package storage

// memory bounds what the tails of all logs of a node keep, bytes of records and where they are.
// Each has a bound of its own, which is enough for those few that are written to all the time; of
// thousands, the one that has been appended to least recently forgets all it has.
type memory struct {
	limit          int64 // bytes
	held           int64 // bytes, of all tails
	oldest, newest *tail // those that hold some, by their last append
}

// reserve makes room for n bytes that a tail is about to hold more.
func (m *memory) reserve(t *tail, n int64) {
	if t != m.newest && t.held > 0 {
		m.unlink(t)
		m.link(t)
	}
	for m.held+n > m.limit && m.oldest != nil {
		m.oldest.clear() // t itself comes last
	}
}

// hold sets what is counted of a tail.
func (m *memory) hold(t *tail, n int64) {
	switch {
	case n > 0 && t.held == 0:
		m.link(t)
	case n == 0 && t.held > 0:
		m.unlink(t)
	}
	m.held += n - t.held
	t.held = n
}

func (m *memory) link(t *tail) {
	t.older, t.newer = m.newest, nil
	if m.newest != nil {
		m.newest.newer = t
	} else {
		m.oldest = t
	}
	m.newest = t
}

func (m *memory) unlink(t *tail) {
	if t.older != nil {
		t.older.newer = t.newer
	} else {
		m.oldest = t.newer
	}
	if t.newer != nil {
		t.newer.older = t.older
	} else {
		m.newest = t.older
	}
	t.older, t.newer = nil, nil
}
