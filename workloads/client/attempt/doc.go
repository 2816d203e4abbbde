// Package attempt is what the client's cores share: a request on its way to a
// node, the meaning of an error code, how sure one may be of an outcome, and the
// back-off between attempts.
//
// An operation of a user (one record sent, one topic created) may take several
// attempts. A final error says nothing about the earlier ones: a produce that
// ends in NOT_ENOUGH_REPLICAS may have been appended by an attempt before it
// whose answer was lost. So every attempt keeps its own [Outcome] and the
// operation's is their combination, see [Combine].
//
// Imports kmsg, kerr and broker/wire. Start at outcome.go.
package attempt
