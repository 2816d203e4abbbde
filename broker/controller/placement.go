package controller

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// placer spreads new partitions over brokers as Kafka's striped placer does:
//
//   - Replicas of a partition go to racks in turn, so that as few as possible share
//     one; consecutive partitions start at consecutive racks. A cluster without
//     racks is one rack.
//   - Within a rack brokers are taken in turn, and each partition starts one further,
//     so that the partitions of a failed leader spread over the others.
//   - Live brokers come before fenced ones, and only a live one can be first. Brokers
//     in controlled shutdown get nothing.
//   - Where everything starts is random. Once every live broker has been first, the
//     order is shuffled, so that the same sets of brokers do not recur.
type placer struct {
	rand        *rand.Rand
	racks       []*rack
	live, total int
	first       int // index of the rack that the next partition starts at
	placed      int // partitions since the last shuffle
}

type rack struct {
	name         string
	live, fenced ring
}

// ring hands out brokers in turn from a start that moves.
type ring struct {
	brokers []wire.NodeID
	start   int
	taken   int // since the last rewind
}

func (r *ring) next() (wire.NodeID, bool) {
	if r.taken == len(r.brokers) {
		return wire.NoNode, false
	}
	id := r.brokers[(r.start+r.taken)%len(r.brokers)]
	r.taken++
	return id, true
}

// rewind makes all brokers available again, starting one further.
func (r *ring) rewind() {
	r.taken = 0
	if len(r.brokers) > 0 {
		r.start = (r.start + 1) % len(r.brokers)
	}
}

func newPlacer(brokers []*metadata.Broker, random *rand.Rand) *placer {
	pl := &placer{rand: random}
	for _, b := range brokers { // by id, so the rings are too
		if b.InControlledShutdown {
			continue
		}
		pl.total++
		i, found := slices.BinarySearchFunc(pl.racks, b.Rack, func(r *rack, name string) int { return strings.Compare(r.name, name) })
		if !found {
			pl.racks = slices.Insert(pl.racks, i, &rack{name: b.Rack})
		}
		if b.Fenced {
			pl.racks[i].fenced.brokers = append(pl.racks[i].fenced.brokers, b.ID)
		} else {
			pl.live++
			pl.racks[i].live.brokers = append(pl.racks[i].live.brokers, b.ID)
		}
	}
	for _, r := range pl.racks {
		for _, ring := range []*ring{&r.live, &r.fenced} {
			if n := len(ring.brokers); n > 0 {
				ring.start = random.IntN(n)
			}
		}
	}
	if len(pl.racks) > 0 {
		pl.first = random.IntN(len(pl.racks))
	}
	return pl
}

// check returns why partitions with so many replicas cannot be placed, or nil.
func (pl *placer) check(replicas int) *refusal {
	why := ""
	switch {
	case pl.live == 0:
		why = "All brokers are currently fenced."
	case replicas > pl.total:
		return refusef(kerr.InvalidReplicationFactor,
			"Unable to replicate the partition %d time(s): The target replication factor of %d cannot be reached because only %d broker(s) are registered.",
			replicas, replicas, pl.total)
	default:
		return nil
	}
	return refusef(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): %s", replicas, why)
}

// place picks the replicas of the next partition. check must have passed.
func (pl *placer) place(replicas int) []wire.NodeID {
	if pl.placed == pl.live && pl.live > 1 {
		pl.shuffle()
	}
	chosen := make([]wire.NodeID, 0, replicas)
	// The leader comes from the first rack in turn that has a live broker.
	leaderRack := pl.first
	for {
		if id, ok := pl.racks[leaderRack].live.next(); ok {
			chosen = append(chosen, id)
			break
		}
		leaderRack = (leaderRack + 1) % len(pl.racks)
	}
	// The others go round the racks from the same start. The leader's rack has had
	// its turn in the first round.
	for i, round := pl.first, 0; len(chosen) < replicas; i = (i + 1) % len(pl.racks) {
		if round < len(pl.racks) && i == leaderRack {
			round++
			continue
		}
		round++
		id, ok := pl.racks[i].live.next()
		if !ok {
			id, ok = pl.racks[i].fenced.next()
		}
		if ok {
			chosen = append(chosen, id)
		}
	}
	for _, r := range pl.racks {
		r.live.rewind()
		r.fenced.rewind()
	}
	pl.first = (pl.first + 1) % len(pl.racks)
	pl.placed++
	return chosen
}

func (pl *placer) shuffle() {
	pl.placed = 0
	pl.rand.Shuffle(len(pl.racks), func(i, j int) { pl.racks[i], pl.racks[j] = pl.racks[j], pl.racks[i] })
	for _, r := range pl.racks {
		for _, b := range [][]wire.NodeID{r.live.brokers, r.fenced.brokers} {
			pl.rand.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
		}
	}
}
