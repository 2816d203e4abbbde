// Package coordinatortest is the world around one shard in tests of its machine: the log,
// the clock, the metadata, and the configs of the broker. It does what the node does for
// a shard, so that transcripts and random histories of package group and package txn only
// have what is their own: clients, and words for what these are told.
//
// # Where to start
//
// story.go has [Story], which runs the shard and hands what comes of it to a [Shell];
// world.go what happens around it; args.go the arguments of directives.
//
// # Imports
//
// The parent package, wire, failpoint, metadata, config, kmsg, kerr, datadriven.
package coordinatortest
