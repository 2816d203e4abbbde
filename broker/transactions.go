package broker

import (
	"odradek/broker/coordinator"
	"odradek/broker/coordinator/txn"
	"odradek/broker/env"
)

// transactionKind is the coordinator of transactions: package coordinator/txn decides, the
// marker sender (txn_markers.go) carries the outcome to the partitions.
func (n *Node) transactionKind() coordinatorKind {
	return coordinatorKind{
		topic: transactionsTopic, loadBuffer: n.cfg.TxnLoadBufferBytes,
		machine: func() coordinator.Machine { return txn.New(txn.Config{Broker: n.cfg, Fail: n.env.Fail}) },
		effect: func(c *coordination, effect any) {
			switch e := effect.(type) {
			case txn.SendMarkers:
				n.txnMarkers.add(c, e)
			case txn.WantProducerID:
				n.producerIDs.next(n, func(id int64, code int16) {
					// On a later turn: there may have been one in store.
					n.env.Clock.After(0, func() { c.tell(txn.FreshProducerID{ID: id, Code: code}) })
				})
			case txn.Event:
				level := env.Debug
				if e.Rare {
					level = env.Info
				}
				n.env.Trace.Event(level, e.Kind, env.S("transactional-id", e.TransactionalID), env.I("producer", e.ProducerID),
					env.I("epoch", e.Epoch), env.I("partitions", int64(e.Partitions)))
			}
		},
		unloaded: n.txnMarkers.drop,
	}
}
