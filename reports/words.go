package reports

import (
	"fmt"
	"slices"
	"strings"

	"odradek/bench"
)

// ran says what a figure is of: the scenario, the variant, its shape.
func (s *set) ran(sc *bench.Scenario, more ...string) string {
	return join(slices.Concat([]string{sc.Title()}, parts(sc), more))
}

// ranAll says it of all variants, as far as they are the same.
func (s *set) ranAll(variants []*bench.Scenario) string {
	same := parts(variants[0])
	for _, sc := range variants[1:] {
		other := parts(sc)
		same = slices.DeleteFunc(same, func(p string) bool { return !slices.Contains(other, p) })
	}
	return join(append([]string{s.name}, same...))
}

func parts(sc *bench.Scenario) []string {
	users := plural(sc.Topics*sc.ProducersPerTopic, "producer")
	if n := sc.Consumers(); n > 0 {
		users += ", " + plural(n, "consumer")
	}
	return []string{
		plural(sc.Brokers, "broker") + fmt.Sprintf(", replication factor %d", sc.ReplicationFactor),
		plural(sc.Topics, "topic") + " × " + plural(sc.PartitionsPerTopic, "partition"),
		"records of " + size(sc.MessageSize),
		users,
	}
}

// where says on what, when and how often it ran, and which versions.
func (s *set) where(sc *bench.Scenario, targets []target) string {
	most, fewest := 0, 0
	for _, t := range targets {
		for _, p := range s.curve(t, sc) {
			n := len(p.runs)
			most = max(most, n)
			if fewest == 0 || n < fewest {
				fewest = n
			}
		}
	}
	times := plural(most, "repetition")
	if fewest != most {
		times = fmt.Sprintf("%d to %s", fewest, times)
	}
	seconds := s.seconds(sc)
	parts := []string{describe(s.machine), strings.Join(s.days, ", "), times + " of " + seconds}
	for _, t := range targets {
		if t.Version != "" && !strings.Contains(t.label, t.Version) {
			parts = append(parts, t.label+": "+t.Version)
		}
		if t.Profile != "" && !strings.Contains(t.label, t.Profile) {
			parts = append(parts, t.label+": profile "+t.Profile)
		}
	}
	return join(parts)
}

// seconds is how long was measured, which is what the samples say, not the file.
func (s *set) seconds(sc *bench.Scenario) string {
	var all []float64
	for _, x := range s.runs {
		if x.Variant == sc.Variant {
			all = append(all, x.Seconds)
		}
	}
	lo, hi := slices.Min(all), slices.Max(all)
	if hi-lo < 0.05*hi {
		return brief(hi) + " s"
	}
	return brief(lo) + " to " + brief(hi) + " s"
}

func describe(m bench.Machine) string {
	var parts []string
	for _, p := range []string{m.Processor, plural(m.Cores, "core"), memory(m.MemoryMiB), m.Kernel, m.Go} {
		if p != "" && p != "0 cores" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}

func memory(mib int64) string {
	if mib <= 0 {
		return ""
	}
	return brief(float64(mib)/1024) + " GiB"
}

func size(bytes int) string {
	if bytes >= 1024 && bytes%1024 == 0 {
		return fmt.Sprintf("%d KiB", bytes/1024)
	}
	return fmt.Sprintf("%d B", bytes)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(float64(n)) + " " + what + "s"
}

// between stands between the parts of a line.
const between = " · "

func join(parts []string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), between)
}

// asked says a rate.
func asked(rate float64) string {
	if rate == 0 {
		return "as fast as possible"
	}
	return number(rate) + " records/s asked for"
}

// slug is a name that every file system takes.
func slug(parts ...string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.Join(parts, "-")) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-.")
}

// repeated says what points and bars are.
func repeated(points []point) string {
	most := 0
	for _, p := range points {
		most = max(most, len(p.runs))
	}
	if most == 1 {
		return "One repetition: there is no spread to show."
	}
	return fmt.Sprintf("Points are medians of %d repetitions, bars reach from the smallest to the largest.", most)
}
