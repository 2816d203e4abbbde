package broker

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/controller"
	"odradek/broker/env"
	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// control is the shell of the controller decider, which is active on the quorum's
// leader only.
type control struct {
	n       *Node
	decider *controller.Controller
	epoch   wire.LeaderEpoch // of the quorum, while active

	lastToken controller.Token
	waiting   map[controller.Token]func(kmsg.Response)
	timer     env.Timer
}

func newControl(n *Node) *control {
	cfg := controller.ConfigOf(n.cfg)
	cfg.ClusterID, cfg.Static = n.clusterID, n.static
	cfg.Rand, cfg.Fail = n.env.Rand.Stream("controller"), n.env.Fail
	return &control{n: n, decider: controller.New(cfg), waiting: make(map[controller.Token]func(kmsg.Response))}
}

func (c *control) moment() controller.Moment {
	return controller.Moment{Now: int64(c.n.env.Clock.Now()), NextOffset: c.n.quorum.raft.Status().LogEndOffset}
}

// maybeActivate makes the controller active once this node leads the quorum and its
// image has everything that is committed.
func (n *Node) maybeActivate() {
	if n.control == nil || n.quorum.ready == wire.NoLeaderEpoch || n.control.decider.Active() {
		return
	}
	c := n.control
	c.epoch = n.quorum.ready
	n.env.Trace.Event(env.Info, "controller-active", env.I("epoch", c.epoch))
	c.do(c.decider.Lead(c.moment(), n.image))
	if n.life != nil {
		n.life.step() // this node's own registration need not wait for its next attempt
	}
}

// leaderChanged follows every change of the quorum's leader.
func (n *Node) leaderChanged() {
	if n.control != nil && n.control.decider.Active() {
		n.control.resign()
	}
	if n.life != nil && n.quorum.leader.LeaderID != wire.NoNode {
		// Whatever waited for a controller. The new one may need a moment to become
		// active, so forget how long the wait has been, and with it the back-off.
		n.life.failures = 0
		n.life.step()
	}
}

func (c *control) resign() {
	c.n.env.Trace.Event(env.Info, "controller-resigned", env.I("epoch", c.epoch))
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	c.reply(c.decider.Resign())
}

// handle has the controller decide a request; done comes with the answer, once what
// was decided has committed.
func (c *control) handle(req kmsg.Request, done func(kmsg.Response)) {
	c.lastToken++
	c.waiting[c.lastToken] = done
	c.do(c.decider.Handle(c.moment(), c.lastToken, req))
}

// do appends what was decided and sends what can be answered.
func (c *control) do(out controller.Output) {
	if len(out.Records) > 0 {
		values := make([][]byte, len(out.Records))
		for i, r := range out.Records {
			values[i] = metadata.Append(nil, r)
		}
		if _, err := c.n.quorum.propose(c.epoch, values); err != nil {
			// The quorum has another leader already and is about to say so.
			c.resign()
			return
		}
	}
	c.reply(out.Replies)
	c.arm()
}

func (c *control) reply(replies []controller.Reply) {
	for _, r := range replies {
		done := c.waiting[r.Token]
		delete(c.waiting, r.Token)
		done(r.Response)
	}
}

// committed tells the controller how far the log is committed.
func (c *control) committed(end wire.Offset) {
	c.reply(c.decider.Committed(end))
}

func (c *control) arm() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	at, ok := c.decider.Deadline()
	if !ok {
		return
	}
	c.timer = c.n.env.Clock.After(time.Duration(at-int64(c.n.env.Clock.Now())), func() {
		c.timer = nil
		if c.decider.Active() {
			c.do(c.decider.Tick(c.moment()))
		}
	})
}

// activeController is the node that leads the quorum, as far as this node knows.
func (n *Node) activeController() wire.NodeID { return n.quorum.leader.LeaderID }

// toController sends a request of this node to the active controller. done comes on a
// later turn. The request's version is the highest that this code speaks.
func (n *Node) toController(req kmsg.Request, timeout time.Duration, done func(kmsg.Response, error)) {
	if v, ok := n.peerVersion(req.Key()); ok {
		req.SetVersion(v)
	}
	to := n.activeController()
	switch {
	case to == wire.NoNode:
		n.env.Clock.After(0, func() { done(nil, kerr.NotController) })
	case to == n.cfg.NodeID:
		n.env.Clock.After(0, func() {
			n.control.handle(req, func(resp kmsg.Response) {
				n.env.Clock.After(0, func() { done(resp, nil) })
			})
		})
	default:
		n.send(to, laneControl, req, timeout, done)
	}
}

// peerVersion is the version in which this node sends a request to another.
func (n *Node) peerVersion(key int16) (int16, bool) {
	r, ok := peerVersions.Lookup(key)
	return r.Max, ok
}

// peerVersions is what every node of this version serves to every other.
var peerVersions = wire.ServedVersions(
	kmsg.AlterPartition.Int16(), kmsg.BrokerRegistration.Int16(), kmsg.BrokerHeartbeat.Int16(),
	kmsg.AllocateProducerIDs.Int16(), kmsg.CreateTopics.Int16(), kmsg.Envelope.Int16(),
)

// handleControl serves the APIs that change the metadata (CreateTopics 2-7,
// DeleteTopics 1-6, CreatePartitions 0-3, AlterConfigs 0-2, IncrementalAlterConfigs 0-1,
// ElectLeaders 0-2, AlterPartitionReassignments 0-1, ListPartitionReassignments 0,
// UnregisterBroker 0, UpdateFeatures 0-2 and the brokers' own requests). The active controller decides them; any other node
// forwards a client's request to it in an Envelope (KIP-590), and answers a broker's
// with NOT_CONTROLLER.
func handleControl(n *Node, r *request) {
	if n.control != nil && n.control.decider.Active() {
		n.control.handle(r.msg, r.reply)
		return
	}
	to := n.activeController()
	if r.via != nil || brokersOnly[kmsg.Key(r.header.Key)] || to == wire.NoNode || to == n.cfg.NodeID {
		r.reply(refusal(r.msg))
		return
	}
	n.forward(r, to, func() { r.reply(refusal(r.msg)) })
}

// forward has the active controller answer a client's request (KIP-590); failed is
// called if no answer came.
func (n *Node) forward(r *request, to wire.NodeID, failed func()) {
	req := kmsg.NewPtrEnvelopeRequest()
	req.RequestData = wire.AppendRequest(nil, r.header.CorrelationID, n.clientID, r.msg)[wire.FramePrefix:]
	req.ClientHostAddress = []byte{0, 0, 0, 0}
	n.send(to, laneForward, req, n.requestTimeout(), func(resp kmsg.Response, err error) {
		answer := r.msg.ResponseKind()
		answer.SetVersion(r.header.Version)
		if err = unwrap(resp, err, r.header.CorrelationID, answer); err == nil {
			r.reply(answer)
			return
		}
		n.env.Trace.Event(env.Debug, "forwarding-failed", env.I("controller", to), env.Err(err))
		failed()
	})
}

// brokersOnly are the requests that only brokers send, straight to the controller.
var brokersOnly = map[kmsg.Key]bool{
	kmsg.BrokerRegistration: true, kmsg.BrokerHeartbeat: true, kmsg.AlterPartition: true, kmsg.AllocateProducerIDs: true,
}

// refusal answers with NOT_CONTROLLER, which clients retry.
func refusal(req kmsg.Request) kmsg.Response {
	return controller.Refuse(req, kerr.NotController)
}

// Envelope (key 58, version 0; KIP-590) carries a client's request that another broker
// forwards to the active controller. Only the requests that change the metadata,
// and DescribeQuorum, may come in one.
func handleEnvelope(n *Node, r *request) {
	req := r.msg.(*kmsg.EnvelopeRequest)
	resp := kmsg.NewPtrEnvelopeResponse()
	if n.control == nil || !n.control.decider.Active() {
		resp.ErrorCode = kerr.NotController.Code
		r.reply(resp)
		return
	}
	header, msg, err := wire.DecodeRequest(req.RequestData, n.versions)
	key := kmsg.Key(header.Key)
	if err != nil || brokersOnly[key] || key != kmsg.DescribeQuorum && !slices.Contains(controller.Handles(), key) {
		resp.ErrorCode = kerr.InvalidRequest.Code
		r.reply(resp)
		return
	}
	inner := &request{conn: r.conn, header: header, msg: msg, via: func(body []byte) {
		resp.ResponseData = body[wire.FramePrefix:]
		r.reply(resp)
	}}
	n.handlers[header.Key](n, inner)
}

// autoCreate creates topics that a client asked about: with the defaults, and the internal
// ones as they have to be.
func (n *Node) autoCreate(names []string) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(n.cfg.RequestTimeoutMs)
	for _, name := range names {
		if !n.creating[name] {
			n.creating[name] = true
			req.Topics = append(req.Topics, n.newTopic(name))
		}
	}
	if len(req.Topics) == 0 {
		return
	}
	finished := func(resp kmsg.Response, err error) {
		for _, t := range req.Topics {
			delete(n.creating, t.Topic)
		}
		if err != nil {
			n.env.Trace.Event(env.Debug, "topics-not-created", env.Err(err))
			return // clients ask again
		}
		for _, t := range resp.(*kmsg.CreateTopicsResponse).Topics {
			if err := kerr.ErrorForCode(t.ErrorCode); err != nil && err != kerr.TopicAlreadyExists {
				n.env.Trace.Event(env.Debug, "topic-not-created", env.S("topic", t.Topic), env.Err(err), env.S("why", stringOf(t.ErrorMessage)))
			}
		}
	}
	req.Version = 7
	to := n.activeController()
	if to == n.cfg.NodeID || to == wire.NoNode {
		n.toController(req, n.requestTimeout(), finished)
		return
	}
	wrapped := kmsg.NewPtrEnvelopeRequest()
	wrapped.RequestData = wire.AppendRequest(nil, 0, n.clientID, req)[wire.FramePrefix:]
	wrapped.ClientHostAddress = []byte{0, 0, 0, 0}
	n.send(to, laneForward, wrapped, n.requestTimeout(), func(resp kmsg.Response, err error) {
		answer := kmsg.Response(kmsg.NewPtrCreateTopicsResponse())
		answer.SetVersion(req.Version)
		finished(answer, unwrap(resp, err, 0, answer))
	})
}

// unwrap takes the answer out of an Envelope's, or tells why there is none.
func unwrap(resp kmsg.Response, err error, correlationID int32, answer kmsg.Response) error {
	if err != nil {
		return err
	}
	e := resp.(*kmsg.EnvelopeResponse)
	if err := kerr.ErrorForCode(e.ErrorCode); err != nil {
		return err
	}
	return wire.DecodeResponse(e.ResponseData, correlationID, answer)
}

func stringOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
