package disk

import (
	"odradek/broker/env"
	"odradek/sim"
)

// mount implements env.Disk for one life of a process.
type mount struct {
	d *Device
	p *sim.Proc
}

// tree submits an operation on the tree: they run one after the other.
func (m *mount) tree(o *op) {
	if !m.p.Alive() {
		return
	}
	o.d, o.p, o.submit = m.d, m.p, m.p.Now()
	start := max(o.submit, m.d.treeEnd)
	due := start.Add(m.d.latency(m.d.cfg.MetaLatency))
	if o.kind == OpSyncDir {
		due = m.d.through(due, pageSize, m.d.cfg.SyncBytes).Add(m.d.flushLatency())
	}
	// Strictly later than the one before: order must not depend on a tie-break.
	m.d.treeEnd = max(due, m.d.treeEnd+1)
	m.d.submit(o, m.d.treeEnd)
}

// Open implements env.Disk.
func (m *mount) Open(path string, mode env.OpenMode, done func(env.File, error)) {
	m.tree(&op{kind: OpOpen, path: path, mode: mode, onOpen: done})
}

// Mkdir implements env.Disk.
func (m *mount) Mkdir(path string, done func(error)) {
	m.tree(&op{kind: OpMkdir, path: path, onErr: done})
}

// Rename implements env.Disk. Replacing, or moving over, a directory is
// fs.ErrExist.
func (m *mount) Rename(from, to string, done func(error)) {
	m.tree(&op{kind: OpRename, path: from, to: to, onErr: done})
}

// Remove implements env.Disk.
func (m *mount) Remove(path string, done func(error)) {
	m.tree(&op{kind: OpRemove, path: path, onErr: done})
}

// List implements env.Disk.
func (m *mount) List(dir string, done func([]env.DirEntry, error)) {
	m.tree(&op{kind: OpList, path: dir, onList: done})
}

// SyncDir implements env.Disk.
func (m *mount) SyncDir(dir string, done func(error)) {
	m.tree(&op{kind: OpSyncDir, path: dir, onErr: done})
}
