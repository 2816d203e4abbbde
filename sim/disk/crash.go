package disk

import "odradek/sim"

// loss counts what one power loss took.
type loss struct {
	sectors, torn, cut, entries int
}

// ProcessCrash ends the operations of the process, which is dead: of what was under
// way each may have happened, in part or not at all. The page cache stays.
func (d *Device) ProcessCrash() {
	d.cutPending(d.k.Now())
	d.dropPending()
	d.tree.root.walk("", func(_ string, n *inode) {
		n.nextSize = n.size
		n.lastEnd, n.unsynced, n.cut = 0, 0, false
	})
}

// PowerLoss is ProcessCrash, and then loses what was not synced. There must be no
// process afterwards until a new one attaches.
func (d *Device) PowerLoss() {
	d.ProcessCrash()
	var lost loss
	d.tree.losePower(d, &lost)
	d.tree.root.walk("", func(_ string, n *inode) {
		n.linked = false // no accounting while pages come and go
		n.losePower(d.random, &lost)
		n.linked = true
		n.blocks = 0
		for _, p := range n.pages {
			if p != nil {
				n.blocks++
			}
		}
		d.used += n.blocks * pageSize
	})
	d.stats.SectorsLost += uint64(lost.sectors)
	d.stats.FilesTorn += uint64(lost.torn)
	d.stats.FilesCut += uint64(lost.cut)
	d.stats.EntriesLost += uint64(lost.entries)
	d.reach("disk-sectors-lost", lost.sectors)
	d.reach("disk-files-torn", lost.torn)
	d.reach("disk-files-cut", lost.cut)
	d.reach("disk-entries-lost", lost.entries)
}

// cutPending lets operations under way happen up to a point. What the process did
// in computing time that it had charged but not yet spent never happened.
func (d *Device) cutPending(now sim.Time) {
	treeCut := false
	for _, o := range d.pending {
		cut := &treeCut
		if o.ino != nil {
			cut = &o.ino.cut
		}
		if *cut || o.submit > now {
			continue
		}
		d.stats.OpsCut++
		d.reach("disk-ops-cut", 1)
		switch d.random.IntN(3) {
		case 0:
			*cut = true
		case 1:
			*cut = true
			if o.kind == OpWrite && d.cfg.Capacity == 0 {
				o.ino.write(o.bufs, o.off, d.random.Int64N(o.size()+1))
			}
		default:
			if o.kind != OpList {
				_ = o.effect(false) // nobody is left to be told
			}
		}
	}
}

func (d *Device) reach(kind string, n int) {
	if n > 0 {
		d.k.Reach(d.k.Kind(kind), n)
	}
}
