package controller

import (
	"fmt"
	"slices"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// checkDecided holds what must be true of everything that a controller decides.
func checkDecided(c *Controller) error {
	m := c.Image()
	elrOn := m.FeatureLevel(metadata.ELRVersion) > 0
	for _, t := range m.Topics() {
		for _, p := range t.Partitions {
			bad := func(format string, args ...any) error {
				return fmt.Errorf("%s-%d %+v: %s", t.Name, p.Index, *p, fmt.Sprintf(format, args...))
			}
			if p.Leader != wire.NoNode && (!p.InISR(p.Leader) || !m.Broker(p.Leader).Active()) {
				return bad("leader is not a live ISR member")
			}
			for _, id := range p.ISR {
				switch {
				case !p.HasReplica(id):
					return bad("ISR member %d is no replica", id)
				case p.InELR(id):
					return bad("%d is in ISR and ELR", id)
				case elrOn && !m.Broker(id).Active():
					return bad("ISR member %d is not live", id)
				}
			}
			for i, id := range p.ELR {
				if !p.HasReplica(id) || slices.Contains(p.ELR[:i], id) || !elrOn {
					return bad("ELR member %d", id)
				}
			}
			if minISR := c.changeOf(p).minISR; len(p.ELR) > 0 && len(p.ISR) >= minISR {
				return bad("ELR although the ISR has the %d members needed to commit", minISR)
			}
			if elrOn && (p.Leader == wire.NoNode) != (len(p.ISR) == 0) {
				return bad("without a leader exactly if the ISR is empty")
			}
			if len(p.LastKnownELR) > 1 || len(p.LastKnownELR) == 1 && p.Leader != wire.NoNode {
				return bad("last known leader")
			}
		}
	}
	return nil
}
