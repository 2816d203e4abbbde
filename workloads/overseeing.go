package workloads

import (
	"errors"
	"fmt"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/group"
)

// drainWithin bounds how long a crew may take to read and commit what is there, and its
// group to be stable, once everything has healed and nothing more is written.
const drainWithin = 45 * time.Second

// settled is how long it must have been so that a crew has nothing left to do. A leader that
// was cut off and replaced tells an old end of its log until it hears of it, which
// takes a while after the cut has healed.
const settled = 2 * time.Second

// overseer is who looks after a crew: an administrator who reads its committed offsets now
// and then, and in the end tells it when everything is done.
func (w *crew) overseer() User {
	name := w.group + "-overseer"
	return User{Name: name, Run: func(t *env.Task, s *Site) {
		a := &administered{site: s, process: name}
		c := s.client(name, w.requestTimeout(), a)
		defer c.Close()
		admin := c.NewAdmin().WithTimeout(2 * w.requestTimeout())
		rng := s.Env.Rand.Stream("workload/" + name)
		for w.producing > 0 || !s.stopping() {
			s.sleep(t, time.Duration(rng.IntN(1000))*time.Millisecond)
			// What went wrong is in the history.
			_, _ = w.committed(t, a, admin)
		}
		began := s.Env.Clock.Now()
		for since := began; ; s.sleep(t, 200*time.Millisecond) {
			w.why = w.remains(t, s, a, admin)
			now := s.Env.Clock.Now()
			if w.why != "" {
				since = now
			}
			if now.Sub(since) >= settled || now.Sub(began) >= drainWithin {
				break
			}
		}
		w.drained = true
	}}
}

func (w *crew) committed(t *env.Task, a *administered, admin *client.Admin) (group.Offsets, error) {
	return a.committed(t, admin, history.FetchCommitted, w.group, w.partitions(), false, history.Event{})
}

// remains says what a crew still has to do, or "".
func (w *crew) remains(t *env.Task, s *Site, a *administered, admin *client.Admin) string {
	if w.steady < w.size {
		return fmt.Sprintf("%d of %d members are back", w.steady, w.size)
	}
	switch d, err := admin.DescribeGroup(t, w.group); {
	case errors.Is(err, attempt.ErrVersion):
		// A broker that does not describe groups is believed.
	case err != nil:
		return fmt.Sprintf("it cannot be described: %v", err)
	case d.State != "Stable" || len(d.Members) != w.size:
		return fmt.Sprintf("it is %s with %d members instead of %d", d.State, len(d.Members), w.size)
	}
	got, err := w.committed(t, a, admin)
	if err != nil {
		return fmt.Sprintf("its offsets cannot be read: %v", err)
	}
	r := reads{site: s, process: a.process}
	for _, tp := range w.partitions() {
		end, err := r.listed(tp, "latest", func() (client.ListedOffset, error) {
			return admin.ListOffset(t, tp, client.LatestOffset, false)
		})
		if err != nil {
			return fmt.Sprintf("the end of %v cannot be read: %v", tp, err)
		}
		at := wire.Offset(0)
		if o, ok := got[tp]; ok {
			at = o.Offset
		}
		if at < end.Offset {
			return fmt.Sprintf("it has committed %d of %d in %v", at, end.Offset, tp)
		}
	}
	return ""
}

// finalOffsets records the committed offsets of a crew after everything has healed. The error
// is a *Finding if the crew did not come to its end.
func (w *crew) finalOffsets(t *env.Task, s *Site) error {
	a := &administered{site: s, process: "final-" + w.group}
	c := w.finalClient(s, a.process, a)
	defer c.Close()
	admin := c.NewAdmin().WithTimeout(finalTimeout)
	if _, err := a.committed(t, admin, history.FinalCommitted, w.group, w.partitions(), true, history.Event{Which: history.Live}); err != nil {
		return fmt.Errorf("final offsets of group %s: %w", w.group, err)
	}
	if w.why != "" {
		return &Finding{Name: "unfinished-group", Sentence: fmt.Sprintf("%v after everything had healed group %s is not done: %s", drainWithin, w.group, w.why)}
	}
	return nil
}

// crews are the groups of a workload.
type crews struct {
	*feed
	list []*crew
}

// Setup implements Workload: besides the topics it finds out which protocols there are.
func (w *crews) Setup(t *env.Task, s *Site) error {
	if err := w.feed.Setup(t, s); err != nil {
		return err
	}
	c := s.client("setup-groups", w.requestTimeout(), nil)
	defer c.Close()
	admin := c.NewAdmin().WithTimeout(setupTimeout)
	if _, err := admin.DescribeCluster(t); err != nil {
		return fmt.Errorf("describe the cluster: %w", err)
	}
	for i, crew := range w.list {
		crew.protocol = group.Classic
		if k := w.params["protocol"]; admin.FinalizedLevel("group.version") >= 1 && (k == 1 || k == 2 && i%2 == 1) {
			crew.protocol = group.Consumer
		}
		// The first use of a group creates the internal topic, which takes a while.
		if _, err := admin.ListConsumerGroupOffsets(t, crew.group, w.partitions(), false); err != nil {
			return fmt.Errorf("coordinator of group %s: %w", crew.group, err)
		}
	}
	return nil
}

// Users implements Workload.
func (w *crews) Users() []User {
	users := w.producers()
	for _, c := range w.list {
		users = append(users, c.users()...)
	}
	return users
}

// Final implements Workload.
func (w *crews) Final(t *env.Task, s *Site) error {
	if err := w.feed.Final(t, s); err != nil {
		return err
	}
	var found error
	for _, c := range w.list {
		if err := c.finalOffsets(t, s); err != nil {
			if f := (*Finding)(nil); !errors.As(err, &f) {
				return err
			}
			found = err
		}
	}
	return found
}

// Promise implements [Promising].
func (w *crews) Promise(g *history.Guarantees) {
	if w.params["at-most-once"] != 0 {
		for _, c := range w.list {
			g.AtMostOnce = append(g.AtMostOnce, c.group)
		}
	}
}
