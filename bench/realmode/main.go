package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"odradek/internal/realtest"
)

// workload is what every measurement moves.
type workload struct {
	records int
	size    int // bytes of a record's value
	// noise is where values are cut from: it does not compress.
	noise []byte
}

func (w *workload) bytes() int64 { return int64(w.records) * int64(w.size) }

// value is the i-th record's.
func (w *workload) value(i int) []byte {
	at := i * w.size % (len(w.noise) - w.size)
	return w.noise[at : at+w.size]
}

// measurement is one row of the report.
type measurement struct {
	name string
	// run does it once and tells how long the timed part took.
	run     func() (time.Duration, error)
	records bool // counts records, not only bytes
	broker  bool // the broker works on it
	// against is what it is a ratio of, nil if of nothing.
	against *measurement
	took    []time.Duration
	cpu     []time.Duration // of the broker
}

func main() {
	size := flag.Int("size", 256, "MiB that each measurement moves")
	record := flag.Int("record", 1024, "bytes of a record")
	reps := flag.Int("reps", 5, "repetitions")
	dir := flag.String("dir", "", "where to put files (default: the system's temporary directory)")
	producers := flag.Bool("producers", false, "compare plain, idempotent and transactional producers instead")
	profile := flag.String("cpuprofile", "", "write the broker's CPU profile to this file")
	flag.Parse()
	if err := run(*size, *record, *reps, *dir, *profile, *producers); err != nil {
		fmt.Fprintln(os.Stderr, "realmode:", err)
		os.Exit(2)
	}
}

func run(mib, record, reps int, parent, profile string, producers bool) error {
	if mib < 1 || record < 1 || record > 1<<19 || reps < 1 {
		return fmt.Errorf("--size %d, --record %d, --reps %d: want 1 or more, and records up to 512 KiB", mib, record, reps)
	}
	dir, err := os.MkdirTemp(parent, "odradek-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := realtest.Build(dir)
	if err != nil {
		return err
	}
	flags := []string{"--log-level", "warn"}
	if profile != "" {
		if profile, err = filepath.Abs(profile); err != nil {
			return err
		}
		flags = append(flags, "--cpuprofile", profile)
	}
	broker, err := realtest.Start(binary, filepath.Join(dir, "data"), "127.0.0.1:0", flags...)
	if err != nil {
		return err
	}
	defer broker.Kill()

	w := &workload{records: mib << 20 / record, size: record, noise: noise(8 << 20)}
	k := &kafka{addr: broker.Addr, w: w}
	rows := throughput(w, k, dir)
	if producers {
		rows = kinds(k)
	}
	order := rand.New(rand.NewPCG(1, 1))
	for rep := range reps {
		for _, m := range shuffled(rows, order) {
			progress("%d/%d %s", rep+1, reps, m.name)
			before := cpuTime(broker.PID())
			took, err := m.run()
			if err != nil {
				return fmt.Errorf("%s: %w\n%s", m.name, err, broker.Log())
			}
			m.took = append(m.took, took)
			m.cpu = append(m.cpu, cpuTime(broker.PID())-before)
		}
	}
	progress("")
	if err := broker.Stop(); err != nil {
		return err
	}
	return report(w, reps, rows)
}

// throughput is the broker beside the machine.
func throughput(w *workload, k *kafka, dir string) []*measurement {
	return []*measurement{
		{name: "file, written in order", run: func() (time.Duration, error) { return writeFile(w, dir, false) }},
		{name: "file, written and synced", run: func() (time.Duration, error) { return writeFile(w, dir, true) }},
		{name: "loopback TCP copy", run: func() (time.Duration, error) { return copyTCP(w) }},
		{name: "produce, defaults", run: func() (time.Duration, error) { return k.produce(producing{compress: true}) }, records: true, broker: true},
		{name: "consume, defaults", run: k.consume, records: true, broker: true},
		{name: "produce, no compression", run: func() (time.Duration, error) { return k.produce(producing{}) }, records: true, broker: true},
		{name: "consume, no compression", run: k.consume, records: true, broker: true},
	}
}

// kinds are the kinds of producers, each against a simpler one.
func kinds(k *kafka) []*measurement {
	kind := func(name string, how producing, against *measurement) *measurement {
		run := func() (time.Duration, error) { return k.produceOnly(how) }
		return &measurement{name: name, run: run, records: true, broker: true, against: against}
	}
	plain := kind("plain", producing{plain: true}, nil)
	idempotent := kind("idempotent", producing{}, plain)
	rows := []*measurement{plain, idempotent}
	for _, n := range []int{256, 4096} {
		rows = append(rows, kind(fmt.Sprintf("transactions of %d", n), producing{perTransaction: n}, idempotent))
	}
	return rows
}

// shuffled is another order in each repetition of a comparison, lest a measurement always
// pay for what the same other one has left to the disk and the collector. Measurements
// that build on each other (consume reads what was produced) keep their order.
func shuffled(rows []*measurement, order *rand.Rand) []*measurement {
	if rows[len(rows)-1].against == nil {
		return rows
	}
	rows = slices.Clone(rows)
	order.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}

// progress replaces a line on a terminal.
func progress(format string, args ...any) {
	if term.IsTerminal(int(os.Stderr.Fd())) {
		fmt.Fprintf(os.Stderr, "\r\033[K"+format, args...)
	}
}

func report(w *workload, reps int, rows []*measurement) error {
	fmt.Printf("%d MiB in records of %d bytes, %d repetitions; median (lowest-highest)\n", w.bytes()>>20, w.size, reps)
	fmt.Printf("%s, %d cores, GOMAXPROCS %d, Linux %s, %s\n\n", processor(), runtime.NumCPU(), runtime.GOMAXPROCS(0), kernel(), runtime.Version())
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tMB/s\t\trecords/s\tbroker CPU s/GB\t")
	for _, m := range rows {
		took := slices.Sorted(slices.Values(m.took))
		rate := func(d time.Duration) float64 { return float64(w.bytes()) / 1e6 / d.Seconds() }
		fmt.Fprintf(t, "%s\t%.0f\t(%.0f-%.0f)\t", m.name, rate(realtest.Median(took)), rate(took[len(took)-1]), rate(took[0]))
		if m.records {
			fmt.Fprintf(t, "%.0f\t", float64(w.records)/realtest.Median(took).Seconds())
		} else {
			fmt.Fprint(t, "\t")
		}
		if m.broker {
			fmt.Fprintf(t, "%.2f\t\n", realtest.Median(m.cpu).Seconds()/(float64(w.bytes())/1e9))
		} else {
			fmt.Fprint(t, "\t\n")
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return ratios(rows)
}

// ratios compares the throughput of measurements of the same repetition.
func ratios(rows []*measurement) error {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i, m := range rows {
		if m.against == nil {
			continue
		}
		var all []float64
		for rep := range m.took {
			all = append(all, m.against.took[rep].Seconds()/m.took[rep].Seconds())
		}
		slices.Sort(all)
		median := (all[(len(all)-1)/2] + all[len(all)/2]) / 2
		if i == 1 {
			fmt.Fprintln(t, "\nthroughput, of the same repetition\t\t\t")
		}
		fmt.Fprintf(t, "%s / %s\t%.2f\t(%.2f-%.2f)\t\n", m.name, m.against.name, median, all[0], all[len(all)-1])
	}
	return t.Flush()
}

// noise is bytes that no codec makes smaller.
func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{})
	b := make([]byte, n)
	_, _ = r.Read(b) // never fails
	return b
}

// cpuTime is what a process has used, 0 if the system does not say.
func cpuTime(pid int) time.Duration {
	const ticks = 100 // USER_HZ of every Linux there is
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(after)
	if len(f) < 13 {
		return 0
	}
	var user, system int64
	_, _ = fmt.Sscan(f[11], &user)
	_, _ = fmt.Sscan(f[12], &system)
	return time.Duration(user+system) * time.Second / ticks
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "?"
	}
	return unix.ByteSliceToString(u.Release[:])
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOARCH
}
