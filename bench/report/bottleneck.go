package report

import "odradek/bench"

// Limits that a sample ran into.
const (
	limitNone    = "-"
	limitClient  = "client"
	limitMachine = "machine"
	limitServer  = "server"
	limitUnknown = "?"
)

// Bottleneck says what kept a sample from more, or its latencies from being those of the
// system:
//
//   - machine: client and server together had nine tenths of its CPU. Both are slower than
//     either would be alone.
//   - client: a hundredth of the records came to the client library later than a tenth of
//     the latency at p99, and later than a millisecond. The bench measured itself.
//   - server: neither, and the system did not keep up.
//   - "-": it kept up. "?": nobody looked.
//
// ofMachine is how many cores the two shared, 0 if they had machines of their own or of a
// simulation; groups are the consumer groups that read each topic.
func Bottleneck(s *bench.Sample, ofMachine, groups int) string {
	server, client := cores(s.Server, s), cores(s.Client, s)
	late := s.Lateness.Quantile(0.99)
	switch {
	case ofMachine > 0 && server >= 0 && client >= 0 && server+client >= 0.9*float64(ofMachine):
		return limitMachine
	case late > 1e6 && float64(late) > 0.1*float64(s.Ack.Quantile(0.99)):
		return limitClient
	case s.Rate > 0 && s.KeptUp(groups):
		return limitNone
	case s.Lateness.Count() == 0:
		return limitUnknown
	}
	return limitServer
}

// sharedCores are those of the machine, for targets that run on it beside the client.
func sharedCores(r *bench.Result, target string) int {
	if mode := targetsOf(r)[target].Mode; mode == "disk" || mode == "memory" || mode == "in-process" {
		return r.Machine.Cores
	}
	return 0
}

// cores is how many were busy on average, -1 if that is not known.
func cores(u bench.Usage, s *bench.Sample) float64 {
	if u.CPUSeconds < 0 || s.Seconds <= 0 {
		return -1
	}
	return u.CPUSeconds / s.Seconds
}
