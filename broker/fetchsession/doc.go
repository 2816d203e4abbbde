// Package fetchsession decides about incremental fetch sessions (KIP-227).
//
// A client that fetches many partitions over and over sends, within a session, only
// those whose parameters changed, and gets only those that have something new. The
// server half is [Cache]: which partitions a request means, which of them belong into
// the response, whose session is given up when slots run out. The client half, for
// the follower's fetcher and for scripted consumers, is [Client].
//
// Both are pure deciders: no I/O, no clock. Session ids come from a random stream
// that the caller passes. Partitions are served in an order that is part of the
// state: one that was in a response goes to the end, so that those which got nothing
// because the response was full come first next time.
//
// Topics go by name up to Fetch version 12 and by id from version 13 on (KIP-516). A
// session is of one kind; [Key] holds either. Names of ids are the caller's business.
//
// # Imports
//
// wire, kerr. Start at cache.go, then client.go.
//
// # Rejected
//
// Kafka shards its cache to spare a lock and keeps three sorted maps for eviction; one
// loop needs no lock, and a scan of the slots, only when a full cache meets a new
// session, needs no maps.
package fetchsession
