package txn

import (
	"regexp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/wire"
)

// describeTransactions is DescribeTransactions (key 65, version 0; KIP-664). A transaction
// that is being completed shows the partitions without a marker. An unknown id is
// TRANSACTIONAL_ID_NOT_FOUND, an empty one INVALID_REQUEST.
func (t *turn) describeTransactions(r coordinator.Request, req *kmsg.DescribeTransactionsRequest) {
	resp := kmsg.NewPtrDescribeTransactionsResponse()
	for _, id := range req.TransactionalIDs {
		s := kmsg.NewDescribeTransactionsResponseTransactionState()
		s.TransactionalID = id
		x := t.get(id)
		switch {
		case id == "":
			s.ErrorCode = kerr.InvalidRequest.Code
		case x == nil:
			s.ErrorCode = kerr.TransactionalIDNotFound.Code
		default:
			t.describe(x, &s)
		}
		resp.TransactionStates = append(resp.TransactionStates, s)
	}
	t.reply(r, resp)
}

func (t *turn) describe(x *transaction, s *kmsg.DescribeTransactionsResponseTransactionState) {
	s.State, s.TimeoutMillis, s.StartTimestamp = x.state.String(), x.timeout, x.started
	s.ProducerID, s.ProducerEpoch = x.producerID, x.epoch
	partitions := x.partitions
	if c := t.m.completing[x.id]; c != nil {
		partitions = c.unmarked
	}
	for topic, indexes := range wire.ByTopic(partitions) {
		s.Topics = append(s.Topics, kmsg.DescribeTransactionsResponseTransactionStateTopic{Topic: topic, Partitions: indexes})
	}
}

// listTransactions is ListTransactions (key 66, versions 0-2; KIP-664, KIP-994, KIP-1152):
// filters by state, producer id, how long the transaction has been running (version 1),
// and a regular expression that the whole transactional id must match (version 2);
// INVALID_REGULAR_EXPRESSION if it is none. Names of states that do not exist are returned.
//
// Deviation: Kafka takes a transactional id that has never had a transaction for one that
// has been running since 1970.
func (t *turn) listTransactions(r coordinator.Request, req *kmsg.ListTransactionsRequest) {
	resp := kmsg.NewPtrListTransactionsResponse()
	var pattern *regexp.Regexp
	if p := req.TransactionalIDPattern; p != nil && *p != "" {
		var err error
		if pattern, err = regexp.Compile(`\A(?:` + *p + `)\z`); err != nil {
			resp.ErrorCode = kerr.InvalidRegularExpression.Code
			t.reply(r, resp)
			return
		}
	}
	var states []State
	for _, name := range req.StateFilters {
		if s, ok := stateNamed(name); ok {
			states = append(states, s)
		} else {
			resp.UnknownStateFilters = append(resp.UnknownStateFilters, name)
		}
	}
	for _, id := range t.m.ids() {
		x := t.get(id)
		switch {
		case len(req.StateFilters) > 0 && !slices.Contains(states, x.state),
			len(req.ProducerIDFilters) > 0 && !slices.Contains(req.ProducerIDFilters, x.producerID),
			req.DurationFilterMillis >= 0 && (x.started < 0 || t.at.Wall-x.started <= req.DurationFilterMillis),
			pattern != nil && !pattern.MatchString(id):
			continue
		}
		s := kmsg.NewListTransactionsResponseTransactionState()
		s.TransactionalID, s.ProducerID, s.TransactionState = id, x.producerID, x.state.String()
		resp.TransactionStates = append(resp.TransactionStates, s)
	}
	t.reply(r, resp)
}
