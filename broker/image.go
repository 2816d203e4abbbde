package broker

import (
	"fmt"
	"strings"

	"odradek/broker/controller"
	"odradek/broker/env"
	"odradek/broker/metadata"
	"odradek/broker/storage"
	"odradek/broker/wire"
)

// applyBytes is how much of the metadata log is replayed at a time.
const applyBytes = 1 << 20

// applyCommitted replays what the quorum has committed into the image and tells the
// rest of the node what changed.
func (n *Node) applyCommitted() {
	if n.applying || n.stopped {
		return
	}
	n.applying = true
	n.env.Tasks.Go(func(t *env.Task) {
		for n.applied < n.quorum.hw && !n.stopped {
			from, generation := n.applied, n.imageGeneration
			var batches []byte
			var err error
			t.Suspend(func(wake func()) {
				req := storage.ReadRequest{From: from, UpTo: n.quorum.hw, MaxBytes: applyBytes, MinOneBatch: true}
				n.quorum.log.ReadBatches(req, func(b []byte, _ storage.ReadResult, e error) {
					batches, err = b, e
					wake()
				})
			})
			if generation != n.imageGeneration {
				continue // a snapshot took the image's place meanwhile
			}
			if err != nil && n.quorum.cuts > 0 {
				n.applying = false
				return // a snapshot is taking the log's place; once it is loaded this goes on
			}
			if err != nil {
				n.fail("the metadata log cannot be read", err)
				return
			}
			if err := n.replay(batches); err != nil {
				n.fail("the metadata log cannot be replayed", err)
				return
			}
		}
		n.applying = false
		n.caughtUp()
	})
}

// replay applies batches of metadata records to the image.
func (n *Node) replay(batches []byte) error {
	delta := metadata.NewDelta(n.image)
	next, err := n.replayInto(batches, delta.Apply)
	if err != nil {
		return err
	}
	n.sinceSnapshot += int64(len(batches))
	n.applied = next
	n.published(delta)
	return nil
}

// replayInto decodes batches and applies their records; it returns the offset after
// the last.
func (n *Node) replayInto(batches []byte, apply func(metadata.Record) error) (wire.Offset, error) {
	next := wire.NoOffset
	var bad error
	for h, b := range wire.Batches(batches, wire.Truncated(false), &bad) {
		next = h.NextOffset()
		if h.Control() {
			continue // leader changes, snapshot headers and footers
		}
		records, err := n.codec.Records(b)
		if err != nil {
			return 0, fmt.Errorf("batch at offset %d: %w", h.BaseOffset, err)
		}
		var r wire.Record
		for records.Next(&r) {
			m, err := metadata.Decode(r.Value)
			if err == nil {
				err = apply(m)
			}
			if err != nil {
				return 0, fmt.Errorf("batch at offset %d: %w", h.BaseOffset, err)
			}
		}
		if err := records.Err(); err != nil {
			return 0, fmt.Errorf("batch at offset %d: %w", h.BaseOffset, err)
		}
	}
	return next, bad
}

// published follows every change of the image.
func (n *Node) published(delta *metadata.Delta) {
	if n.opts.Probe != nil {
		n.opts.Probe.MetadataApplied(delta, n.applied)
	}
	n.forgetMovedPeers(delta)
	if n.control != nil {
		n.control.committed(n.applied)
	}
	n.replicas.follow(delta)
	n.coordinators.metadataChanged()
}

// forgetMovedPeers drops connections to brokers that restarted or moved, so that the
// next request does not wait for a dead one's time-out.
func (n *Node) forgetMovedPeers(delta *metadata.Delta) {
	for _, c := range delta.Brokers() {
		if c.Old == nil || c.New != nil && c.Old.Epoch == c.New.Epoch {
			continue
		}
		for l := range lanes {
			if p := n.peers[peerKey{c.ID, l}]; p != nil && p.conn == nil {
				p.retryAt = 0
			}
		}
	}
}

// caughtUp follows every time the image has reached the quorum's high watermark.
func (n *Node) caughtUp() {
	if n.stopped {
		// While the logs are being closed no replica is taken up any more, and without
		// that all that was recovered would pass for stray.
		return
	}
	n.maybeActivate()
	n.maybeSnapshot()
	n.registrationReplayed()
}

// registrationReplayed takes up the replicas, and asks to be unfenced, once this life's
// registration is in the image.
func (n *Node) registrationReplayed() {
	if n.life != nil && !n.ready && n.brokerEpoch != wire.NoBrokerEpoch && n.applied > wire.Offset(n.brokerEpoch) {
		n.ready = true
		n.noteFeatures()
		n.replicas.activate()
		n.life.step()
		n.serveEarly()
	}
}

// noteFeatures tells people of features that a new cluster would have. One that began with
// an earlier version, or that was downgraded, keeps its levels until somebody raises them.
func (n *Node) noteFeatures() {
	var behind []string
	for _, f := range controller.DefaultFeatures() {
		if n.image.FeatureLevel(f.Name) < f.Level {
			behind = append(behind, fmt.Sprintf("%s=%d", f.Name, f.Level))
		}
	}
	if len(behind) > 0 {
		n.env.Trace.Event(env.Info, "features-behind", env.S("once-every-node-runs-this-version", "odradek feature upgrade "+strings.Join(behind, " ")))
	}
}

// address is where another node listens.
func (n *Node) address(id wire.NodeID) (string, bool) {
	if b := n.image.Broker(id); b != nil {
		if e, ok := n.clientEndpoint(b); ok {
			return fmt.Sprintf("%s:%d", e.Host, e.Port), true
		}
	}
	for _, v := range n.cfg.QuorumVoters {
		if v.ID == id {
			return fmt.Sprintf("%s:%d", v.Host, v.Port), true
		}
	}
	return "", false
}
