package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"odradek/checker/history"
	"odradek/sim/fault"
	"odradek/sim/harness"
)

// report writes for people. Its first error sticks, which is enough: nothing can be done
// about a standard output that is gone.
type report struct{ w io.Writer }

func (r report) line(label, format string, args ...any) {
	fmt.Fprintf(r.w, "%-10s%s\n", label, fmt.Sprintf(format, args...))
}

// plan sums a plan up.
func (r report) plan(p *fault.Plan) {
	c := &p.Cluster
	r.line("seed", "%d", p.Seed)
	controllers := fmt.Sprintf("%d of them controllers", c.Voters)
	if c.Controllers > 0 {
		controllers = fmt.Sprintf("%d controllers besides", c.Controllers)
	}
	r.line("cluster", "%d brokers, %s; links %v + up to %v, sync %v", c.Nodes, controllers,
		time.Duration(c.Latency), time.Duration(c.Jitter), time.Duration(c.SyncLatency))
	r.wrapped("configs", pairs(c.Config))
	r.wrapped("workload", append([]string{p.Workload.Name + ":"}, pairs(p.Workload.Params)...))
	if len(p.Workload.Topic) > 0 {
		r.wrapped("topics", pairs(p.Workload.Topic))
	}
	if len(p.Events) == 0 {
		r.line("faults", "none for %v", time.Duration(p.Faults))
	} else {
		planned := make(map[fault.Kind]int)
		for _, e := range p.Events {
			planned[e.Kind]++
		}
		r.line("faults", "%d planned within %v: %s", len(p.Events), time.Duration(p.Faults), counts(planned))
	}
	for _, f := range p.Armed {
		r.line("armed", "%s=%s on every node", f.Name, f.Terms)
	}
}

// result tells what a run came to. dir is where its files are, "" for nowhere.
func (r report) result(res *harness.Result, dir, command string) {
	fmt.Fprintln(r.w)
	if res.Verdict == harness.OK {
		r.line("verdict", "ok")
	} else {
		r.line("verdict", "VIOLATION: %s", plural(len(res.Anomalies), "anomaly", "anomalies"))
		// The first of each name; the others are in the result file.
		told := make(map[string]bool)
		var rest []harness.Anomaly
		for _, a := range res.Anomalies {
			if told[a.Name] {
				rest = append(rest, a)
				continue
			}
			told[a.Name] = true
			fmt.Fprintf(r.w, "  %s\n", a.String())
			r.operations(a.Ops, res.History)
		}
		if len(rest) > 0 {
			fmt.Fprintf(r.w, "  and of the same kinds: %s\n", counts(byName(rest)))
		}
		if res.Stack != "" {
			fmt.Fprintf(r.w, "\n%s\n", res.Stack)
		}
	}
	r.line("ran", "%s operations: %s appends acknowledged, %s failed, %s unknown; %s records read", group(res.Ops.Total),
		group(res.Ops.Acknowledged), group(res.Ops.Failed), group(res.Ops.Unknown), group(res.Ops.Read))
	r.line("struck", "%s", orNone(counts(res.Faults)))
	r.wrapped("reached", list(counts(reachedOf(res.Reached))))
	r.wrapped("checked", list(counts(res.Checked)))
	if len(res.Allowed) > 0 {
		r.line("allowed", "%s (odd, but within what the settings promise)", counts(res.Allowed))
	}
	r.line("took", "%v simulated in %v: %s events, %s a second", time.Duration(res.SimNS).Round(time.Millisecond),
		time.Duration(res.WallNS).Round(time.Millisecond), group(res.Events), group(perSecond(res.Events, res.WallNS)))
	r.line("hash", "%s", res.Hash)
	if dir != "" {
		r.line("files", "%s", dir)
	}
	if res.Verdict != harness.OK {
		r.line("reproduce", "%s", command)
	}
}

// operations tells the events of a history that an anomaly is about.
func (r report) operations(seqs []int64, events []history.Event) {
	const most = 8
	for i, seq := range seqs {
		if i == most {
			fmt.Fprintf(r.w, "       and %d more events\n", len(seqs)-most)
			return
		}
		// Sequence numbers grow.
		at, ok := slices.BinarySearchFunc(events, seq, func(e history.Event, seq int64) int { return int(e.Seq - seq) })
		if ok {
			fmt.Fprintf(r.w, "       %s\n", describe(&events[at], events))
		}
	}
}

// describe tells one event of a history in a line.
func describe(e *history.Event, events []history.Event) string {
	s := fmt.Sprintf("#%d %v", e.Seq, time.Duration(e.Time))
	who := e
	if e.Phase == history.Return {
		if at, ok := slices.BinarySearchFunc(events, e.Op, func(e history.Event, seq int64) int { return int(e.Seq - seq) }); ok {
			who = &events[at]
		}
	}
	s += fmt.Sprintf(" %s: %s %s", who.Process, who.Func, who.About())
	if who.Value != 0 {
		s += fmt.Sprintf(" value %d acks=%s", who.Value, acksName(who.Acks))
	}
	if e.Phase == history.Invoke {
		return s + " begins"
	}
	s += " is " + string(e.Outcome)
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at offset %d", e.Offset)
	}
	switch n := len(e.Records); {
	case who.Func == history.Final:
		s += fmt.Sprintf(": the log is [%d, %d)", e.Start, e.End)
	case n > 0:
		s += fmt.Sprintf(": %d records up to offset %d", n, e.Records[n-1].Offset)
	}
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	return s
}

func acksName(acks int8) string {
	if acks == history.AcksAll {
		return "all"
	}
	return strconv.Itoa(int(acks))
}

// list makes words of a list in a line, so that it wraps between its items.
func list(s string) []string { return strings.SplitAfter(orNone(s), ", ") }

// wrapped writes words on as many lines as they need.
func (r report) wrapped(label string, words []string) {
	const width = 110
	line := ""
	for _, w := range words {
		if line != "" && len(line)+1+len(w) > width {
			r.line(label, "%s", strings.TrimSpace(line))
			label, line = "", ""
		}
		if line != "" && !strings.HasSuffix(line, " ") {
			line += " "
		}
		line += w
	}
	r.line(label, "%s", line)
}

// machinery are prefixes of reached kinds that say more about the simulated machines
// than about the cluster; --json has them.
var machinery = []string{"net-", "host-", "disk-", "fault-", "hang-up", "stray-"}

func reachedOf(all map[string]uint64) map[string]uint64 {
	some := maps.Clone(all)
	maps.DeleteFunc(some, func(kind string, _ uint64) bool {
		return slices.ContainsFunc(machinery, func(p string) bool { return strings.HasPrefix(kind, p) })
	})
	return some
}

func byName(anomalies []harness.Anomaly) map[string]int {
	m := make(map[string]int)
	for _, a := range anomalies {
		m[a.Name]++
	}
	return m
}

// counts writes counters, sorted by name.
func counts[K ~string, N int | uint64](m map[K]N) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %s", k, group(m[k])))
	}
	return strings.Join(parts, ", ")
}

func pairs[V any](m map[string]V) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s=%v", k, m[k]))
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return group(n) + " " + many
}

// group writes an integer with commas.
func group[N int | int64 | uint64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func perSecond(n uint64, ns int64) uint64 {
	if ns <= 0 {
		return 0
	}
	return uint64(float64(n) / (float64(ns) / 1e9))
}

// program is how the user called us, for commands to copy: a binary made by `go run` is
// gone afterwards.
func program() string {
	if path, err := os.Executable(); err == nil && strings.Contains(path, string(filepath.Separator)+"go-build") {
		return "go run ./cmd/odradek"
	}
	return os.Args[0]
}
