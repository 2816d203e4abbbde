// Package disk is the simulated disk: env.Disk with a page cache that a power
// loss empties, a journal of directory changes whose tail it cuts off, a timing
// model, and faults.
//
// # What survives
//
// A process crash keeps everything that had taken effect. Operations submitted
// but not completed happen up to a point drawn from the seed: earlier ones of a
// file (or of the tree) whole, one in part, later ones not at all.
//
// A power loss ([Device.PowerLoss]) does that too and then, for what was not
// synced:
//
//   - Data. Each 512-byte sector written since the last successful Sync keeps its
//     old or its new content, independently. How likely the new one is, is drawn per
//     file: none, few, half, most or all. Versions between the two are not modelled.
//   - Length. The length becomes anything from the synced one to the present one.
//     Sectors lost inside it read as what they were, zeroes if they were not there.
//     A truncation below the synced length since the last Sync may be undone as a
//     whole, and then brings the old bytes back.
//   - Names. Changes of a directory (create, remove, rename, mkdir) are a journal,
//     and every directory loses a tail of its own that begins at a random point. A
//     rename between directories is one entry of both: it is kept or lost as a
//     whole, and losing it loses what followed in either. SyncDir makes a directory's
//     entries durable so far, with those of other directories they depend on.
//     Syncing a file does not make its name durable: a file may be whole and
//     nowhere. A lost Remove brings the file back.
//
// A failed Sync drops the dirty pages, as Linux does: of each page it is drawn
// whether it was written before the error. The others count as clean although
// the disk does not have them: a later Sync does not write them, so that a power
// loss takes them back even then; half of the time they are also dropped from
// the cache, so that the old content reappears at once.
//
// # Timing
//
// Latencies run in parallel; transfers queue for the device's bandwidth. Writes
// go to the page cache, at the speed of memory; Sync pays for the transfer. Reads
// come from the page cache, except of what was written before the last power
// loss. Operations on the tree run one after the other.
//
// # Imports
//
// sim, broker/env and the standard library. Start reading at device.go; the
// crash model is crash.go.
//
// # Rejected
//
// A log of every write with replay of a subset would model intermediate versions of
// a sector, at the price of keeping all of them. Pre-images of pages cost nothing
// but a pointer when a page is first overwritten. One journal for the whole file
// system, as ext4 has, would make SyncDir of one directory commit all others, and
// a forgotten SyncDir would go unnoticed.
package disk
