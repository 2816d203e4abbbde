package txn

import "github.com/twmb/franz-go/pkg/kerr"

// verdict is what follows from an error code.
type verdict uint8

const (
	done verdict = iota
	// again: the same request, after a back-off.
	again
	// moved: the same, at the coordinator, which must be found again.
	moved
	// abort: the transaction cannot commit any more.
	abort
	// fence: another producer has taken over.
	fence
	// dead: nothing helps.
	dead
)

// judge gives the meaning of an error code as the answer to a request to a coordinator,
// as in the handlers of Java's TransactionManager.
func judge(code int16) verdict {
	switch code {
	case 0:
		return done
	case kerr.NotCoordinator.Code, kerr.CoordinatorNotAvailable.Code:
		return moved
	case kerr.CoordinatorLoadInProgress.Code, kerr.ConcurrentTransactions.Code:
		return again
	case kerr.InvalidProducerEpoch.Code, kerr.ProducerFenced.Code:
		// The first is what coordinators said before there was the second.
		return fence
	case kerr.TransactionAbortable.Code, kerr.UnknownProducerID.Code, kerr.InvalidProducerIDMapping.Code,
		kerr.TopicAuthorizationFailed.Code, kerr.GroupAuthorizationFailed.Code, kerr.OperationNotAttempted.Code,
		kerr.IllegalGeneration.Code, kerr.UnknownMemberID.Code, kerr.FencedInstanceID.Code, kerr.StaleMemberEpoch.Code,
		kerr.OffsetMetadataTooLarge.Code:
		return abort
	}
	if kerr.IsRetriable(kerr.ErrorForCode(code)) {
		return again
	}
	return dead
}

// certainly tells whether a coordinator gives the code only if the request had no effect
// and never will. Those of a coordinator that loses its office are not among them: what
// it has written may last.
func certainly(code int16) bool {
	switch judge(code) {
	case abort, fence:
		return true
	}
	return code == kerr.InvalidTxnState.Code || code == kerr.TransactionalIDAuthorizationFailed.Code
}
