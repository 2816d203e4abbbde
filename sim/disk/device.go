package disk

import (
	"time"

	"odradek/broker/env"
	"odradek/sim"
)

// Config is the timing and size of a disk.
type Config struct {
	ReadLatency  time.Duration // a read
	WriteLatency time.Duration // a write into the page cache, a truncation
	SyncLatency  time.Duration // a flush of the device's cache
	MetaLatency  time.Duration // open, mkdir, rename, remove, list
	ReadBytes    int64         // bandwidth of reads, bytes/s
	CacheBytes   int64         // bandwidth of writes into the page cache, bytes/s
	SyncBytes    int64         // bandwidth of writing dirty pages, bytes/s
	Capacity     int64         // bytes; 0 is unlimited
}

// DefaultConfig is a data-centre NVMe drive.
func DefaultConfig() Config {
	return Config{
		ReadLatency:  20 * time.Microsecond,
		WriteLatency: 5 * time.Microsecond,
		SyncLatency:  200 * time.Microsecond,
		MetaLatency:  10 * time.Microsecond,
		ReadBytes:    2_000_000_000,
		CacheBytes:   4_000_000_000,
		SyncBytes:    1_000_000_000,
	}
}

// Op names a kind of operation for the injection of faults.
type Op uint8

const (
	OpRead Op = iota
	OpWrite
	OpSync
	OpTruncate
	OpOpen
	OpMkdir
	OpRename
	OpRemove
	OpList
	OpSyncDir
	numOps
)

// Device is a machine's disk. It outlives the machine's processes.
type Device struct{}

// New returns an empty disk. Its draws come from the stream "disk/"+name.
func New(k *sim.Kernel, name string, node sim.Node, cfg Config) *Device { panic("not yet") }

// Attach returns the disk as one life of the machine's process sees it.
func (d *Device) Attach(p *sim.Proc) env.Disk { panic("not yet") }

// ProcessCrash ends the operations of the process, which is dead: the page cache
// stays.
func (d *Device) ProcessCrash() { panic("not yet") }

// PowerLoss is ProcessCrash, and then loses what was not synced.
func (d *Device) PowerLoss() { panic("not yet") }

// Wipe replaces the disk by an empty one.
func (d *Device) Wipe() { panic("not yet") }

// SetSlow multiplies all times by factor (1 is normal), from the next operation on.
func (d *Device) SetSlow(factor int) { panic("not yet") }

// SetCapacity changes the size in bytes; 0 is unlimited. What is already there
// stays.
func (d *Device) SetCapacity(bytes int64) { panic("not yet") }

// SetErrorRate makes operations of a kind fail with env.ErrIO, so many of a million.
func (d *Device) SetErrorRate(op Op, perMillion int) { panic("not yet") }

// FailNext makes the next n operations of a kind whose path contains substr fail
// with env.ErrIO.
func (d *Device) FailNext(op Op, substr string, n int) { panic("not yet") }

// Corrupt flips the bits of mask in one byte of a file, on the disk and in the
// cache, as bad memory or a lying drive does. It reports whether there was such a
// byte.
func (d *Device) Corrupt(path string, off int64, mask byte) bool { panic("not yet") }

// FileState is a file as Snapshot found it.
type FileState struct {
	Path string
	Data []byte
	// Synced tells that a power loss would leave data and length as they are. The
	// name may still be lost.
	Synced bool
}

// Snapshot lists the files with their contents as a process would read them,
// sorted by path.
func (d *Device) Snapshot() []FileState { panic("not yet") }

// Used is the space taken by the files, in bytes.
func (d *Device) Used() int64 { panic("not yet") }

// Stats counts what has been done and the faults that really happened. They are
// also trace counters of the same names ("disk-sectors-lost").
type Stats struct {
	Ops          [numOps]uint64
	BytesRead    uint64
	BytesWritten uint64
	BytesSynced  uint64

	SectorsLost  uint64 // new content replaced by old at power losses
	FilesTorn    uint64 // files that kept some new sectors and lost others
	FilesCut     uint64 // files that lost length
	EntriesLost  uint64 // changes of directories undone
	OpsCut       uint64 // operations that a crash found unfinished
	IOErrors     uint64
	NoSpace      uint64
	PagesDropped uint64 // by failed syncs
	BytesFlipped uint64
}

// Stats returns the counters so far.
func (d *Device) Stats() Stats { panic("not yet") }
