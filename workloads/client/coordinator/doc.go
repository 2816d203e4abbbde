// Package coordinator finds the coordinator of a group or of a transactional id, and
// remembers it until it shows itself not to be it any more. It is a pure core: answers and
// now in, FindCoordinator requests and a Deadline out.
//
//	f := coordinator.New(coordinator.Group, "g", meta, backoff, rng)
//	if node, ok := f.Node(); ok { ... send to node ... } else { f.Want() }
//	if req, ok := f.Poll(now, id); ok { ... send req, then OnResponse or OnFailure ... }
//	f.Lost(node) // node answered NOT_COORDINATOR, or its connection broke
//
// # States
//
//	unknown  -> looking   wanted, and the back-off is over
//	looking  -> known     the answer names a node
//	looking  -> unknown   an error, or no answer
//	known    -> unknown   Lost
//
// A lookup costs a round trip to any broker, and the answer may be as old as that broker's
// metadata: a node that has just lost the office may be named again. Whoever is refused
// by it backs off before the next attempt, as with any refusal; the finder itself
// backs off only from lookups that fail.
//
// Imports kmsg, kerr, broker/wire and workloads/client/{attempt,cluster}. Start at
// finder.go.
//
// Rejected: looking up several keys at once (FindCoordinator 4), as a group's member and
// a producer have one each.
package coordinator
