package workloads_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads"
	"odradek/workloads/client/clienttest"
)

// run is one run of a workload against a scripted cluster.
type run struct {
	t        *testing.T
	seed     uint64
	world    *clienttest.World
	cluster  *clienttest.Cluster
	recorder *history.Recorder
	env      *env.Env
	site     *workloads.Site
	workload workloads.Workload
	stop     bool
	users    int // not done
}

// begin does the setup.
func begin(t *testing.T, seed uint64, cfg workloads.Config) *run {
	t.Helper()
	r := &run{t: t, seed: seed, world: clienttest.NewWorld(seed), recorder: history.NewRecorder(nil)}
	r.cluster = clienttest.NewCluster(r.world, 3)
	r.env = r.world.Env("users")
	r.site = &workloads.Site{Env: r.env, Bootstrap: r.cluster.Addrs(), Recorder: r.recorder, Stopping: func() bool { return r.stop }}
	var err error
	if r.workload, err = workloads.New(cfg); err != nil {
		t.Fatal(err)
	}
	r.task("setup", func(task *env.Task) {
		if err := r.workload.Setup(task, r.site); err != nil {
			t.Fatal(err)
		}
	})
	return r
}

// start has all users begin.
func (r *run) start() {
	for _, u := range r.workload.Users() {
		r.users++
		r.env.Tasks.Go(func(task *env.Task) {
			u.Run(task, r.site)
			r.users--
		})
	}
}

// wait waits until all users are done.
func (r *run) wait(limit time.Duration) {
	r.t.Helper()
	if !r.world.RunUntil(limit, func() bool { return r.users == 0 }) {
		r.t.Fatalf("seed %d: %d users are not done", r.seed, r.users)
	}
}

func (r *run) final() (err error) {
	r.t.Helper()
	r.task("final", func(task *env.Task) { err = r.workload.Final(task, r.site) })
	return err
}

// play runs all phases of append-read. broken is called before the final read.
func play(t *testing.T, seed uint64, params map[string]int, faults bool, broken func(*run)) *run {
	t.Helper()
	r := begin(t, seed, workloads.Config{Name: "append-read", Params: params, Topic: map[string]string{"min.insync.replicas": "2"}})
	if r.cluster.Topic("append-read-0").Configs["min.insync.replicas"] != "2" {
		t.Error("the topic lacks its config")
	}
	if faults {
		r.inject()
	}
	r.start()
	r.wait(10 * time.Minute)
	r.cluster.Inject = nil
	if broken != nil {
		broken(r)
	}
	if err := r.final(); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
	return r
}

func (r *run) task(name string, fn func(*env.Task)) {
	r.t.Helper()
	done := false
	r.env.Tasks.Go(func(task *env.Task) { fn(task); done = true })
	if !r.world.RunUntil(10*time.Minute, func() bool { return done }) {
		r.t.Fatalf("%s did not end", name)
	}
}

// inject makes one request in six go wrong, and leaders move.
func (r *run) inject() {
	rng := rand.New(rand.NewPCG(r.seed, 1))
	codes := []int16{kerr.NotLeaderForPartition.Code, kerr.RequestTimedOut.Code, kerr.NotEnoughReplicasAfterAppend.Code}
	r.cluster.Inject = func(_ wire.NodeID, req kmsg.Request) clienttest.Fault {
		if rng.IntN(100) == 0 {
			tp := wire.TopicPartition{Topic: "append-read-0", Partition: rng.Int32N(3)}
			if r.cluster.Partition(tp) != nil {
				r.cluster.Lead(tp, wire.NodeID(1+rng.IntN(3)))
			}
		}
		f := clienttest.Fault{}
		switch rng.IntN(24) {
		case 0:
			f = clienttest.Fault{Cut: true, Skip: rng.IntN(2) == 0}
		case 1:
			f = clienttest.Fault{Silence: true, Skip: rng.IntN(2) == 0}
		case 2:
			f = clienttest.Fault{Code: codes[rng.IntN(len(codes))], Skip: rng.IntN(2) == 0}
		case 3:
			f = clienttest.Fault{Delay: time.Duration(rng.IntN(300)) * time.Millisecond}
		}
		return f
	}
}

func (r *run) check() *history.Report {
	r.t.Helper()
	report, err := history.Check(r.recorder.Events(), history.Guarantees{})
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

func TestHealthyClusterHasNoAnomalies(t *testing.T) {
	r := play(t, 1, nil, false, nil)
	report := r.check()
	if len(report.Anomalies) > 0 {
		t.Errorf("%v", report)
	}
	if report.Acknowledged != 600 || report.Final != 600 || report.Read < 300 {
		t.Errorf("%+v", report)
	}
}

func TestFaultsGiveOnlyWhatIsAllowed(t *testing.T) {
	allowed := make(map[history.Name]int)
	unknown := 0
	for seed := range uint64(8) {
		r := play(t, seed, map[string]int{"operations": 150, "request-timeout-ms": 500, "delivery-timeout-ms": 2000}, true, nil)
		report := r.check()
		if v := report.Violations(); len(v) > 0 {
			t.Errorf("seed %d: %v", seed, &v[0])
		}
		for _, a := range report.Allowed() {
			allowed[a.Name]++
		}
		unknown += report.Unknown
	}
	// A run without idempotence has to show these, else its faults were too weak.
	for _, name := range []history.Name{history.Duplicate, history.NonmonotonicSend, history.LostWrite} {
		if allowed[name] == 0 {
			t.Errorf("no %s in 8 runs: %v", name, allowed)
		}
	}
	if unknown == 0 {
		t.Error("no unknown outcome in 8 runs")
	}
}

func TestDrawnParametersRun(t *testing.T) {
	for seed := range uint64(6) {
		params := workloads.Draw("append-read", rand.New(rand.NewPCG(seed, 2)))
		params["operations"] = 100 // the scripted cluster tells nobody to stop
		if v := play(t, seed, params, true, nil).check().Violations(); len(v) > 0 {
			t.Errorf("seed %d, %v: %v", seed, params, &v[0])
		}
	}
}

// A record that is lost behind the users' backs must be found: the recording tells the
// checker enough.
func TestPlantedLossIsFound(t *testing.T) {
	r := play(t, 1, map[string]int{"all-acks": 1}, false, func(r *run) {
		p := r.cluster.Partition(wire.TopicPartition{Topic: "append-read-0", Partition: 1})
		p.Truncate(p.End() - 3)
	})
	names := map[history.Name]bool{}
	for _, a := range r.check().Violations() {
		names[a.Name] = true
	}
	if !names[history.Unseen] && !names[history.LostWrite] {
		t.Errorf("found only %v", names)
	}
}

func TestHistoryTellsTheRequestsOfEachAppend(t *testing.T) {
	r := play(t, 3, map[string]int{"operations": 100, "request-timeout-ms": 500}, true, nil)
	appends := make(map[int64]int)
	acknowledged := make(map[int64]bool)
	open := make(map[int64]bool)
	admin := map[history.Outcome]int{}
	for _, e := range r.recorder.Events() {
		switch {
		case e.Func == history.Append && e.Phase == history.Invoke:
			appends[e.Op] = 0
		case e.Func == history.Append && e.Outcome == history.OK:
			acknowledged[e.Op] = true
		case e.Func == history.Request && e.Phase == history.Invoke:
			open[e.Op] = true
			for _, op := range e.Of {
				if _, ok := appends[op]; !ok {
					t.Fatalf("request %d carries %d, which is no append", e.Op, op)
				}
				appends[op]++
			}
		case e.Func == history.Request:
			delete(open, e.Op)
		case e.Func == history.Admin && e.Phase == history.Return:
			admin[e.Outcome]++
		}
	}
	retried := 0
	for op := range acknowledged {
		switch {
		case appends[op] == 0:
			t.Errorf("append %d was acknowledged without a request", op)
		case appends[op] > 1:
			retried++
		}
	}
	if retried == 0 {
		t.Error("no append was retried")
	}
	if len(open) > 0 {
		t.Errorf("%d requests never ended", len(open))
	}
	if admin[history.OK] == 0 {
		t.Errorf("no churn: %v", admin)
	}
}

func TestStoppingEndsEndlessUsers(t *testing.T) {
	r := begin(t, 1, workloads.Config{Name: "append-read", Params: map[string]int{"operations": 0}})
	r.start()
	users := r.users
	r.world.Run(20 * time.Second)
	if r.users != users {
		t.Fatalf("%d of %d users ended by themselves", users-r.users, users)
	}
	r.stop = true
	r.wait(30 * time.Second)
}

func TestSameSeedSameHistory(t *testing.T) {
	params := map[string]int{"operations": 50}
	a := play(t, 5, params, true, nil).recorder.Events()
	b := play(t, 5, params, true, nil).recorder.Events()
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("two runs of one seed differ")
	}
}

func TestUnknownNamesAreRefused(t *testing.T) {
	for _, cfg := range []workloads.Config{
		{Name: "no-such"},
		{Name: "append-read", Params: map[string]int{"no-such": 1}},
		{Name: "append-read", Params: map[string]int{"topics": -1}},
	} {
		if _, err := workloads.New(cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
	if !slices.Contains(workloads.Names(), "append-read") || workloads.Defaults("append-read")["topics"] != 1 {
		t.Error(workloads.Names())
	}
}
