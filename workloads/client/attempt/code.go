package attempt

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Class is what an error code means to a client.
type Class struct {
	// Outcome of the attempt that was answered with the code.
	Outcome Outcome
	// Retriable: a later attempt may succeed without the user's doing.
	Retriable bool
	// Refresh: what the client knows about the cluster is out of date.
	Refresh bool
}

// Classify gives the meaning of an error code as the answer to Produce. What is
// not listed is unknown and final.
//
// Only codes that a broker gives before it appends anything are Failed. The
// others are Unknown even where Kafka today checks first: UNKNOWN_TOPIC_OR_PARTITION
// and NOT_LEADER_OR_FOLLOWER, for instance, are also what a write that waits for
// its replicas is told when the partition goes away under it.
func Classify(code int16) Class {
	switch code {
	case 0:
		return Class{Outcome: OK}
	case kerr.NotEnoughReplicas.Code, kerr.ThrottlingQuotaExceeded.Code:
		return Class{Outcome: Failed, Retriable: true}
	case kerr.CorruptMessage.Code:
		return Class{Outcome: Failed, Retriable: true}
	case kerr.MessageTooLarge.Code, kerr.RecordListTooLarge.Code, kerr.InvalidRecord.Code,
		kerr.InvalidTimestamp.Code, kerr.UnsupportedForMessageFormat.Code,
		kerr.UnsupportedCompressionType.Code, kerr.InvalidTopicException.Code,
		kerr.TopicAuthorizationFailed.Code, kerr.ClusterAuthorizationFailed.Code,
		kerr.InvalidRequiredAcks.Code, kerr.PolicyViolation.Code, kerr.UnsupportedVersion.Code,
		kerr.InvalidProducerEpoch.Code, kerr.OutOfOrderSequenceNumber.Code,
		kerr.UnknownProducerID.Code, kerr.ProducerFenced.Code, kerr.InvalidTxnState.Code,
		kerr.InvalidProducerIDMapping.Code, kerr.TransactionAbortable.Code:
		return Class{Outcome: Failed}
	case kerr.ConcurrentTransactions.Code, kerr.CoordinatorNotAvailable.Code,
		kerr.NotCoordinator.Code, kerr.CoordinatorLoadInProgress.Code:
		// The transaction could not be verified (KIP-890), so nothing was appended.
		return Class{Outcome: Failed, Retriable: true}
	case kerr.NotLeaderForPartition.Code, kerr.UnknownTopicOrPartition.Code, kerr.UnknownTopicID.Code,
		kerr.LeaderNotAvailable.Code, kerr.ReplicaNotAvailable.Code, kerr.FencedLeaderEpoch.Code,
		kerr.UnknownLeaderEpoch.Code, kerr.KafkaStorageError.Code, kerr.NetworkException.Code,
		kerr.InconsistentTopicID.Code, kerr.NotController.Code, kerr.OffsetNotAvailable.Code:
		return Class{Outcome: Unknown, Retriable: true, Refresh: true}
	case kerr.RequestTimedOut.Code, kerr.NotEnoughReplicasAfterAppend.Code:
		return Class{Outcome: Unknown, Retriable: true}
	}
	return Class{Outcome: Unknown}
}

// ClassifyAdmin gives the meaning of an error code as the answer to a request that
// changes or describes the cluster. What is not listed is unknown and final.
func ClassifyAdmin(code int16) Class {
	switch code {
	case 0:
		return Class{Outcome: OK}
	case kerr.NotController.Code, kerr.LeaderNotAvailable.Code, kerr.NotLeaderForPartition.Code,
		kerr.FencedLeaderEpoch.Code, kerr.UnknownLeaderEpoch.Code, kerr.OffsetNotAvailable.Code,
		kerr.KafkaStorageError.Code, kerr.NetworkException.Code:
		// NOT_CONTROLLER too may be the answer to a change that was under way when the
		// controller lost its office, and that its successor will keep.
		return Class{Outcome: Unknown, Retriable: true, Refresh: true}
	case kerr.RequestTimedOut.Code:
		return Class{Outcome: Unknown, Retriable: true}
	case kerr.ThrottlingQuotaExceeded.Code:
		return Class{Outcome: Failed, Retriable: true}
	case kerr.TopicAlreadyExists.Code, kerr.UnknownTopicOrPartition.Code, kerr.UnknownTopicID.Code,
		kerr.InvalidTopicException.Code, kerr.InvalidPartitions.Code, kerr.InvalidReplicationFactor.Code,
		kerr.InvalidReplicaAssignment.Code, kerr.InvalidConfig.Code, kerr.InvalidRequest.Code,
		kerr.PolicyViolation.Code, kerr.UnsupportedVersion.Code, kerr.TopicDeletionDisabled.Code,
		kerr.TopicAuthorizationFailed.Code, kerr.ClusterAuthorizationFailed.Code,
		kerr.ReassignmentInProgress.Code:
		return Class{Outcome: Failed}
	}
	return Class{Outcome: Unknown}
}

// CodeError is an error code of the protocol as an error that unwraps to kerr's.
type CodeError struct {
	Code int16
	// Detail is the broker's message, if it sent one.
	Detail string
}

func (e *CodeError) Error() string {
	if e.Detail != "" {
		return fmt.Sprintf("%s: %s", CodeName(e.Code), e.Detail)
	}
	return CodeName(e.Code)
}

// Unwrap gives kerr's error of the code, for errors.Is.
func (e *CodeError) Unwrap() error { return kerr.ErrorForCode(e.Code) }

// NewCodeError is nil for code 0.
func NewCodeError(code int16, detail *string) error {
	if code == 0 {
		return nil
	}
	e := &CodeError{Code: code}
	if detail != nil {
		e.Detail = *detail
	}
	return e
}

// CodeName is Kafka's name of an error code.
func CodeName(code int16) string {
	switch code {
	case 0:
		return "NONE"
	case kerr.NotLeaderForPartition.Code:
		return "NOT_LEADER_OR_FOLLOWER" // its name since KIP-392; kerr has the old one
	}
	if e := kerr.TypedErrorForCode(code); e.Code == code {
		return e.Message
	}
	return fmt.Sprintf("ERROR_%d", code)
}
