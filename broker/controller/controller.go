package controller

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/failpoint"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// Config is what a controller is told once.
type Config struct {
	ClusterID string
	// Static are the configs in this node's file, behind the dynamic ones.
	Static config.Values
	// NumPartitions and ReplicationFactor are for topics that leave them open.
	NumPartitions     int32
	ReplicationFactor int16
	// DeleteTopics is delete.topic.enable.
	DeleteTopics bool
	// SessionTimeout is how long a silent broker stays unfenced.
	SessionTimeout time.Duration
	// RebalanceInterval is the time between two looks for partitions that the
	// preferred leader does not lead; 0 is never.
	RebalanceInterval time.Duration
	// UncleanInterval is the time between two looks for leaderless partitions that
	// may be led uncleanly; 0 is never.
	UncleanInterval time.Duration
	// MaxIdle is how long the log may stay without a new record; 0 is for ever.
	// The records that change nothing let brokers learn the high watermark (KIP-835).
	MaxIdle time.Duration
	// Features are finalised when the log is empty.
	Features []metadata.FeatureLevel
	// Supported are the levels that this controller can run with.
	Supported []metadata.FeatureRange
	// Rand draws topic ids and where placement starts.
	Rand *rand.Rand
	// Fail may be nil.
	Fail *failpoint.Registry
}

// ConfigOf takes what the controller needs from a node's configs. ClusterID,
// Static, Rand and Fail are left to set.
func ConfigOf(b *config.Broker) Config {
	cfg := Config{
		NumPartitions:     int32(b.NumPartitions),
		ReplicationFactor: int16(b.ReplicationFactor),
		DeleteTopics:      b.DeleteTopics,
		SessionTimeout:    time.Duration(b.BrokerSessionTimeoutMs) * time.Millisecond,
		UncleanInterval:   5 * time.Minute, // unclean.leader.election.interval.ms, which is internal in Kafka
		MaxIdle:           time.Duration(b.MetadataMaxIdleMs) * time.Millisecond,
		Features:          DefaultFeatures(),
		Supported:         SupportedFeatures(),
	}
	if b.AutoLeaderRebalance {
		cfg.RebalanceInterval = time.Duration(b.LeaderRebalanceSeconds) * time.Second
	}
	return cfg
}

// Moment is when, and at which point of the metadata log, a call happens.
type Moment struct {
	// Now is monotonic, in nanoseconds.
	Now int64
	// NextOffset is the offset that the next record appended to the log will get.
	NextOffset wire.Offset
}

// Token is the shell's name for a request that waits for its response.
type Token uint64

// Output is what the shell must do after a call.
type Output struct {
	// Records are to be appended as one batch at Moment.NextOffset.
	Records []metadata.Record
	// Replies can be sent at once.
	Replies []Reply
}

// Reply is a response and whom it answers.
type Reply struct {
	Token    Token
	Response kmsg.Response
}

// Controller is the decider. It is not safe for concurrent use.
type Controller struct {
	cfg    Config
	active bool
	// pending is the committed image plus all decisions since; nil if inactive.
	pending *metadata.Image
	// parked responses wait for the log to commit up to their offset, which rises.
	parked   []parkedReply
	end      wire.Offset // after the last record decided
	commit   wire.Offset // as last told
	sessions sessions

	nextRebalance, nextUnclean int64
	lastWrite                  int64

	// batch holds the records of the decision being made.
	batch  []metadata.Record
	moment Moment
}

type parkedReply struct {
	until   wire.Offset // answered once the log is committed up to here, exclusive
	reply   Reply
	instead kmsg.Response // the answer if this controller loses office first
}

// New returns an inactive controller.
func New(cfg Config) *Controller {
	if cfg.Rand == nil || cfg.SessionTimeout <= 0 {
		panic("controller: Rand and SessionTimeout must be set")
	}
	return &Controller{cfg: cfg}
}

// Active reports whether the controller decides.
func (c *Controller) Active() bool { return c.active }

// Image is the committed image plus everything decided since, or nil if the
// controller is not active. It must not be modified or kept across calls.
func (c *Controller) Image() *metadata.Image { return c.pending }

// Lead makes the controller active. The image must hold everything that is
// committed, and nothing that is not; it is copied. Brokers get a full session
// time-out from now on, because nobody counted for them in between. The output
// finalises features if the log is empty.
func (c *Controller) Lead(at Moment, committed *metadata.Image) Output {
	if c.active {
		panic("controller: Lead while active")
	}
	c.active = true
	c.pending = committed.Clone()
	c.end, c.commit = at.NextOffset, at.NextOffset
	c.lastWrite = at.Now
	c.nextRebalance, c.nextUnclean = at.Now+int64(c.cfg.RebalanceInterval), at.Now+int64(c.cfg.UncleanInterval)
	c.sessions = newSessions(c.cfg.SessionTimeout)
	for _, b := range c.pending.Brokers() {
		c.sessions.start(b.ID, at.Now, wire.Offset(b.Epoch))
	}
	c.begin(at)
	c.bootstrapFeatures()
	return c.finish(nil)
}

// Resign makes the controller inactive, and answers everything parked with
// NOT_CONTROLLER. Resigning twice is allowed.
func (c *Controller) Resign() []Reply {
	replies := make([]Reply, 0, len(c.parked))
	for _, p := range c.parked {
		replies = append(replies, Reply{p.reply.Token, p.instead})
	}
	c.active, c.pending, c.parked, c.sessions = false, nil, nil, sessions{}
	return replies
}

// Committed tells that all records before end are committed, and returns the
// responses that waited for them.
func (c *Controller) Committed(end wire.Offset) []Reply {
	if !c.active {
		return nil
	}
	c.commit = max(c.commit, end)
	n := 0
	for n < len(c.parked) && c.parked[n].until <= c.commit {
		n++
	}
	var replies []Reply
	for _, p := range c.parked[:n] {
		replies = append(replies, p.reply)
	}
	c.parked = c.parked[n:]
	return replies
}

// Handle decides a request. Every request is answered exactly once: in this
// output, by Committed, or by Resign. Keys that [Handles] does not name panic.
func (c *Controller) Handle(at Moment, token Token, req kmsg.Request) Output {
	if !c.active {
		return Output{Replies: []Reply{{token, refuse(req, kerr.NotController)}}}
	}
	c.begin(at)
	response := c.decide(req)
	return c.finish(&parkedReply{reply: Reply{token, response}, instead: refuse(req, kerr.NotController)})
}

// Deadline is when Tick is due, in nanoseconds of the monotonic clock. ok is false
// if nothing is due ever.
func (c *Controller) Deadline() (deadline int64, ok bool) {
	if !c.active {
		return 0, false
	}
	deadline, ok = c.sessions.deadline(c.pending)
	earlier := func(at int64, on bool) {
		if on && (!ok || at < deadline) {
			deadline, ok = at, true
		}
	}
	earlier(c.nextRebalance, c.cfg.RebalanceInterval > 0)
	earlier(c.nextUnclean, c.cfg.UncleanInterval > 0)
	earlier(c.lastWrite+int64(c.cfg.MaxIdle), c.cfg.MaxIdle > 0)
	return deadline, ok
}

// Tick does what is due: fence silent brokers, move leaders back to preferred
// replicas, elect uncleanly where that is allowed, keep the log moving.
func (c *Controller) Tick(at Moment) Output {
	if !c.active {
		return Output{}
	}
	c.begin(at)
	c.fenceSilentBrokers()
	if c.cfg.RebalanceInterval > 0 && at.Now >= c.nextRebalance {
		c.nextRebalance = at.Now + int64(c.cfg.RebalanceInterval)
		c.electPreferredLeaders()
	}
	if c.cfg.UncleanInterval > 0 && at.Now >= c.nextUnclean {
		c.nextUnclean = at.Now + int64(c.cfg.UncleanInterval)
		c.electForLeaderless()
	}
	if c.cfg.MaxIdle > 0 && len(c.batch) == 0 && at.Now-c.lastWrite >= int64(c.cfg.MaxIdle) {
		c.write(&metadata.NoOpRecord{})
	}
	return c.finish(nil)
}

// begin opens a decision.
func (c *Controller) begin(at Moment) {
	if at.NextOffset < c.end {
		panic(fmt.Sprintf("controller: next offset %d, but records were decided up to %d", at.NextOffset, c.end))
	}
	c.moment, c.batch = at, nil
}

// write adds a record to the decision and applies it, so that what is decided next
// sees it.
func (c *Controller) write(r metadata.Record) {
	if err := c.pending.Apply(r); err != nil {
		panic(fmt.Sprintf("controller: decided a record that does not apply: %v", err))
	}
	c.batch = append(c.batch, r)
}

// nextRecordOffset is the offset that the next record written will get.
func (c *Controller) nextRecordOffset() wire.Offset {
	return c.moment.NextOffset + wire.Offset(len(c.batch))
}

// finish closes a decision. A response waits until its records have committed, and
// one without records until everything it may have seen has: the pending image
// could be built on records that will never commit.
func (c *Controller) finish(p *parkedReply) Output {
	out := Output{Records: c.batch}
	if len(c.batch) > 0 {
		c.end = c.nextRecordOffset()
		c.lastWrite = c.moment.Now
	}
	c.batch = nil
	if p == nil {
		return out
	}
	p.until = c.end
	if p.until <= c.commit || c.answersEarly(p.reply.Response) {
		out.Replies = append(out.Replies, p.reply)
		return out
	}
	c.parked = append(c.parked, *p)
	return out
}

// answersEarly is historical bug KAFKA-14154: a controller that has lost its
// followers, but does not know yet, tells a leader that its ISR has changed.
func (c *Controller) answersEarly(resp kmsg.Response) bool {
	_, isr := resp.(*kmsg.AlterPartitionResponse)
	return isr && c.cfg.Fail.On(failpoint.ZooZombieController)
}
