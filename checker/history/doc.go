// Package history records what clients of a log experienced and finds the
// anomalies in it.
//
// # Recording
//
// A client calls [Recorder.Invoke] before it does something and [Recorder.Return]
// when it knows the outcome; an operation that never returns is unknown. Each
// event gets the next sequence number, and only these numbers order events:
// operations at the same virtual instant must not look concurrent. [Event] is one
// flat structure, which fields matter depends on the [Func]:
//
//	append         one record sent by one producer. Invoke: Process, Topic,
//	               Partition, Value (unique), Acks, Idempotent, InFlight.
//	               Return: Outcome, Code, Offset (-1 if not told).
//	request        one Produce request, of which an append may need several.
//	               Invoke: Of, the appends it carries. Return: Outcome, Code.
//	poll           Return: Records, what a consumer got of one partition.
//	seek           the consumer's position was set: assignment, seek, rebalance, a
//	               truncation it was told of. Invoke only; Offset, Detail.
//	list-offsets   Return: Offset. Invoke: Which, Exact.
//	final          Return: Start, End, Records: a piece of the log after
//	               everything healed. Read every partition whole, in order.
//	admin          Detail; not judged.
//
// A poll or final read that returns several partitions is recorded as one operation
// for each, when it returns. A process is one session: a producer that restarts is another process. A log
// record that no client wrote (a control record) is a Record with Value 0.
//
// # Judging
//
// [Check] takes the events and the [Guarantees] of the run and returns every
// anomaly, each either a violation or allowed, with the reason. Allowed ones are
// reported too: a run under weak settings has to show some, else its faults were
// too weak.
//
// # Rejected
//
// Ordering by time stamps; judging a failed operation by its last error alone (an
// earlier request of it may have been appended); keeping only violations.
package history
