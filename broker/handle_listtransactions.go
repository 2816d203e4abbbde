package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListTransactions (key 66, versions 0-2; KIP-664, KIP-994, KIP-1152) lists the transactions that
// this broker coordinates: who wants them all asks every broker. They are filtered by state
// and producer id, from version 1 on by how long they have been running, from version 2 on by
// a regular expression. While a shard is being loaded the whole answer is
// COORDINATOR_LOAD_IN_PROGRESS, as a list that leaves some out would be taken for the truth.
//
// It is decided in package coordinator/txn, by every shard that is led here.
func handleListTransactions(n *Node, r *request) {
	resp := kmsg.NewPtrListTransactionsResponse()
	n.askAll(transactionCoordinator, r.sender(), r.msg.(*kmsg.ListTransactionsRequest), func(part kmsg.Response) {
		p := part.(*kmsg.ListTransactionsResponse)
		if resp.ErrorCode == 0 {
			resp.ErrorCode = p.ErrorCode
		}
		for _, name := range p.UnknownStateFilters {
			if !slices.Contains(resp.UnknownStateFilters, name) {
				resp.UnknownStateFilters = append(resp.UnknownStateFilters, name)
			}
		}
		resp.TransactionStates = append(resp.TransactionStates, p.TransactionStates...)
	}, func() {
		if resp.ErrorCode != 0 {
			resp.TransactionStates = nil
		}
		r.reply(resp)
	})
}
