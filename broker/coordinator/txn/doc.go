// Package txn is the transaction coordinator of one shard: the transactional ids that hash
// to one partition of __transaction_state. [Machine] is a coordinator.Machine: requests go
// in, records and responses come out.
//
// # What is durable
//
// One record per transactional id, in Kafka's schema (records.go): who its producer is (id
// and epoch), the state of its transaction, and the partitions in it. Whatever changes
// that is a record first, also the first partition of a transaction. What is soft: which
// partitions have their marker already, which a new coordinator writes once more.
//
// # How a transaction ends
//
// A Prepare record decides it. Once that has committed, the machine tells its shell by
// [SendMarkers] which partitions need a marker; the shell comes back with [Written] for
// every one of them, in any order and after any number of tries, and after the last the
// machine writes the Complete record. A machine that loads a log in which a transaction is
// prepared begins at the markers again.
//
// # Duties of the shell
//
//   - [WantProducerID] is answered with [FreshProducerID], also if there is none.
//   - [SendMarkers] is carried out until every partition has its marker, or the shard ends.
//
// # Where to start
//
// state.go has the states and every legal transition; transaction.go one transactional id;
// machine.go dispatches to the handle_*.go files, one a request, and markers.go.
//
// # Imports
//
// The parent package, wire, failpoint, metadata, config, kmsg, kerr.
//
// # Rejected
//
// Kafka's "pending state" of every transaction, which blocks it while an append is under
// way: here the state is what was decided, and answers wait for the commit.
//
// A producer id handed in with every request that may need one: most do not, and ids that
// are thrown away look like leaks to whoever reads the log.
package txn
