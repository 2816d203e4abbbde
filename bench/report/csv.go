package report

import (
	"encoding/csv"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"odradek/bench"
)

// CSV writes a line for every sample, in the order in which they were taken, under a line
// of headers with units. What is not known is an empty cell. Counters of simulations come
// last, by name.
func CSV(w io.Writer, r *bench.Result) error {
	groups, modes := groupsOf(r), targetsOf(r)
	names := counters(r)
	c := csv.NewWriter(w)
	head := []string{"scenario", "variant", "target", "mode", "version", "profile", "rate (records/s)", "repetition", "seconds",
		"sent", "acked", "failed", "received", "lost", "duplicated", "value_bytes"}
	for i := range bench.Measures {
		m := &bench.Measures[i]
		unit, _ := column(m.Unit)
		head = append(head, m.Key()+" ("+unit+")")
	}
	head = append(head, "ack_max (ms)", "end_to_end_max (ms)", "client_lateness_p99 (ms)", "server_cpu (s)", "client_cpu (s)", "server_written (B)", "client_rss (MiB)", "kept_up", "bottleneck")
	// Errors stick to the writer until it is flushed.
	_ = c.Write(append(head, names...))
	for i := range r.Samples {
		s := &r.Samples[i]
		target := modes[s.Target]
		row := []string{r.Scenario, s.Variant, s.Target, target.Mode, target.Version, target.Profile, plain(s.Rate), strconv.Itoa(s.Repetition), plain(s.Seconds),
			whole(s.Sent), whole(s.Acked), whole(s.Failed), whole(s.Received), known(s.Lost), known(s.Duplicated), whole(s.Bytes)}
		for i := range bench.Measures {
			m := &bench.Measures[i]
			cell := ""
			if v, ok := m.Of(s); ok {
				_, scale := column(m.Unit)
				cell = plain(v * scale)
			}
			row = append(row, cell)
		}
		row = append(row, ms(s.Ack, s.Ack.Max()), ms(s.EndToEnd, s.EndToEnd.Max()), ms(s.Lateness, s.Lateness.Quantile(0.99)),
			seconds(s.Server), seconds(s.Client), known(s.Server.BytesWritten), mib(s.Client), strconv.FormatBool(s.KeptUp(groups[s.Variant])), Bottleneck(s, sharedCores(r, s.Target), groups[s.Variant]))
		for _, name := range names {
			cell := ""
			if v, ok := s.Counters[name]; ok {
				cell = whole(v)
			}
			row = append(row, cell)
		}
		_ = c.Write(row)
	}
	c.Flush()
	return c.Error()
}

// groupsOf is how many consumer groups read each topic, by variant.
func groupsOf(r *bench.Result) map[string]int {
	groups := make(map[string]int)
	for _, s := range r.Scenarios() {
		groups[s.Variant] = s.Groups()
	}
	return groups
}

func targetsOf(r *bench.Result) map[string]bench.Target {
	targets := make(map[string]bench.Target)
	for _, t := range r.Targets {
		targets[t.Name] = t
	}
	return targets
}

// counters are the names of those that any sample has, sorted.
func counters(r *bench.Result) []string {
	all := make(map[string]bool)
	for i := range r.Samples {
		for name := range r.Samples[i].Counters {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func whole(n int64) string { return strconv.FormatInt(n, 10) }

func known(n int64) string {
	if n < 0 {
		return ""
	}
	return whole(n)
}

// plain is a number for programs, without an exponent.
func plain(v float64) string {
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(v, 'f', 6, 64), "0"), ".")
}

func ms(h bench.Histogram, ns int64) string {
	if h.Count() == 0 {
		return ""
	}
	return plain(float64(ns) / 1e6)
}

func seconds(u bench.Usage) string {
	if u.CPUSeconds < 0 {
		return ""
	}
	return plain(u.CPUSeconds)
}

func mib(u bench.Usage) string {
	if u.RSSBytes < 0 {
		return ""
	}
	return plain(float64(u.RSSBytes) / (1 << 20))
}
