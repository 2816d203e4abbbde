// Package consumer is the pure core of a consumer: assigned partitions and positions in; ListOffsets, OffsetForLeaderEpoch and Fetch requests out;
// answers in; records and events out. It does no I/O and has no timers (see
// [Core.Deadline]).
//
// # States of an assigned partition
//
//	resetting   no position: it is asked for with ListOffsets
//	validating  a position whose leader epoch is older than the leader's is
//	            checked with OffsetForLeaderEpoch before it is used (KIP-320)
//	fetching    the position is used
//	stopped     the user must seek
//	awaiting    the position comes from outside: a group's committed offset
//
//	(assigned)             -> resetting | stopped   by the reset policy; or awaiting, for a group
//	awaiting    -> validating | fetching   the committed offset
//	awaiting    -> resetting | stopped     there is none; or it cannot be read
//	resetting   -> fetching     offset received
//	resetting   -> stopped      no offset for the timestamp, or a fatal error
//	fetching    -> validating   metadata show a newer leader epoch
//	fetching    -> resetting    OFFSET_OUT_OF_RANGE with a reset policy
//	fetching    -> stopped      OFFSET_OUT_OF_RANGE without one, corrupt data, a fatal error
//	validating  -> fetching     the log agrees; or truncated, and the policy allows to go on there;
//	                            or the broker is too old to be asked
//	validating  -> resetting    truncated with no known point of divergence
//	validating  -> stopped      truncated, without a reset policy; or a fatal error
//	any         -> resetting | validating | fetching              seek
//
// A truncation that was detected is always an [Event]; whether the consumer goes
// on by itself depends on the reset policy, as in Java.
//
// Imports broker/wire, kmsg, and workloads/client/{attempt,cluster}. Start at
// core.go.
package consumer
