package txn

import (
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/config"
	"odradek/broker/coordinator"
	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// Config is what a machine is told once.
type Config struct {
	// Broker has the keys of transactions. It is read at every use, so that a change of a
	// dynamic config takes effect.
	Broker *config.Broker
	// Fail may be nil.
	Fail *failpoint.Registry
}

// Machine is the transactional ids of one shard. It implements [coordinator.Machine].
//
// Requests with several transactions (DescribeTransactions, AddPartitionsToTxn from version
// 4) are answered for every one in them as if it belonged to this shard; the shell sends
// each shard its own. AddOffsetsToTxn comes as an AddPartitionsToTxn of the partition
// where the group keeps its offsets.
type Machine struct {
	cfg Config
	// transactions is the replay of the log. ongoing counts those in that state.
	transactions map[string]*transaction
	ongoing      int

	// What is below is lost with the machine.

	soft       map[string]*soft
	completing map[string]*completing
	attempts   int64
	epoch      int32 // of the coordinator

	producerIDs producerIDs
	// nextAbort and nextExpiry are when to look for transactions that took too long, and
	// for transactional ids that nobody uses.
	nextAbort, nextExpiry int64
}

// soft is what is known of a transactional id besides its record.
type soft struct {
	lastEpoch int16
	timesOut  int64 // of the ongoing transaction, ns; 0 if there is none
}

var _ coordinator.Machine = (*Machine)(nil)

// New returns a machine without transactions.
func New(cfg Config) *Machine {
	if cfg.Broker == nil {
		panic("txn: Broker must be set")
	}
	return &Machine{
		cfg: cfg, transactions: make(map[string]*transaction),
		soft: make(map[string]*soft), completing: make(map[string]*completing),
	}
}

// Replay implements [coordinator.Machine].
func (m *Machine) Replay(e coordinator.Entry) {
	id, ok := readKey(e.Key)
	if !ok {
		return
	}
	if e.Value == nil {
		m.put(id, nil)
		delete(m.soft, id)
		return
	}
	x, ok := readValue(id, e.Value)
	if !ok {
		return
	}
	if s := m.soft[id]; s != nil {
		x.lastEpoch = s.lastEpoch
	}
	m.put(id, x)
}

func (m *Machine) put(id string, x *transaction) {
	if old := m.transactions[id]; old != nil && old.state == Ongoing {
		m.ongoing--
	}
	if x == nil {
		delete(m.transactions, id)
		return
	}
	m.transactions[id] = x
	if x.state == Ongoing {
		m.ongoing++
	}
}

// soften notes what the record of a decision does not say.
func (m *Machine) soften(at coordinator.Moment, x *transaction) {
	s := m.soft[x.id]
	if s == nil {
		s = &soft{}
		m.soft[x.id] = s
	}
	s.lastEpoch = x.lastEpoch
	switch {
	case x.state != Ongoing:
		s.timesOut = 0
	case s.timesOut == 0:
		s.timesOut = at.Now + ms(x.timeout)
	}
	if !x.state.prepared() {
		delete(m.completing, x.id)
	}
}

// ReplayMarker implements [coordinator.Machine]. Nobody has transactions in this topic.
func (m *Machine) ReplayMarker(coordinator.Marker, wire.Offset) {}

// Loaded implements [coordinator.Machine]: the markers of transactions that are decided are
// written, once more perhaps; those that are ongoing have what is left of their time.
func (m *Machine) Loaded(at coordinator.Moment, coordinatorEpoch int32) coordinator.Decision {
	t := &turn{m: m, at: at}
	m.epoch = coordinatorEpoch
	m.nextAbort, m.nextExpiry = t.later(m.cfg.Broker.TxnAbortTimedOutMs), t.later(m.cfg.Broker.TxnRemoveExpiredMs)
	for _, id := range m.ids() {
		x := m.transactions[id]
		switch {
		case x.state == Ongoing:
			left := int64(x.timeout) - max(at.Wall-x.started, 0)
			m.soft[id] = &soft{lastEpoch: noEpoch, timesOut: at.Now + ms(max(left, 0))}
		case x.state.prepared():
			t.rareEvent("transaction-resumed", x)
			t.sendMarkers(x)
		}
	}
	return t.out
}

// Handle implements [coordinator.Machine].
func (m *Machine) Handle(at coordinator.Moment, r coordinator.Request) coordinator.Decision {
	t := &turn{m: m, at: at}
	t.handle(r)
	return t.out
}

func (t *turn) handle(r coordinator.Request) {
	switch msg := r.Msg.(type) {
	case *kmsg.InitProducerIDRequest:
		t.initProducerID(r, msg)
	case *kmsg.AddPartitionsToTxnRequest:
		t.addPartitions(r, msg)
	case *kmsg.EndTxnRequest:
		t.endTxn(r, msg)
	case *kmsg.DescribeTransactionsRequest:
		t.describeTransactions(r, msg)
	case *kmsg.ListTransactionsRequest:
		t.listTransactions(r, msg)
	case FreshProducerID:
		t.freshProducerID(msg)
	case Written:
		t.written(msg)
	default:
		panic(fmt.Sprintf("txn: no handler for %T", msg))
	}
}

// MetadataChanged implements [coordinator.Machine].
func (m *Machine) MetadataChanged(at coordinator.Moment) coordinator.Decision {
	t := &turn{m: m, at: at}
	t.forgetDeleted()
	return t.out
}

// Deadline implements [coordinator.Machine].
func (m *Machine) Deadline() int64 {
	at := coordinator.Never
	if m.ongoing > 0 {
		at = m.nextAbort
	}
	if len(m.transactions) > 0 {
		at = min(at, m.nextExpiry)
	}
	return at
}

// Tick implements [coordinator.Machine].
func (m *Machine) Tick(at coordinator.Moment) coordinator.Decision {
	t := &turn{m: m, at: at}
	if at.Now >= m.nextAbort {
		m.nextAbort = t.later(m.cfg.Broker.TxnAbortTimedOutMs)
		t.abortTimedOut()
	}
	if at.Now >= m.nextExpiry {
		m.nextExpiry = t.later(m.cfg.Broker.TxnRemoveExpiredMs)
		t.expire()
	}
	return t.out
}

// ids are the transactional ids, sorted.
func (m *Machine) ids() []string { return slices.Sorted(maps.Keys(m.transactions)) }
