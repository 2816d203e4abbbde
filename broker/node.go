package broker

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"odradek/broker/config"
	"odradek/broker/env"
	"odradek/broker/fetchsession"
	"odradek/broker/metadata"
	"odradek/broker/raft"
	"odradek/broker/replica"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// Options is what a node is started with.
type Options struct {
	// Config is the node's configuration, checked by package config.
	Config *config.Broker
	// Static is the same as text, for DescribeConfigs.
	Static config.Values
	// ClusterID names the cluster. Empty derives it from the voters, so that the
	// nodes of a new cluster agree without a formatting step.
	ClusterID string
	// Failed is called once if the node cannot go on; the process should end.
	Failed func(error)
	// Probe watches the node, nil for none.
	Probe Probe
	// Ready is called once when the node has bound its address.
	Ready func(addr string)
	// Running is called once when the controller first lets clients see this broker.
	Running func()
}

// Node is one Kafka node: a broker, a controller, or both. All of it runs on the loop
// of its env.
type Node struct {
	env      *env.Env
	cfg      *config.Broker
	static   config.Values
	opts     Options
	clientID string

	clusterID   string
	directoryID wire.UUID
	advertised  config.Listener

	store *storage.Store
	codec *wire.Codec
	// codecs are for work off the loop, while nobody uses them.
	codecs []*wire.Codec
	rules  wire.ProduceRules // scratch of produceRules

	quorum  *quorum
	control *control // nil unless the node is a controller
	life    *lifecycle

	// image is the committed metadata up to, not including, applied.
	image           *metadata.Image
	applied         wire.Offset
	imageGeneration int
	applying        bool
	sinceSnapshot   int64
	snapshotting    bool
	creating        map[string]bool // topics being created on demand

	brokerEpoch      wire.BrokerEpoch
	ready            bool // may be unfenced: logs recovered, metadata caught up
	early            []*earlyRequest
	replicaConfig    replica.Config
	replicas         *replicas
	fetchers         *fetchers
	leaderThrottle   throttle
	followerThrottle throttle
	sessions         *fetchsession.Cache
	fetchScratch     fetchScratch
	alterISR         alterISR
	coordinators     *coordinators
	producerIDs      producerIDs
	txnVerifier      *txnVerifier
	txnMarkers       *txnMarkers
	localMarkers     map[localMarker][]markerPart // on their way to the replicas

	handlers map[int16]handler
	versions *wire.Versions
	decoder  wire.Decoder
	listener env.Listener
	conns    map[int64]*conn
	connsOf  map[string]int // number of conns by the client's host
	lastConn int64
	peers    map[peerKey]*peer

	// stopped is set once nothing may happen any more. stopping are those who asked for a
	// stop that is under way.
	stopped  bool
	stopping []func(error)
}

// Start starts a node on the loop of e. Everything happens later: Ready or Failed tells.
func Start(e *env.Env, o Options) *Node {
	cfg := *o.Config // dynamic configs change it
	n := &Node{
		env: e, cfg: &cfg, static: o.Static, opts: o,
		clientID: "node-" + strconv.Itoa(int(o.Config.NodeID)),
		codec:    wire.NewCodec(o.Config.MaxRequestBytes),
		image:    metadata.NewImage(), brokerEpoch: wire.NoBrokerEpoch,
		handlers: make(map[int16]handler), conns: make(map[int64]*conn), connsOf: make(map[string]int), peers: make(map[peerKey]*peer),
		creating: make(map[string]bool), localMarkers: make(map[localMarker][]markerPart),
	}
	n.clusterID = o.ClusterID
	if n.clusterID == "" {
		n.clusterID = derivedClusterID(o.Config.QuorumVoters)
	}
	n.replicaConfig = replica.DefaultConfig()
	n.replicaConfig.LagTimeMax = ms(n.cfg.ReplicaLagTimeMaxMs)
	n.replicaConfig.FetchBackoff = ms(int64(n.cfg.ReplicaFetchBackoffMs))
	n.replicaConfig.Fail = e.Fail
	n.replicas = newReplicas(n)
	n.fetchers = newFetchers(n)
	sessions := fetchsession.DefaultConfig()
	sessions.Slots = n.cfg.FetchSessionCacheSlots
	n.sessions = fetchsession.NewCache(sessions, e.Rand.Stream("fetch-sessions"))
	n.alterISR.n = n
	n.txnVerifier, n.txnMarkers = newTxnVerifier(n), newTxnMarkers(n)
	n.coordinators = newCoordinators(n)
	e.Tasks.Go(n.start)
	return n
}

func ms[T ~int | ~int64](v T) time.Duration { return time.Duration(v) * time.Millisecond }

func derivedClusterID(voters []config.Voter) string {
	var names []string
	for _, v := range voters {
		names = append(names, fmt.Sprintf("%d@%s:%d", v.ID, v.Host, v.Port))
	}
	slices.Sort(names)
	sum := sha256.Sum256([]byte(strings.Join(names, ",")))
	return wire.UUID(sum[:16]).String()
}

func (n *Node) start(t *env.Task) {
	var err error
	if n.store, err = storage.OpenStore(t, n.env, storage.StoreConfig{ClusterID: n.clusterID, NodeID: n.cfg.NodeID}); err != nil {
		n.fail("the data directory cannot be opened", err)
		return
	}
	n.directoryID = n.store.DirectoryID()
	n.registerHandlers()
	if n.quorum, err = openQuorum(t, n); err != nil {
		n.fail("the metadata log cannot be opened", err)
		return
	}
	if n.cfg.IsController() {
		n.control = newControl(n)
	}
	if n.stopped {
		return
	}
	l := n.cfg.Listeners[0]
	n.listener, err = n.env.Net.Listen(joinHostPort(l.Host, l.Port), n.accept)
	if err != nil {
		n.fail("the listener cannot be bound", err)
		return
	}
	n.advertise()
	n.quorum.run() // the first effects are waiting
	n.env.Trace.Event(env.Info, "node-started", env.I("node", n.cfg.NodeID), env.S("address", n.listener.Addr()))
	if n.opts.Ready != nil {
		n.opts.Ready(n.listener.Addr())
	}
	if !n.cfg.IsBroker() {
		return
	}
	n.replicas.recover(t)
	if n.stopped {
		return
	}
	n.life = &lifecycle{n: n, incarnation: randomUUID(n.env), previousEpoch: wire.NoBrokerEpoch}
	if was := n.store.PreviousShutdown(); was.Clean {
		n.life.previousEpoch = was.BrokerEpoch
	}
	n.life.step()
	n.every(ms(n.cfg.HWCheckpointIntervalMs), func() { n.replicas.checkpoint(n.warn("checkpoint-failed")) })
	n.every(ms(n.cfg.RecoveryPointIntervalMs), func() { n.store.Checkpoint(n.warn("checkpoint-failed")) })
	n.every(ms(n.cfg.RetentionCheckMs), n.replicas.retain)
	n.startCleaning()
	n.every(ms(n.cfg.ProducerIDCheckMs), n.replicas.expireProducers)
}

// advertise settles where others are told to reach this node.
func (n *Node) advertise() {
	n.advertised = n.cfg.Listeners[0]
	if len(n.cfg.AdvertisedListeners) > 0 {
		n.advertised = n.cfg.AdvertisedListeners[0]
	}
	if n.advertised.Port == 0 {
		if i := strings.LastIndexByte(n.listener.Addr(), ':'); i >= 0 {
			n.advertised.Port, _ = strconv.Atoi(n.listener.Addr()[i+1:])
		}
	}
	if n.advertised.Host == "" {
		n.advertised.Host = "localhost"
	}
}

func joinHostPort(host string, port int) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		return fmt.Sprintf("[%s]:%d", host, port)
	}
	return fmt.Sprintf("%s:%d", host, port)
}

func randomUUID(e *env.Env) wire.UUID {
	r := e.Rand.Stream("incarnation")
	var u wire.UUID
	for i := range u {
		u[i] = byte(r.Uint32())
	}
	return u
}

// every runs f again and again until the node stops.
func (n *Node) every(d time.Duration, f func()) {
	if d <= 0 {
		return
	}
	n.env.Clock.After(d, func() {
		if n.stopped {
			return
		}
		f()
		n.every(d, f)
	})
}

func (n *Node) warn(kind string) func(error) {
	return func(err error) {
		if err != nil {
			n.env.Trace.Event(env.Warn, kind, env.Err(err))
		}
	}
}

// fail ends the node: what happened leaves no way to go on that keeps its promises.
func (n *Node) fail(what string, err error) {
	if n.stopped {
		return
	}
	n.env.Trace.Event(env.Error, "node-failed", env.S("what", what), env.Err(err))
	n.halt()
	if n.opts.Failed != nil {
		n.opts.Failed(fmt.Errorf("%s: %w", what, err))
	}
}

// logFailed follows the loss of a log. Without the chance to hand over leadership of
// single partitions by directory (KIP-858), a broker whose disk fails under a partition
// leaves as a whole: the controller then elects other leaders.
func (n *Node) logFailed(p *partition, err error) {
	n.env.Clock.After(0, func() { n.fail(fmt.Sprintf("log of %s failed", p.tp), err) })
}

// halt stops everything at once.
func (n *Node) halt() {
	n.stopped = true
	if n.quorum != nil {
		n.quorum.dead = true
	}
	if n.listener != nil {
		n.listener.Close()
	}
	ids := make([]int64, 0, len(n.conns))
	for id := range n.conns { //odradek:unordered sorted below
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		n.conns[id].close()
	}
	keys := make([]peerKey, 0, len(n.peers))
	for k := range n.peers { //odradek:unordered sorted below
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b peerKey) int {
		if a.node != b.node {
			return int(a.node) - int(b.node)
		}
		return int(a.lane) - int(b.lane)
	})
	for _, k := range keys {
		n.peers[k].drop(errStopped)
	}
	n.fetchers.stop()
}

// Shutdown stops the node in good order: leaders move away (controlled shutdown), the
// quorum gets another leader, logs are flushed and closed, and the next start finds
// that nothing has to be recovered. done gets the error that kept it from being clean.
// Asking again joins the stop that is under way.
func (n *Node) Shutdown(done func(error)) {
	if len(n.stopping) > 0 || n.life == nil || n.stopped || !n.cfg.ControlledShutdown {
		n.ShutdownNow(done)
		return
	}
	n.stopping = append(n.stopping, done)
	n.life.stop(time.Duration(n.cfg.ControlledShutdownTries)*ms(n.cfg.ControlledShutdownWaitMs), n.close)
}

// ShutdownNow is Shutdown without asking the controller to move leaders away first, for
// a node that nobody can take over from. Once Shutdown is asking, it goes on asking.
func (n *Node) ShutdownNow(done func(error)) {
	if len(n.stopping) > 0 {
		n.stopping = append(n.stopping, done)
		return
	}
	if n.stopped || n.store == nil || n.quorum == nil {
		n.stopped = true
		n.env.Clock.After(0, func() { done(nil) })
		return
	}
	n.stopping = append(n.stopping, done)
	n.close()
}

// close is the second half of a stop in good order.
func (n *Node) close() {
	if n.control != nil && n.control.decider.Active() {
		n.quorum.input(func(now int64) { n.quorum.raft.Resign(now, n.control.epoch) })
	}
	// The quorum's farewell leaves before the connections are cut.
	n.env.Clock.After(farewell, func() {
		if n.stopped {
			n.closed(nil) // failed meanwhile
			return
		}
		n.replicas.close()
		n.halt()
		n.replicas.checkpoint(func(err error) {
			n.store.Close(n.closingEpoch(), func(closeErr error) { n.closed(errors.Join(err, closeErr)) })
		})
	})
}

// closed tells everybody who asked for the stop.
func (n *Node) closed(err error) {
	waiting := n.stopping
	n.stopping = nil
	for _, done := range waiting {
		done(err)
	}
}

// closingEpoch is the broker epoch that a clean stop leaves for the next start. A node
// that has not been registered in this life has changed nothing: what the life before it
// left still holds.
func (n *Node) closingEpoch() wire.BrokerEpoch {
	if n.brokerEpoch == wire.NoBrokerEpoch && n.store.PreviousShutdown().Clean {
		return n.store.PreviousShutdown().BrokerEpoch
	}
	return n.brokerEpoch
}

// farewell is how long a stopping node still answers.
const farewell = 20 * time.Millisecond

// close ends all roles, so that nothing more is appended.
func (rs *replicas) close() {
	for _, p := range rs.list {
		p.resign(notLeader)
		p.unfollow()
		p.gone = true
	}
}

func (n *Node) wallMillis() int64 { return n.env.Clock.Wall() / int64(time.Millisecond) }

func (n *Node) requestTimeout() time.Duration { return ms(n.cfg.QuorumRequestTimeoutMs) }

func (n *Node) fetchBackoff() time.Duration { return ms(n.cfg.ReplicaFetchBackoffMs) }

// fetchTimeout bounds a replica fetch: what the leader may wait, and a round trip.
func (n *Node) fetchTimeout() time.Duration {
	return ms(n.cfg.ReplicaFetchMaxWaitMs) + n.requestTimeout()
}

// quorumConfig are the settings of the raft decider.
func (n *Node) quorumConfig() raft.Config {
	c := raft.DefaultConfig()
	c.NodeID = n.cfg.NodeID
	for _, v := range n.cfg.QuorumVoters {
		c.Voters = append(c.Voters, v.ID)
	}
	c.ElectionTimeout = ms(n.cfg.QuorumElectionTimeoutMs)
	c.ElectionBackoffMax = ms(n.cfg.QuorumElectionBackoffMs)
	c.FetchTimeout = ms(n.cfg.QuorumFetchTimeoutMs)
	c.RequestTimeout = ms(n.cfg.QuorumRequestTimeoutMs)
	c.RetryBackoff = ms(n.cfg.QuorumRetryBackoffMs)
	c.FetchMaxWait = min(c.FetchMaxWait, c.FetchTimeout/3, c.RequestTimeout/3)
	c.Rand, c.Fail = n.env.Rand.Stream("raft"), n.env.Fail
	return c
}

// storageConfig is what a log needs of a topic's config.
func storageConfig(t *config.Topic) storage.Config {
	c := storage.DefaultConfig()
	c.SegmentBytes, c.SegmentTime = int64(t.SegmentBytes), longMS(t.SegmentMs)
	c.IndexBytes, c.IndexIntervalBytes = int64(t.SegmentIndexBytes), int64(t.IndexIntervalBytes)
	c.RetentionTime, c.RetentionBytes = longMS(t.RetentionMs), t.RetentionBytes
	c.FlushMessages = t.FlushMessages
	if t.FlushMs < math.MaxInt64/int64(time.Millisecond) {
		c.FlushTime = ms(t.FlushMs)
	}
	c.FileDeleteDelay = longMS(t.FileDeleteDelayMs)
	c.LogAppendTime = t.LogAppendTime()
	c.Compact, c.MinDirtyPPM = t.Compact(), t.MinCleanableDirtyRatioPPM
	c.MinCompactionLag, c.MaxCompactionLag = longMS(t.MinCompactionLagMs), longMS(t.MaxCompactionLagMs)
	c.DeleteRetention = longMS(t.DeleteRetentionMs)
	if c.Compact {
		c.SegmentTime = min(c.SegmentTime, c.MaxCompactionLag) // the active segment is not compacted
	}
	return c
}

// longMS converts a time that may be "for ever".
func longMS(v int64) time.Duration {
	if v > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return ms(v)
}
