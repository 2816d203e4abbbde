// Package raft decides for the metadata quorum, in the style of KIP-595.
package raft
