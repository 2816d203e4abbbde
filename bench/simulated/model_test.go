package simulated

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"odradek/bench"
	"odradek/sim"
)

func TestCoresAreTakenInOrder(t *testing.T) {
	c := newCores(2)
	for _, step := range []struct {
		at   sim.Time
		d    time.Duration
		want sim.Time
	}{
		{0, 10, 10}, // the first core
		{10, 5, 15}, // goes on there
		{1, 3, 4},   // the second has been free meanwhile
		{5, 100, 105},
		{6, 1, 16}, // both are busy: behind whoever ends first
	} {
		if got := c.reserve(step.at, step.d); got != step.want {
			t.Errorf("%d ns at %d: done at %d, want %d", step.d, step.at, got, step.want)
		}
	}
	if c.busy != 119 {
		t.Errorf("busy for %d ns, want 119", c.busy)
	}
}

func TestFramesAreFoundHoweverTheyAreCut(t *testing.T) {
	var stream []byte
	for _, f := range []struct {
		api  int16
		size int
	}{{0, 10}, {18, 4}, {1, 1000}} {
		frame := make([]byte, 4+f.size)
		binary.BigEndian.PutUint32(frame, uint32(f.size))
		binary.BigEndian.PutUint16(frame[4:], uint16(f.api))
		stream = append(stream, frame...)
	}
	for _, cut := range []int{1, 2, 3, 5, 7, 64, 5000} {
		var f frames
		var apis []int16
		for rest := stream; len(rest) > 0; {
			n := min(cut, len(rest))
			f.follow(rest[:n], func(api int16) { apis = append(apis, api) })
			rest = rest[n:]
		}
		if !slices.Equal(apis, []int16{0, 18, 1}) {
			t.Errorf("in pieces of %d bytes: %v", cut, apis)
		}
	}
}

func TestLateRecordsCountAsLatenciesOnly(t *testing.T) {
	var s bench.Sample
	ms := sim.Time(time.Millisecond)
	tl := &tally{sample: &s, from: 1000 * ms, to: 2000 * ms, groups: []*reading{new(reading)}}
	value := make([]byte, header)
	for i, c := range []struct {
		due, acked sim.Time // acked 0 is never
	}{{900, 910}, {1500, 1510}, {1990, 2100}, {1995, 3000}, {1999, 0}} {
		n := tl.begin(value, c.due*ms, 0, c.due*ms)
		if n != uint64(i) {
			t.Fatalf("number %d of record %d", n, i)
		}
		if c.acked > 0 {
			tl.settle(n, c.acked*ms, header, true)
			tl.receive(tl.groups[0], value, c.acked*ms)
		}
	}
	tl.receive(tl.groups[0], value[:header], 4000*ms)
	tl.receive(tl.groups[0], value[:header], 4000*ms)
	tl.finish(5000 * ms)
	if s.Sent != 4 || s.Acked != 2 || s.Received != 2 || s.Lost != 0 || s.Duplicated != 1 {
		t.Errorf("sent %d, acked %d, received %d, lost %d, duplicated %d", s.Sent, s.Acked, s.Received, s.Lost, s.Duplicated)
	}
	if s.Ack.Count() != 4 || time.Duration(s.Ack.Max()).Round(10*time.Millisecond) != 3*time.Second {
		t.Errorf("%d latencies, the longest %v", s.Ack.Count(), time.Duration(s.Ack.Max()))
	}
}

func TestShippedProfilesAreWhole(t *testing.T) {
	if names := Profiles(); !slices.Equal(names, []string{"cloud-nvme-10gbe", "hdd", "laptop", "three-regions"}) {
		t.Errorf("profiles %v", names)
	}
	for _, name := range Profiles() {
		p, err := BuiltIn(name)
		if err != nil {
			t.Error(err)
		}
		if p.Name != name || p.Description == "" {
			t.Errorf("%s calls itself %q", name, p.Name)
		}
		if p.Client.ProduceRecord.Each == 0 || p.Client.Read.Each == 0 {
			t.Errorf("%s: clients cost nothing", name)
		}
	}
}

func TestProfilesThatMakeNoSenseAreRefused(t *testing.T) {
	text, err := profiles.ReadFile("profiles/laptop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{"cores: 8", "cores: 0", "cores: 0"},
		{"latency: 10us", "latency: 0s", "network.latency"},
		{"Produce: 14us", "Prodooce: 14us", `no API "Prodooce"`},
		{"[500us, 650us", "[500us, 100us", "disk.fdatasync"},
		{"cores: 8", "kernels: 8", "kernels"},
		{", other: 8us}\n  answer: 4us", "}", `broker.requests: there is no "other"`},
	} {
		changed := strings.Replace(string(text), c.from, c.to, 1)
		if changed == string(text) {
			t.Fatalf("%q is not in the file", c.from)
		}
		if _, err := ParseProfile([]byte(changed)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error that says %s", c.to, err, c.want)
		}
	}
	if _, err := Load("moon"); err == nil || !strings.Contains(err.Error(), "laptop") {
		t.Errorf("an unknown profile: %v", err)
	}
}
