package fetchsession

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/wire"
)

// Config bounds a cache.
type Config struct {
	// Slots is max.incremental.fetch.session.cache.slots. 0 grants no sessions.
	Slots int
	// Partitions bounds those of all sessions together, because a slot alone bounds
	// nothing; 0 is no bound. A fetch that would exceed it is granted no session, a
	// session that would grow beyond it ends. Kafka has no such bound.
	Partitions int
	// Eviction is for how long a session is safe from larger ones after it was made,
	// and how long it may be idle before anyone may take its slot.
	Eviction time.Duration
}

// DefaultConfig has Kafka's defaults, and room for some hundred megabytes of partitions.
func DefaultConfig() Config {
	return Config{Slots: 1000, Partitions: 500_000, Eviction: 2 * time.Minute}
}

// Cache holds the sessions of a broker.
type Cache struct {
	cfg      Config
	rand     *rand.Rand
	byID     map[int32]*session
	sessions []*session // the same, oldest first
	parts    int        // partitions of all of them
}

// session is a client's incremental fetch session.
type session struct {
	id       int32
	epoch    int32 // that the next request must have
	topicIDs bool
	follower bool
	created  int64
	used     int64
	parts    rotation
}

// NewCache returns an empty cache that draws session ids from r.
func NewCache(cfg Config, r *rand.Rand) *Cache {
	return &Cache{cfg: cfg, rand: r, byID: make(map[int32]*session)}
}

// Len is the number of sessions.
func (c *Cache) Len() int { return len(c.sessions) }

// Request is the part of a Fetch request that concerns sessions.
type Request struct {
	SessionID int32
	Epoch     int32
	TopicIDs  bool // version 13 or later
	Follower  bool // from a replica, whose session is preferred to a consumer's
	// Partitions are all that is fetched if Epoch is NewSession or NoSession, else
	// those to add or change.
	Partitions []Partition
	Forgotten  []Key
}

// Fetch is a request under way, from Begin to Respond. It keeps nothing of the request's slices.
type Fetch struct {
	cache   *Cache
	session *session // nil for a full fetch
	want    bool     // a session, if there is a slot
	epoch   int32    // that the request had
	// How it names topics, and from whom it is, for a session that is made of it.
	topicIDs, follower bool
	entries            []*entry
	one                [1]*entry // backs entries when there is one
}

// Begin takes a request at time now (nanoseconds).
//
// Errors, for the whole response: FETCH_SESSION_ID_NOT_FOUND, also for a session that
// would become too large, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR if the session was made
// with the other way to name topics. The client then fetches in full.
func (c *Cache) Begin(now int64, req Request) (*Fetch, *kerr.Error) {
	if req.Epoch == NewSession || req.Epoch == NoSession {
		c.remove(c.byID[req.SessionID])
		return c.whole(req, req.Epoch == NewSession), nil
	}
	s := c.byID[req.SessionID]
	switch {
	case s == nil:
		return nil, kerr.FetchSessionIDNotFound
	case s.epoch != req.Epoch:
		return nil, kerr.InvalidFetchSessionEpoch
	case s.topicIDs != req.TopicIDs:
		return nil, kerr.FetchSessionTopicIDError
	}
	before := s.parts.len()
	for _, p := range req.Partitions {
		s.parts.set(p)
	}
	for _, k := range req.Forgotten {
		s.parts.remove(k)
	}
	c.parts += s.parts.len() - before
	if c.full() {
		c.remove(s)
		return nil, kerr.FetchSessionIDNotFound
	}
	if s.parts.len() == 0 {
		c.remove(s)
		return c.whole(Request{TopicIDs: req.TopicIDs}, false), nil
	}
	s.used = now
	s.epoch = nextEpoch(s.epoch)
	return c.fetch(s, req, false, &s.parts), nil
}

// full reports whether there are more partitions than allowed.
func (c *Cache) full() bool { return c.cfg.Partitions > 0 && c.parts > c.cfg.Partitions }

// whole is a fetch of what the request names.
func (c *Cache) whole(req Request, want bool) *Fetch {
	var parts rotation
	if len(req.Partitions) == 1 { // nothing to order, nothing named twice
		f := c.fetch(nil, req, want, &parts)
		f.one[0] = newEntry(req.Partitions[0])
		f.entries = f.one[:]
		return f
	}
	for _, p := range req.Partitions {
		parts.set(p)
	}
	return c.fetch(nil, req, want, &parts)
}

// fetch is a fetch of the given partitions.
func (c *Cache) fetch(s *session, req Request, want bool, parts *rotation) *Fetch {
	f := &Fetch{cache: c, session: s, want: want, epoch: req.Epoch, topicIDs: req.TopicIDs, follower: req.Follower}
	f.entries = parts.list(f.one[:0])
	return f
}

// Len is the number of partitions to fetch.
func (f *Fetch) Len() int { return len(f.entries) }

// Partition is the i-th partition to fetch; the order is that of serving.
func (f *Fetch) Partition(i int) Partition { return f.entries[i].Partition }

// Result is what the fetch of a partition came to.
type Result struct {
	Err           int16
	HighWatermark wire.Offset
	LogStart      wire.Offset
	RecordBytes   int
	// Special is set for a diverging epoch or a preferred read replica.
	Special bool
}

// Response says what goes into the response.
type Response struct {
	// Err is INVALID_FETCH_SESSION_EPOCH if another request went on with the session
	// meanwhile; the response then has no partitions.
	Err       *kerr.Error
	SessionID int32 // 0 for none
	// Include are the indexes of the partitions to send, in order.
	Include []int
}

// Respond takes the results, in the order of the partitions, and must be called once.
func (f *Fetch) Respond(now int64, results []Result) Response {
	if len(results) != len(f.entries) {
		panic(fmt.Sprintf("fetchsession: %d results for %d partitions", len(results), len(f.entries)))
	}
	s := f.session
	if s != nil && s.epoch != nextEpoch(f.epoch) {
		return Response{Err: kerr.InvalidFetchSessionEpoch}
	}
	var r Response
	for i, e := range f.entries {
		if !e.update(results[i]) && s != nil {
			continue
		}
		r.Include = append(r.Include, i)
		if s != nil {
			s.parts.toEnd(e)
		}
	}
	switch {
	case s != nil:
		r.SessionID = s.id
	case f.want && len(f.entries) > 0:
		r.SessionID = f.cache.create(now, f)
	}
	return r
}

// create makes a session out of a full fetch if there is a slot, and returns its id
// or 0. Its order starts as the request's: after a full response every partition has
// been served.
func (c *Cache) create(now int64, f *Fetch) int32 {
	if len(c.sessions) >= c.cfg.Slots && !c.evict(now, f) {
		return 0
	}
	s := &session{
		id: c.newID(), epoch: nextEpoch(NewSession), topicIDs: f.topicIDs, follower: f.follower,
		created: now, used: now,
	}
	s.parts.take(f.entries)
	c.byID[s.id] = s
	c.sessions = append(c.sessions, s)
	if c.parts += s.parts.len(); c.full() {
		c.remove(s)
		return 0
	}
	return s.id
}

func (c *Cache) newID() int32 {
	for {
		id := c.rand.Int32N(1<<31-1) + 1
		if c.byID[id] == nil {
			return id
		}
	}
}

// evict frees a slot for a fetch that wants a session, as Kafka does: that of a session
// idle for too long, else of the least valuable one that is not protected, if the new
// one is worth at least as much. Followers are worth more than consumers, then more
// partitions more than fewer. A session is protected while young; a consumer's not
// from a follower's.
func (c *Cache) evict(now int64, f *Fetch) bool {
	if len(c.sessions) == 0 {
		return false
	}
	idle := slices.MinFunc(c.sessions, func(a, b *session) int { return compare(a.used, b.used, a.id, b.id) })
	if now-idle.used > int64(c.cfg.Eviction) {
		c.remove(idle)
		return true
	}
	var least *session
	for _, s := range c.sessions {
		old := s.used-s.created > int64(c.cfg.Eviction)
		if !old && (s.follower || !f.follower) {
			continue
		}
		if least == nil || s.less(least) {
			least = s
		}
	}
	if least == nil || least.follower && !f.follower ||
		least.follower == f.follower && len(f.entries) < least.parts.len() {
		return false
	}
	c.remove(least)
	return true
}

// less orders sessions by value.
func (s *session) less(o *session) bool {
	if s.follower != o.follower {
		return o.follower
	}
	return compare(s.parts.len(), o.parts.len(), s.id, o.id) < 0
}

// remove closes a session; nil is allowed.
func (c *Cache) remove(s *session) {
	if s == nil {
		return
	}
	delete(c.byID, s.id)
	c.parts -= s.parts.len()
	c.sessions = slices.DeleteFunc(c.sessions, func(o *session) bool { return o == s })
}
