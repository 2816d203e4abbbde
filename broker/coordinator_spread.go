package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
)

// spread asks the shard of every key for its part of a request, and calls done when all
// have answered. one is the request for keys[i]; its answer, in the same version, goes to
// take. A key that belongs to another broker is NOT_COORDINATOR in its own part only.
//
// Kafka asks once for each shard instead. Clients send these requests to one shard at a
// time already, or are administrators in no hurry.
func (n *Node) spread(kind coordinatorType, from sender, version int16, keys []string, one func(i int) kmsg.Request, take func(i int, resp kmsg.Response), done func()) {
	open := len(keys) + 1
	finished := func() {
		if open--; open == 0 {
			done()
		}
	}
	for i, key := range keys {
		req := one(i)
		req.SetVersion(version)
		n.ask(kind, key, from, req, func(resp kmsg.Response) {
			take(i, resp)
			finished()
		})
	}
	finished()
}

// askAll asks every shard of a kind that is led here, in the order of their partitions.
func (n *Node) askAll(kind coordinatorType, from sender, req kmsg.Request, take func(resp kmsg.Response), done func()) {
	open := 1
	finished := func() {
		if open--; open == 0 {
			done()
		}
	}
	if t := n.image.Topic(n.coordinators.kinds[kind].topic); t != nil {
		for _, p := range t.Partitions {
			c, why := n.coordinators.led(p.TopicPartition())
			switch {
			case why == kerr.NotCoordinator: // somebody else's
			case why != nil:
				take(coordinator.Refuse(req, why))
			default:
				open++
				c.ask(from, req, func(resp kmsg.Response) {
					take(resp)
					finished()
				})
			}
		}
	}
	finished()
}

// distinct leaves out of a request's list what it names again, as in Metadata: each would
// be answered at length, so that a small request had an answer of any size.
func distinct[T any, K comparable](list []T, key func(*T) K) []T {
	seen := make(map[K]bool, len(list))
	kept := make([]T, 0, len(list))
	for i := range list {
		if k := key(&list[i]); !seen[k] {
			seen[k] = true
			kept = append(kept, list[i])
		}
	}
	return kept
}

// itself is the key of what is one already.
func itself[T any](v *T) T { return *v }
