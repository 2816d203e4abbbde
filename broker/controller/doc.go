// Package controller decides every change of the cluster's metadata: who is a
// member, which topics exist, who leads which partition. It is a pure decider.
//
// A [Controller] lives on every voter of the metadata quorum. On the quorum's
// leader it is active: it decides requests against a pending image, which is the
// committed image plus everything decided since, so that two requests that
// conflict cannot both succeed. The records of a decision go to the shell to be
// appended; the response stays parked here until they have committed.
//
//	inactive --Lead(committed image)--> active --Resign()--> inactive
//
// Resigning drops the pending image and answers everything parked with
// NOT_CONTROLLER: the records may or may not commit, so the client must ask again.
//
// # The caller's duties
//
//   - Call Lead only once the first entry of the node's own epoch has committed and
//     been replayed; the image given must contain every earlier entry.
//   - Append the records of an [Output] as one batch, at the NextOffset that the
//     call was given, before the next call. If that fails, call Resign.
//   - Call Committed as the high watermark moves, and Tick at Deadline at the latest.
//
// # Where to start
//
// controller.go is the frame. leadership.go holds the rules by which a partition's
// leader, ISR and ELR change, and everything that can change them goes through it.
// One file per request (handle_*.go) names its API key, versions and deviations.
//
// # Imports
//
// The standard library, wire, metadata, config, failpoint, and kmsg and kerr for
// requests, responses and error codes.
//
// # Deviations from Kafka
//
// Log directories are recorded but a replica's directory is not checked when it is
// elected (KIP-858's fail-over between disks); no authorizer, quotas or policies.
// Raising min.insync.replicas also raises partition epochs, and an ELR is cleared as
// soon as an election from it meets the minimum (see sweep.go and leadership.go).
//
// # Rejected
//
// Answering when a decision is made and undoing it when it fails to commit: that
// is historical bug KAFKA-14154, which the failpoint of zoo 10 plants. Snapshots
// of in-memory state by epoch (Kafka's timeline structures): one pending image,
// cloned on taking office, does the same at the cost of one copy per election.
package controller
