// Package client is a Kafka client for scripted workloads: a producer, consumers (by
// assignment, and as members of groups) and an admin client that speak Kafka's protocol to any broker,
// in both worlds. The checkers judge the broker through it, so its behaviour
// follows the Java client where that is defined, and it reports for each attempt
// what may be concluded from it.
//
// The thinking is in pure cores:
//
//	cluster    the view of the cluster: leaders, epochs, addresses
//	producer   records -> batches -> Produce requests -> results
//	txn        transactions: which producer id, which partitions, how they end
//	consumer   positions -> Fetch requests -> records and events
//	group      membership of a group, in both protocols; commits
//	coordinator  who coordinates a group or transactional id
//	attempt    what they share: requests, error classes, outcomes, back-off
//
// and clienttest is the scripted cluster that tests run against.
//
// This package is the shell that owns [env.Env]: connections, version
// negotiation, time-outs, timers, and the blocking style for scripts:
//
//	c := client.New(e, client.DefaultConfig("user/1", bootstrap))
//	p := c.NewProducer(producer.DefaultConfig())
//	e.Tasks.Go(func(t *env.Task) {
//		r := p.Send(t, producer.Record{Topic: "a", Value: []byte("1")})
//		...
//	})
//
// A producer may be idempotent (producer.Config.Idempotent) or transactional
// (TransactionalID; its methods are in transaction.go):
//
//	err := p.InitTransactions(t)
//	err = p.BeginTransaction()
//	p.SendAsync(record, func(producer.Result) {})
//	end := p.CommitTransaction(t) // end.Outcome: OK, Failed or Unknown
//
// A member of a group takes part in it while the script polls, tells a Listener what comes
// and goes, and starts from committed offsets (group.go):
//
//	g := c.NewGroupConsumer(consumer.DefaultConfig(), group.DefaultConfig("g"), listener)
//	g.Subscribe("a")
//	for {
//		records, events, err := g.Poll(t, time.Second)
//		...
//		k := g.Commit(t, g.Consumed()) // k.Outcome, as above
//	}
//	g.Leave(t) // or Close, which is a crash; or Freeze and Thaw, a pause of the process
//
// Every producer, consumer and admin client has its own connections and its own
// view of the cluster, as in Java: a long-polling fetch must not hold up a
// produce, for answers come in order on a connection. A group's member has another
// connection for its coordinator, where a join may wait for minutes.
//
// Everything runs on the env's loop. Callbacks (results, Await) come on a later
// turn of the loop than the call that registered them.
//
// Imports broker/env, broker/wire, kmsg and its own sub-packages. Start at
// client.go, then link.go (one connection) and network.go (all of them).
//
// Not there yet: two-phase commit of transactions (KIP-939), fetch sessions,
// reading from followers, quotas (throttle times are ignored), and forgetting topics
// that a producer no longer writes to.
//
// Rejected: driving franz-go in the simulation. Its goroutines and timers hand
// the order of events to the Go scheduler; it joins as a real client in real
// mode instead.
package client
