package workloads

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
	"odradek/workloads/client/group"
	"odradek/workloads/client/producer"
)

// The parameters of registers besides those of the feed, whose records nobody is
// interested in.
var registersDefaults = extend(feedDefaults, map[string]int{
	"partitions":        2,
	"producers":         1,
	"pace-us":           50000,
	"users":             3,   // who set and read committed offsets
	"groups":            2,   // whose offsets they are
	"configurers":       2,   // who alter and describe the topics' configs
	"initialisers":      3,   // who initialise transactional ids
	"transactional-ids": 2,   //
	"rest-ms":           100, // mean pause of a user between two operations
})

func drawRegisters(r *rand.Rand) map[string]int {
	pick := picker(r)
	params := drawFeed(r)
	params["producers"], params["at-least"], params["pace-us"] = 1, 50, 50000
	params["partitions"], params["topics"] = pick(1, 2, 3), 1
	params["users"] = pick(2, 3, 5)
	params["groups"] = pick(1, 2, 4)
	params["configurers"] = pick(1, 2, 3)
	params["initialisers"] = pick(2, 3, 5)
	params["transactional-ids"] = pick(1, 2, 4)
	params["rest-ms"] = pick(20, 100, 300)
	return params
}

// registers: users set and read what a cluster keeps as single values (the committed
// offsets of groups, configs of topics, and the producer ids and epochs of transactional
// ids), several of them at the same one at a time.
type registers struct {
	*feed
	// lastOffset is the last offset given out: each is committed once, so that a reader
	// knows whose it is.
	lastOffset wire.Offset
	lastConfig int
}

func newRegisters(params map[string]int, topic map[string]string) Workload {
	for _, name := range []string{"groups", "transactional-ids"} {
		params[name] = max(params[name], 1)
	}
	return &registers{feed: newFeed("registers", params, topic)}
}

// Users implements Workload.
func (w *registers) Users() []User {
	users := w.producers()
	for i := range w.params["users"] {
		users = append(users, w.user("offsets", i, w.offset))
	}
	for i := range w.params["configurers"] {
		users = append(users, w.user("configurer", i, w.config))
	}
	for i := range w.params["initialisers"] {
		users = append(users, w.user("initialiser", i, w.initialise))
	}
	return users
}

// attendant is a user of registers at work.
type attendant struct {
	*administered
	name  string
	rng   *rand.Rand
	admin *client.Admin
	// done counts operations.
	done int
}

func (w *registers) groupName(i int) string { return fmt.Sprintf("registers-group-%d", i) }

// user does one operation after another until told to stop.
func (w *registers) user(kind string, i int, act func(*env.Task, *Site, *attendant)) User {
	name := fmt.Sprintf("%s-%d", kind, i)
	return User{Name: name, Run: func(t *env.Task, s *Site) {
		a := &attendant{administered: &administered{site: s, process: name}, name: name, rng: s.Env.Rand.Stream("workload/" + name)}
		c := s.client(name, w.requestTimeout(), a)
		defer c.Close()
		a.admin = c.NewAdmin().WithTimeout(2 * w.requestTimeout())
		rest := 2*int64(w.duration("rest-ms", time.Millisecond)) + 1
		for ; !s.stopping(); a.done++ {
			act(t, s, a)
			s.sleep(t, time.Duration(a.rng.Int64N(rest))+1)
		}
	}}
}

// offset sets or reads committed offsets of a group that has no members.
func (w *registers) offset(t *env.Task, _ *Site, a *attendant) {
	id := w.groupName(a.rng.IntN(w.params["groups"]))
	tps := w.partitions()
	if len(tps) > 1 && a.rng.IntN(2) == 0 {
		tps = tps[:1+a.rng.IntN(len(tps)-1)]
	}
	// What went wrong is in the history.
	if a.rng.IntN(2) == 0 {
		stable := a.rng.IntN(2) == 0
		_, _ = a.committed(t, a.admin, history.FetchCommitted, id, tps, stable, history.Event{Stable: stable})
		return
	}
	offsets := make(group.Offsets)
	for _, tp := range tps {
		w.lastOffset++
		offsets[tp] = group.Offset{Offset: w.lastOffset, LeaderEpoch: wire.NoLeaderEpoch}
	}
	a.commit(t, a.admin, id, offsets)
}

// configNames are what the configurers alter: nothing that the run depends on.
var configNames = []string{"max.compaction.lag.ms", "delete.retention.ms"}

// config alters or describes a config of a topic.
func (w *registers) config(t *env.Task, _ *Site, a *attendant) {
	topic, name := w.topicName(a.rng.IntN(w.params["topics"])), configNames[a.rng.IntN(len(configNames))]
	if a.rng.IntN(2) == 0 {
		w.describe(t, a.administered, a.admin, topic, name, false)
		return
	}
	w.lastConfig++
	value := strconv.Itoa(1_000_000_000 + w.lastConfig)
	op := a.site.Recorder.Invoke(history.Event{
		Time: a.site.now(), Func: history.AlterConfig, Process: a.process, Key: configKey(topic, name), Text: value, Offset: wire.NoOffset,
	})
	a.doubtful = false
	err := a.admin.AlterTopicConfigs(t, topic, []client.ConfigChange{{Name: name, Value: value}})
	a.site.Recorder.Return(op, a.returned(err))
}

func configKey(topic, name string) string { return "topic/" + topic + "/" + name }

// describe records what a broker says of a config; exact if all of them have the same
// metadata.
func (w *registers) describe(t *env.Task, a *administered, admin *client.Admin, topic, name string, exact bool) {
	op := a.site.Recorder.Invoke(history.Event{
		Time: a.site.now(), Func: history.DescribeConfig, Process: a.process, Key: configKey(topic, name), Exact: exact, Offset: wire.NoOffset,
	})
	entries, err := admin.DescribeTopicConfigs(t, topic)
	e := a.site.answered(err)
	for _, entry := range entries {
		if entry.Name == name {
			e.Text = entry.Value
		}
	}
	a.site.Recorder.Return(op, e)
}

// initialise makes a transactional producer, which takes the place of the one before it.
func (w *registers) initialise(t *env.Task, s *Site, a *attendant) {
	id := fmt.Sprintf("registers-id-%d", a.rng.IntN(w.params["transactional-ids"]))
	process := fmt.Sprintf("%s.%d", a.name, a.done+1)
	watch := &administered{site: s, process: process}
	c := s.client(process, w.requestTimeout(), watch)
	defer c.Close()
	cfg := producer.DefaultConfig()
	cfg.TransactionalID, cfg.TransactionTimeout = id, 10*time.Second
	cfg.RequestTimeout = w.requestTimeout()
	cfg.DeliveryTimeout = cfg.RequestTimeout + cfg.Linger
	cfg.MaxBlock = 2 * w.requestTimeout()
	p := c.NewProducer(cfg)
	op := s.Recorder.Invoke(history.Event{
		Time: s.now(), Func: history.InitProducer, Process: process, Offset: wire.NoOffset,
		Producer: &history.Producer{TransactionalID: id, ID: -1, Epoch: -1},
	})
	err := p.InitTransactions(t)
	e := history.Event{Time: s.now(), Outcome: history.OK, Offset: wire.NoOffset}
	if pid, epoch, ok := p.Identity(); err == nil && ok {
		e.Producer, e.Doubtful = &history.Producer{TransactionalID: id, ID: pid, Epoch: epoch}, watch.doubtful
	} else {
		e.Outcome, e.Code, e.Detail = history.Unknown, codeOf(err), detailOf(err)
	}
	s.Recorder.Return(op, e)
}

// Final implements Workload: it reads what the registers hold in the end.
func (w *registers) Final(t *env.Task, s *Site) error {
	if err := w.feed.Final(t, s); err != nil {
		return err
	}
	a := &administered{site: s, process: "final-registers"}
	c := w.finalClient(s, a.process, a)
	defer c.Close()
	admin := c.NewAdmin().WithTimeout(finalTimeout)
	for i := range w.params["groups"] {
		id := w.groupName(i)
		if _, err := a.committed(t, admin, history.FinalCommitted, id, w.partitions(), true, history.Event{}); err != nil {
			return fmt.Errorf("final offsets of group %s: %w", id, err)
		}
	}
	for _, topic := range w.topics() {
		for _, name := range configNames {
			w.describe(t, a, admin, topic, name, true)
		}
	}
	return nil
}
