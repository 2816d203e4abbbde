package group

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
	"odradek/workloads/client/coordinator"
)

// Core decides everything that a group's member does besides reading records. Its caller
//
//   - calls Poll whenever anything was put in, and at Deadline, and sends the requests it
//     returns;
//   - tells the end of each request with OnResponse or OnFailure, once;
//   - says when the script polls (Polling), and while it does, tells it of every Change
//     and calls Changed;
//   - takes Commits, Fetches and Events;
//   - keeps the cluster's metadata, which the core reads and asks to refresh. The topics of
//     Topics must be wanted there.
type Core struct {
	cfg    Config
	meta   *cluster.Metadata
	rng    *rand.Rand
	finder *coordinator.Finder
	// membership is the protocol's part.
	membership membership
	// topics subscribed to, sorted.
	topics []string
	// owned are the partitions that the script holds, sorted.
	owned []wire.TopicPartition
	// changes to be told, in order; telling: the first one is being told.
	changes []Change
	telling bool
	// polling: the script polls; polled: it has since the last turn; expires is when it has
	// not for too long, in ns.
	polling, polled bool
	expires         int64
	// joined is the member as of its latest generation or epoch.
	joined Member

	commits   []*commit
	fetches   []*fetch
	committed []Commit
	fetched   []Fetched
	events    []Event
	lastID    struct {
		request attempt.ID
		commit  CommitID
		fetch   FetchID
	}
	requests map[attempt.ID]*request
	out      []Request
	// leaving for good, until leaveBy (ns); over: left, or failed with err.
	leaving, over bool
	leaveBy       int64
	err           error
}

// membership is what the two protocols differ in. Each has its states, and drives itself
// in poll.
type membership interface {
	// poll moves time forward: it makes requests and changes that are due.
	poll(now int64)
	deadline() int64
	// changed: all changes have been told.
	changed(now int64)
	member() Member
	// mayCommit is why nothing can be committed at the moment, else nil.
	mayCommit() error
	// refused takes an error code with which a commit was answered that was sent as m.
	refused(now int64, m Member, code int16)
	// mayExpire tells whether it matters at the moment that the script polls.
	mayExpire() bool
	// abandon leaves the group without the script's doing, which does not poll.
	abandon(now int64)
	// leave tells the coordinator, if it has to be told, that the member leaves for good,
	// and ends with Core.left. Nothing is owned any more.
	leave(now int64)
	// state in words.
	String() string
}

// request is one under way.
type request struct {
	node wire.NodeID
	done done
}

// done gets the answer of a node or an error, never both.
type done func(now int64, node wire.NodeID, resp kmsg.Response, err error)

// Request is a request that the core wants sent.
type Request struct {
	attempt.Request
	// Timeout is longer than the ordinary one for a join, which waits for other
	// members; 0 for the ordinary one.
	Timeout time.Duration
}

// New returns the core of a member that subscribes to nothing. rng gives jitter and the
// member id of the consumer protocol.
func New(cfg Config, meta *cluster.Metadata, rng *rand.Rand) *Core {
	if cfg.ID == "" || cfg.Protocol == Classic && len(cfg.Assignors) == 0 {
		panic("group: a member needs a group, and in the classic protocol an assignor")
	}
	c := &Core{
		joined: Member{Group: cfg.ID, Generation: -1, Instance: cfg.Instance},
		cfg:    cfg, meta: meta, rng: rng,
		finder:   coordinator.New(coordinator.Group, cfg.ID, meta, cfg.Backoff, rng),
		expires:  cluster.Never,
		requests: make(map[attempt.ID]*request),
	}
	if cfg.Protocol == Consumer {
		c.membership = newConsumer(c)
	} else {
		c.membership = newClassic(c)
	}
	return c
}

// Subscribe replaces the topics.
func (c *Core) Subscribe(topics []string) {
	c.topics = slices.Clone(topics)
	slices.Sort(c.topics)
	c.topics = slices.Compact(c.topics)
}

// Topics are those whose metadata the core needs, sorted: the subscription, and for the
// leader of a classic group those of all members.
func (c *Core) Topics() []string {
	topics := c.topics
	if m, ok := c.membership.(*classic); ok && len(m.others) > 0 {
		topics = slices.Concat(topics, m.others)
		slices.Sort(topics)
		topics = slices.Compact(topics)
	}
	return topics
}

// Polling says whether the script is polling from now on. While it is, changes of the
// assignment can be made; while it is not, max.poll.interval.ms runs.
func (c *Core) Polling(now int64, polling bool) {
	c.polling = polling
	c.polled = c.polled || polling // however short the poll is
	c.expires = cluster.Never
	if !polling {
		c.expires = now + int64(c.cfg.MaxPollInterval)
	}
}

// Change is what the script has to hear of next, nil if there is nothing or if it is
// hearing of a change already. Partitions of Assign are owned from now on. Changed must
// follow.
func (c *Core) Change() *Change {
	if len(c.changes) == 0 || c.telling {
		return nil
	}
	c.telling = true
	ch := &c.changes[0]
	if ch.Kind == Assign {
		c.owned = slices.Concat(without(c.owned, ch.Partitions), ch.Partitions)
		slices.SortFunc(c.owned, wire.TopicPartition.Compare)
	}
	return ch
}

// HasChange tells whether Change would give one.
func (c *Core) HasChange() bool { return len(c.changes) > 0 && !c.telling }

// Changed says that the script has heard of the change. Partitions of Revoke and Lose are
// not owned any more.
func (c *Core) Changed(now int64) {
	if !c.telling {
		panic("group: no change is being told")
	}
	ch := c.changes[0]
	if ch.Kind != Assign {
		c.owned = without(c.owned, ch.Partitions)
	}
	c.telling = false
	c.changes = c.changes[1:]
	if len(c.changes) == 0 {
		c.settle(now)
	}
}

// settle goes on after the last change.
func (c *Core) settle(now int64) {
	if c.over {
		return
	}
	if c.leaving && len(c.owned) == 0 {
		c.membership.leave(now)
		return
	}
	c.membership.changed(now)
}

// tell queues a change.
func (c *Core) tell(kind ChangeKind, tps []wire.TopicPartition, m Member) {
	c.changes = append(c.changes, Change{Kind: kind, Partitions: tps, Member: m})
}

// recall drops the changes that the script has not begun to hear of.
func (c *Core) recall() {
	keep := 0
	if c.telling {
		keep = 1
	}
	c.changes = slices.Clone(c.changes[:keep])
}

// Owned are the partitions that the script holds, sorted. Not to be modified.
func (c *Core) Owned() []wire.TopicPartition { return c.owned }

// Member is who the member is at the moment.
func (c *Core) Member() Member { return c.membership.member() }

// Joined is the member as of its latest generation or epoch: what it consumes for. Unlike
// Member it stays when the member is fenced, so that what is sent on its behalf is refused.
// (With generation -1 and no id it would count as from nobody in particular.)
func (c *Core) Joined() Member { return c.joined }

// present tells whether the script takes part in changes.
func (c *Core) present() bool { return c.polling || c.polled }

// State of the membership, for people.
func (c *Core) State() string { return c.membership.String() }

// Leave begins to leave the group for good: partitions are revoked (Change), then the
// coordinator is told. A static member of a classic group only stops.
func (c *Core) Leave(now int64) {
	if c.leaving || c.over {
		return
	}
	c.leaving = true
	c.leaveBy = now + int64(c.cfg.Timeout)
	c.recall()
	c.giveUp(now)
}

// giveUp queues the change that leaves nothing owned.
func (c *Core) giveUp(now int64) {
	m := c.Member()
	switch {
	case c.telling:
		return // Changed comes here again
	case len(c.owned) == 0:
		c.settle(now)
	case m.In():
		c.tell(Revoke, c.owned, m)
	default:
		c.tell(Lose, c.owned, m)
	}
}

// left ends the membership for good.
func (c *Core) left() { c.over = true }

// Over tells whether the member has left for good, or failed.
func (c *Core) Over() bool { return c.over }

// Err is why the member has failed for good, else nil.
func (c *Core) Err() error { return c.err }

// fail ends the membership with an error. What is owned is lost.
func (c *Core) fail(err error) {
	if c.over {
		return
	}
	c.err, c.over = err, true
	c.events = append(c.events, Event{Kind: Failed, Member: c.Member(), Err: err})
	c.recall()
	if rest := c.owned; len(rest) > 0 {
		if c.telling && c.changes[0].Kind != Assign {
			rest = without(rest, c.changes[0].Partitions)
		}
		if len(rest) > 0 {
			c.tell(Lose, rest, c.Member())
		}
	}
}

// event queues an event.
func (c *Core) event(kind EventKind, m Member, err error) {
	if kind == Joined {
		c.joined = m
	}
	c.events = append(c.events, Event{Kind: kind, Member: m, Err: err})
}

// Events takes what has happened since the last call.
func (c *Core) Events() []Event {
	events := c.events
	c.events = nil
	return events
}

// Poll moves time forward and gives the requests to send now.
func (c *Core) Poll(now int64) []Request {
	if !c.over {
		if c.leaving && now >= c.leaveBy {
			c.left()
		} else {
			if c.expires <= now && !c.leaving && c.membership.mayExpire() {
				c.expires = cluster.Never
				c.membership.abandon(now)
			}
			if c.leaving && len(c.changes) == 0 && len(c.owned) > 0 {
				c.giveUp(now)
			}
			c.membership.poll(now)
		}
	}
	c.polled = false
	c.pollCommits(now)
	c.pollFetches(now)
	if !c.needsCoordinator() {
		return c.take()
	}
	if req, ok := c.finder.Poll(now, c.lastID.request+1); ok {
		c.book(Request{Request: req}, func(now int64, _ wire.NodeID, resp kmsg.Response, err error) {
			if err != nil {
				c.finder.OnFailure(now)
				if unserved(err) {
					c.fail(err)
				}
				return
			}
			c.finder.OnResponse(now, resp.(*kmsg.FindCoordinatorResponse))
			if err := c.finder.Err(); err != nil {
				c.fail(err)
			}
		})
	}
	return c.take()
}

func (c *Core) take() []Request {
	out := c.out
	c.out = nil
	return out
}

// needsCoordinator is false once nothing is left to be said.
func (c *Core) needsCoordinator() bool {
	return !c.over || len(c.commits) > 0 || len(c.fetches) > 0
}

// Deadline is when Poll must be called next if nothing is put in before, in ns. It is
// valid after a Poll.
func (c *Core) Deadline() int64 {
	if !c.needsCoordinator() {
		return cluster.Never
	}
	d := min(c.finder.Deadline(), c.tryingDeadline())
	if c.over {
		return d
	}
	d = min(d, c.membership.deadline())
	switch {
	case c.leaving:
		d = min(d, c.leaveBy)
	case c.membership.mayExpire():
		d = min(d, c.expires)
	}
	return d
}

// node is the coordinator. If it is not known it is looked up.
func (c *Core) node() (wire.NodeID, bool) {
	node, ok := c.finder.Node()
	if !ok {
		c.finder.Want()
	}
	return node, ok
}

// send makes a request to the coordinator, which must be known.
func (c *Core) send(msg kmsg.Request, lowest, highest int16, timeout time.Duration, d done) {
	node, ok := c.finder.Node()
	if !ok {
		panic("group: a request to an unknown coordinator")
	}
	c.book(Request{
		Request: attempt.Request{Node: node, Group: true, Msg: msg, MinVersion: lowest, MaxVersion: highest},
		Timeout: timeout,
	}, d)
}

func (c *Core) book(r Request, d done) {
	c.lastID.request++
	r.ID = c.lastID.request
	c.requests[r.ID] = &request{node: r.Node, done: d}
	c.out = append(c.out, r)
}

// OnResponse takes the answer to a request of this core.
func (c *Core) OnResponse(now int64, id attempt.ID, resp kmsg.Response) {
	r := c.end(id)
	r.done(now, r.node, resp, nil)
}

// OnFailure tells that a request ended without a usable answer; err is one of package
// attempt's.
func (c *Core) OnFailure(now int64, id attempt.ID, err error) {
	r := c.end(id)
	c.finder.Lost(r.node)
	r.done(now, r.node, nil, err)
}

func (c *Core) end(id attempt.ID) *request {
	r := c.requests[id]
	if r == nil {
		panic("group: a request ended twice")
	}
	delete(c.requests, id)
	return r
}

// passing tells whether an error of the coordinator passes without the member's doing,
// and takes note of what it says about the coordinator.
func (c *Core) passing(node wire.NodeID, code int16) bool {
	switch code {
	case kerr.NotCoordinator.Code, kerr.CoordinatorNotAvailable.Code, kerr.RequestTimedOut.Code:
		c.finder.Lost(node)
		return true
	case kerr.CoordinatorLoadInProgress.Code, kerr.ThrottlingQuotaExceeded.Code:
		return true
	}
	return false
}

// fatal is the error of a code that ends the membership.
func fatal(code int16, detail *string) error {
	err := attempt.NewCodeError(code, detail)
	if code == kerr.FencedInstanceID.Code || code == kerr.UnreleasedInstanceID.Code {
		return fmt.Errorf("%w: %w", ErrFencedInstance, err)
	}
	return err
}

// unserved tells whether no broker will ever take the request.
func unserved(err error) bool { return errors.Is(err, attempt.ErrVersion) }

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
