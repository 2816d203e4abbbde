package harness

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"odradek/broker"
	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/checker/linear"
	"odradek/checker/register"
	"odradek/sim"
	"odradek/sim/cluster"
	"odradek/sim/fault"
	"odradek/workloads"
)

// Limits of the phases, in simulated time. They are generous: a healthy cluster needs a
// fraction of each.
const (
	bootWithin   = 30 * time.Second
	setupWithin  = 60 * time.Second
	finishWithin = 90 * time.Second
	wholeWithin  = 60 * time.Second
	finalWithin  = 120 * time.Second
)

// Options are about watching a run; they change nothing in it.
type Options struct {
	// History and Trace get JSON lines as they come, nil for none.
	History, Trace io.Writer
	// Progress is called now and then.
	Progress func(Progress)
	// Workload replaces the plan's workload by the caller's own.
	Workload workloads.Workload
	// Wall tells the time of day in nanoseconds, for Result.WallNS; nil leaves that 0.
	Wall func() int64
	// Guarantees adjusts what the run is judged by.
	Guarantees func(*history.Guarantees)
	// probed may put something between a node and its probe.
	probed func(broker.Probe) broker.Probe
}

// Run carries out a plan and judges it. An error means that the plan makes no sense;
// whatever happens in the run is in the result.
func Run(p *fault.Plan, o Options) (*Result, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	r := &run{plan: p, opts: o, k: sim.New(p.Seed), excuses: newExcuses()}
	r.excuses.k = r.k
	w := o.Workload
	if w == nil {
		var err error
		w, err = workloads.New(workloads.Config{Name: p.Workload.Name, Params: p.Workload.Params, Topic: p.Workload.Topic})
		if err != nil {
			return nil, err
		}
	}
	r.workload = w
	began := r.wall()
	r.k.SetRecorder(r.recorder(o.Trace))
	r.history = history.NewRecorder(o.History)
	if err := r.build(); err != nil {
		return nil, err
	}
	var res *Result
	if p := r.guarded(func() { r.phases(w) }); p != nil {
		res = r.panicked(p)
	} else {
		res = r.judge()
	}
	r.cluster.Destroy()
	res.WallNS = r.wall() - began
	return res, nil
}

// guarded runs fn; a panic of simulated code, which only a bug can cause, is a finding
// like others. Panics elsewhere are bugs of the simulation and go on.
func (r *run) guarded(fn func()) (p *sim.Panic) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *sim.Panic:
			p = v
		default:
			panic(v)
		}
	}()
	fn()
	return nil
}

// run is one run under way.
type run struct {
	plan     *fault.Plan
	opts     Options
	k        *sim.Kernel
	cluster  *cluster.Cluster
	workload workloads.Workload
	striker  *fault.Striker
	history  *history.Recorder
	excuses  *excuses
	// invariants are checked at every step, coordinators now and then.
	invariants   *invariants
	coordinators *coordinators

	site     *cluster.Host // of the users
	stopping bool
	users    int // not done
	found    []Anomaly
}

func (r *run) wall() int64 {
	if r.opts.Wall == nil {
		return 0
	}
	return r.opts.Wall()
}

func (r *run) violation(name, where, format string, args ...any) {
	r.found = append(r.found, Anomaly{Name: name, Where: where, Sentence: fmt.Sprintf(format, args...), AtNS: int64(r.k.Now())})
}

func (r *run) build() error {
	pc := &r.plan.Cluster
	c := cluster.DefaultConfig()
	c.Nodes, c.Voters, c.Controllers, c.Late = pc.Nodes, pc.Voters, pc.Controllers, pc.Late
	c.Properties = maps.Clone(pc.Config)
	if pc.Latency > 0 {
		c.Net.Latency = time.Duration(pc.Latency)
	}
	c.Net.Jitter = time.Duration(pc.Jitter)
	if pc.SyncLatency > 0 {
		c.Disk.SyncLatency = time.Duration(pc.SyncLatency)
	}
	var err error
	if r.cluster, err = cluster.New(r.k, c); err != nil {
		return err
	}
	if r.striker, err = fault.NewStriker(r.cluster, r.plan.Armed); err != nil {
		return err
	}
	r.excuses.c = r.cluster
	r.invariants = newInvariants(r.cluster, r.excuses, func(name, where, sentence string) { r.violation(name, where, "%s", sentence) })
	r.coordinators = newCoordinators(r.invariants)
	r.excuses.excused = r.invariants.excuse
	r.cluster.Dying = func(n *cluster.Node, powerLoss bool) {
		r.invariants.dying(n, powerLoss)
		r.excuses.dying(n, powerLoss)
	}
	r.cluster.Probe, r.cluster.Ended = r.invariants.probe, r.invariants.down
	if r.opts.probed != nil {
		r.cluster.Probe = func(n *cluster.Node) broker.Probe { return r.opts.probed(r.invariants.probe(n)) }
	}
	r.cluster.Failed = r.nodeFailed
	return nil
}

// nodeFailed judges a node that gave up: an injected I/O error is a reason, anything
// else is not.
func (r *run) nodeFailed(n *cluster.Node, err error) {
	if !injected(err) {
		r.violation("node-failed", n.Name(), "the node gave up: %v", err)
	}
}

// phases runs everything up to the verdict.
func (r *run) phases(w workloads.Workload) {
	r.cluster.Start()
	if !r.until(PhaseBoot, bootWithin, r.allUnfenced) {
		r.violation("no-start", "cluster", "not all brokers were up %v after the start", bootWithin)
		return
	}
	r.site = r.cluster.NewClient("users")
	var setupErr error
	if !r.task(PhaseSetup, "setup", r.site, setupWithin, func(t *env.Task, s *workloads.Site) { setupErr = w.Setup(t, s) }) {
		r.violation("no-setup", "cluster", "the workload's setup did not end within %v", setupWithin)
		return
	}
	if setupErr != nil {
		r.violation("no-setup", "cluster", "the workload's setup failed on a healthy cluster: %v", setupErr)
		return
	}
	r.startUsers(w)
	r.striker.Schedule(r.plan.Events)
	end := r.k.Now().Add(time.Duration(r.plan.Faults))
	r.until(PhaseFaults, time.Duration(r.plan.Faults), func() bool { return false })
	r.k.RunUntil(end)
	r.striker.HealAll()
	r.stopping = true
	if !r.until(PhaseHeal, finishWithin, func() bool { return r.users == 0 }) {
		r.violation("users-stuck", "cluster", "%d users were not done %v after everything healed", r.users, finishWithin)
	}
	if why := "the run never looked"; !r.until(PhaseHeal, wholeWithin, func() bool { why = r.notWhole(); return why == "" }) {
		r.violation("not-whole", "cluster", "%v after everything healed: %s", wholeWithin, why)
	} else {
		r.invariants.whole()
	}
	var finalErr error
	reader := r.cluster.NewClient("reader")
	if !r.task(PhaseFinal, "final", reader, finalWithin, func(t *env.Task, s *workloads.Site) { finalErr = w.Final(t, s) }) {
		r.violation("no-final-read", "cluster", "the final read did not end within %v", finalWithin)
	} else if f := (*workloads.Finding)(nil); errors.As(finalErr, &f) {
		r.violation(f.Name, "workload", "%s", f.Sentence)
	} else if finalErr != nil {
		r.violation("no-final-read", "cluster", "%v", finalErr)
	}
}

// until runs the kernel until a condition holds, for at most so long; it is asked every
// so often, because asking costs.
func (r *run) until(p Phase, within time.Duration, done func() bool) bool {
	const step = 20 * time.Millisecond
	deadline := r.k.Now().Add(within)
	for r.k.Now() < deadline {
		r.k.RunFor(min(step, time.Duration(deadline-r.k.Now())))
		r.excuses.settle()
		r.coordinators.look()
		if r.opts.Progress != nil {
			r.opts.Progress(Progress{Phase: p, Now: r.k.Now(), Events: r.k.Steps(), Ops: r.history.Len() / 2})
		}
		if done() {
			return true
		}
	}
	return false
}

// task runs a task on a host; it reports whether it ended in time.
func (r *run) task(p Phase, name string, h *cluster.Host, within time.Duration, fn func(*env.Task, *workloads.Site)) bool {
	ended := false
	r.on(h, func(s *workloads.Site) {
		s.Env.Tasks.Go(func(t *env.Task) {
			fn(t, s)
			ended = true
		})
	})
	return r.until(p, within, func() bool { return ended })
}

// on runs fn as an event of a client host.
func (r *run) on(h *cluster.Host, fn func(*workloads.Site)) {
	h.Start(func(e env.Env) {
		fn(&workloads.Site{
			Env: &e, Bootstrap: r.cluster.Addrs(), Recorder: timed{r}, Stopping: func() bool { return r.stopping },
			Machines: machines{r},
		})
	})
}

// timed records with the simulation's time: clocks of hosts have origins of their own,
// and the reader's is another one than the users'.
type timed struct{ r *run }

func (t timed) Invoke(e history.Event) int64 {
	e.Time = int64(t.r.k.Now())
	return t.r.history.Invoke(e)
}

func (t timed) Return(op int64, e history.Event) {
	e.Time = int64(t.r.k.Now())
	t.r.history.Return(op, e)
	if e.Func == history.InitProducer && e.Outcome == history.OK && e.Producer != nil {
		t.r.invariants.transactions.granted(e.Process, e.Producer)
	}
}

func (r *run) startUsers(w workloads.Workload) {
	r.site.CrashProcess() // the setup's process
	users := w.Users()
	r.users = len(users)
	r.on(r.site, func(s *workloads.Site) {
		for _, u := range users {
			s.Env.Tasks.Go(func(t *env.Task) {
				u.Run(t, s)
				r.users--
			})
		}
	})
}

// malformed are notes of a node that got what no client or node of ours sends: somebody
// has mixed bytes up on the way.
var malformed = []string{"bad-request", "bad-frame-size"}

// panicked is the result of a run that a panic ended: nothing but that is judged, for
// there was no final read.
func (r *run) panicked(p *sim.Panic) *Result {
	res := r.result()
	res.Anomalies = append(res.Anomalies, Anomaly{
		Name: "panic", Where: p.Node, Sentence: fmt.Sprintf("%v (during %s)", p.Value, p.Kind), AtNS: int64(p.Event.At),
	})
	res.Verdict = Violation
	res.Stack = string(p.Stack)
	return res
}

// result is what is known of a run before it is judged.
func (r *run) result() *Result {
	res := &Result{
		Seed: r.plan.Seed, Plan: r.plan, Hash: fmt.Sprintf("%016x", r.k.Hash()), Events: r.k.Steps(), SimNS: int64(r.k.Now()),
		Faults: r.striker.Happened, Allowed: make(map[string]int), Reached: make(map[string]uint64), Checked: make(map[string]int),
		History: r.history.Events(), Anomalies: []Anomaly{},
	}
	for _, kc := range r.k.Counts() {
		if !lowLevel(kc.Kind) {
			res.Reached[kc.Kind] = kc.Count
		}
	}
	r.invariants.reach(res.Reached)
	res.Anomalies = append(res.Anomalies, r.found...)
	for _, kind := range malformed {
		if n := r.k.Count(kind); n > 0 {
			res.Anomalies = append(res.Anomalies, Anomaly{Name: kind, Where: "cluster", Sentence: fmt.Sprintf("nodes found %d of our own requests malformed", n)})
		}
	}
	res.Ops.Total = operations(res.History)
	return res
}

// guarantees is what the run is judged by, as far as it has come.
func (r *run) guarantees() history.Guarantees {
	g := history.Guarantees{Excuses: r.excuses.list}
	if w, ok := r.workload.(workloads.Promising); ok {
		w.Promise(&g)
	}
	if r.opts.Guarantees != nil {
		r.opts.Guarantees(&g)
	}
	return g
}

// judge asks the checkers.
func (r *run) judge() *Result {
	res := r.result()
	g := r.guarantees()
	report, err := history.Check(r.history.Events(), g)
	if err != nil {
		panic(fmt.Sprintf("harness: recorded a malformed history: %v", err))
	}
	for _, a := range report.Anomalies {
		if a.Verdict == history.Allowed {
			res.Allowed[string(a.Name)]++
			continue
		}
		res.Anomalies = append(res.Anomalies, Anomaly{
			Name: string(a.Name), Where: a.Where(), Sentence: a.Sentence, Because: a.Because, Ops: a.Seqs,
		})
	}
	res.Ops = Ops{Total: res.Ops.Total, Acknowledged: report.Acknowledged, Failed: report.Failed, Unknown: report.Unknown, Read: report.Read}
	res.Checked["acknowledgements"] = report.Acknowledged
	res.Checked["reads"] = report.Read
	res.Checked["final records"] = report.Final
	for what, n := range map[string]int{ //odradek:unordered each on its own
		"transactions": report.Committed + report.Aborted, "memberships": report.Memberships, "commits": report.Commits,
		"records given to members": report.Given, "inputs of pipelines": report.Inputs,
	} {
		if n > 0 {
			res.Checked[what] = n
		}
	}
	r.invariants.count(res.Checked)
	if r.coordinators.seen > 0 {
		res.Checked["states of groups"] = r.coordinators.seen
	}
	if !g.Unclean {
		r.linearize(res, g)
	}
	r.registers(res, g)
	res.Verdict = OK
	if len(res.Anomalies) > 0 {
		res.Verdict = Violation
	}
	return res
}

// linearize judges each partition's appends as operations on a register.
func (r *run) linearize(res *Result, g history.Guarantees) {
	// A log that lost acks=all records, legally or not, is no linearizable one; the
	// anomalies tell it better. (Lost records of other acks do not count here.)
	lossy := make(map[string]bool)
	for _, a := range res.Anomalies {
		lossy[a.Where] = true
	}
	for _, x := range r.excuses.list {
		if x.Rule == history.PowerLost {
			lossy[wire.TopicPartition{Topic: x.Topic, Partition: x.Partition}.String()] = true
		}
	}
	forgetful := g.MayLose(history.TransactionsTopic)
	for _, tp := range partitions(r.history.Events()) {
		if lossy[tp.String()] || g.Compacts(tp.Topic) || forgetful && transactional(r.history.Events(), tp) {
			continue
		}
		ops, v := linear.Resolve(r.history.Events(), tp)
		if v.OK {
			res.Checked["linearized operations"] += len(ops)
			v = linear.Check(ops, 0, linear.Window)
		}
		if !v.OK {
			res.Anomalies = append(res.Anomalies, Anomaly{Name: "not-linearizable", Where: tp.String(), Sentence: v.Reason})
		}
	}
}

// registers judges committed offsets, configs and producer epochs.
func (r *run) registers(res *Result, g history.Guarantees) {
	report := register.CheckHistory(r.history.Events(), g)
	if report.Searches > 0 {
		res.Checked["operations on registers"] = report.Ops
		res.Checked["registers"], res.Checked["registers undecided"] = report.Searches, report.Undecided
	}
	for _, f := range report.Failed {
		res.Anomalies = append(res.Anomalies, Anomaly{Name: "not-linearizable", Where: f.Register.Name, Sentence: f.Verdict.Reason, Ops: f.Verdict.Seqs})
	}
}

// transactional reports whether anything was appended to a partition in a transaction. If
// the coordinators forget epochs, a new producer's records are taken for those of an old one.
func transactional(events []history.Event, tp wire.TopicPartition) bool {
	return slices.ContainsFunc(events, func(e history.Event) bool {
		return e.Func == history.Append && e.Txn != 0 && e.Topic == tp.Topic && e.Partition == tp.Partition
	})
}

// partitions lists the partitions that were read at the end, sorted.
func partitions(events []history.Event) []wire.TopicPartition {
	var tps []wire.TopicPartition
	for i := range events {
		if e := &events[i]; e.Func == history.Final && e.Phase == history.Return {
			tps = append(tps, e.TP())
		}
	}
	slices.SortFunc(tps, wire.TopicPartition.Compare)
	return slices.Compact(tps)
}

func operations(events []history.Event) int {
	n := 0
	for i := range events {
		if e := &events[i]; e.Phase == history.Invoke && e.Func != history.Request {
			n++
		}
	}
	return n
}
