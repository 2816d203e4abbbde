package fetchsession

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/wire"
)

// broker is a cache in front of partitions that have a high watermark, a log start and
// an error each.
type broker struct {
	cache *Cache
	now   int64
	state map[Key]*state
	ids   map[int32]string // of sessions, in the order of their creation
}

type state struct {
	hw, start wire.Offset
	err       int16
	special   bool
}

func newBroker(slots int) *broker {
	return &broker{
		cache: NewCache(Config{Slots: slots, Eviction: time.Minute}, rand.New(rand.NewPCG(1, 2))),
		state: map[Key]*state{}, ids: map[int32]string{},
	}
}

func (b *broker) at(k Key) *state {
	if b.state[k] == nil {
		b.state[k] = &state{}
	}
	return b.state[k]
}

// result is what a read of p gives; room bounds the bytes left in the response.
func (b *broker) result(p Partition, room *int) Result {
	s := b.at(p.Key)
	r := Result{Err: s.err, HighWatermark: s.hw, LogStart: s.start, Special: s.special}
	if n := int(s.hw - p.FetchOffset); s.err == 0 && n > 0 && *room > 0 {
		r.RecordBytes = min(n, *room)
		*room -= r.RecordBytes
	}
	return r
}

func (b *broker) name(id int32) string {
	if id == 0 {
		return "none"
	}
	if b.ids[id] == "" {
		b.ids[id] = "s" + fmt.Sprint(len(b.ids)+1)
	}
	return b.ids[id]
}

func (b *broker) id(name string) int32 {
	for id, n := range b.ids {
		if n == name {
			return id
		}
	}
	return 4242 // nobody's
}

// parse reads topic-partition@offset; a topic in capitals is an id.
func parse(s string) Partition {
	p := Partition{CurrentLeaderEpoch: -1, LastFetchedEpoch: -1, LogStart: -1}
	name, offset, _ := strings.Cut(s, "@")
	fmt.Sscan(offset, &p.FetchOffset)
	topic, partition, _ := strings.Cut(name, "-")
	fmt.Sscan(partition, &p.Partition)
	if topic == strings.ToUpper(topic) {
		copy(p.TopicID[:], topic)
	} else {
		p.Topic = topic
	}
	return p
}

func (k Key) String() string {
	topic := k.Topic
	if topic == "" {
		topic = strings.TrimRight(string(k.TopicID[:]), "\x00")
	}
	return fmt.Sprintf("%s-%d", topic, k.Partition)
}

// TestServer plays testdata/server. Commands:
//
//	cache slots=N
//	set p... [hw=N] [start=N] [err=N] [diverging=0|1]    what the partitions have
//	fetch session=S epoch=E [follower] [ids] [room=N] p@offset... [forget=p,...]
//	begin/respond                        the two halves of fetch
//	pass D
func TestServer(t *testing.T) {
	var b *broker
	var open *Fetch
	datadriven.RunTest(t, "testdata/server", func(t *testing.T, d *datadriven.TestData) string {
		var out strings.Builder
		room := 1000
		for line := range strings.Lines(d.Cmd + " " + argLine(d) + "\n" + d.Input) {
			f := strings.Fields(line)
			if len(f) == 0 {
				continue
			}
			req := Request{}
			var names []string
			n := map[string]string{}
			for _, a := range f[1:] {
				if k, v, ok := strings.Cut(a, "="); ok {
					n[k] = v
				} else if strings.Contains(a, "-") {
					names = append(names, a)
				} else {
					n[a] = ""
				}
			}
			number := func(key string) (i int64) { fmt.Sscan(n[key], &i); return }
			switch f[0] {
			case "cache":
				b = newBroker(int(number("slots")))
			case "set":
				for _, name := range names {
					s := b.at(parse(name).Key)
					for k := range n {
						switch k {
						case "hw":
							s.hw = wire.Offset(number(k))
						case "start":
							s.start = wire.Offset(number(k))
						case "err":
							s.err = int16(number(k))
						case "diverging":
							s.special = number(k) == 1
						}
					}
				}
			case "pass":
				dur, err := time.ParseDuration(f[1])
				if err != nil {
					d.Fatalf(t, "%v", err)
				}
				b.now += int64(dur)
			case "fetch", "begin":
				if n["session"] != "" {
					req.SessionID = b.id(n["session"])
				}
				req.Epoch = int32(number("epoch"))
				_, req.Follower = n["follower"]
				_, req.TopicIDs = n["ids"]
				if n["room"] != "" {
					room = int(number("room"))
				}
				for _, name := range names {
					req.Partitions = append(req.Partitions, parse(name))
				}
				for name := range strings.SplitSeq(n["forget"], ",") {
					if name != "" {
						req.Forgotten = append(req.Forgotten, parse(name).Key)
					}
				}
				x, err := b.cache.Begin(b.now, req)
				if err != nil {
					fmt.Fprintln(&out, err.Message)
					continue
				}
				if f[0] == "begin" {
					open = x
					continue
				}
				out.WriteString(b.respond(x, room))
			case "respond":
				out.WriteString(b.respond(open, room))
			default:
				d.Fatalf(t, "unknown command %s", f[0])
			}
		}
		return out.String()
	})
}

func argLine(d *datadriven.TestData) string {
	var s []string
	for _, a := range d.CmdArgs {
		s = append(s, a.String())
	}
	return strings.Join(s, " ")
}

func (b *broker) respond(x *Fetch, room int) string {
	var results []Result
	for i := range x.Len() {
		results = append(results, b.result(x.Partition(i), &room))
	}
	r := x.Respond(b.now, results)
	if r.Err != nil {
		return r.Err.Message + "\n"
	}
	s := fmt.Sprintf("session %s of %d, read", b.name(r.SessionID), b.cache.Len())
	for i := range x.Len() {
		s += " " + x.Partition(i).Key.String()
	}
	s += ", sent"
	for _, i := range r.Include {
		s += fmt.Sprintf(" %s(%d)", x.Partition(i).Key, results[i].RecordBytes)
	}
	return s + "\n"
}

func TestEpochsWrapAroundToOne(t *testing.T) {
	b := newBroker(1)
	x, _ := b.cache.Begin(0, Request{Partitions: []Partition{parse("a-0@0")}})
	id := x.Respond(0, make([]Result, 1)).SessionID
	b.cache.byID[id].epoch = 1<<31 - 1
	if _, err := b.cache.Begin(0, Request{SessionID: id, Epoch: 1<<31 - 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.cache.Begin(0, Request{SessionID: id, Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.cache.Begin(0, Request{SessionID: id, Epoch: 1}); err != kerr.InvalidFetchSessionEpoch {
		t.Fatal(err)
	}
}

func BenchmarkIdleIncrementalFetch(b *testing.B) {
	br := newBroker(1)
	var ps []Partition
	for i := range 100 {
		ps = append(ps, Partition{Key: Key{Topic: "a", Partition: int32(i)}})
	}
	x, _ := br.cache.Begin(0, Request{Partitions: ps})
	results := make([]Result, 100)
	id := x.Respond(0, results).SessionID
	b.ReportAllocs()
	epoch := int32(1)
	for b.Loop() {
		x, err := br.cache.Begin(0, Request{SessionID: id, Epoch: epoch})
		if err != nil {
			b.Fatal(err)
		}
		x.Respond(0, results)
		epoch = nextEpoch(epoch)
	}
}

func TestPartitionsOfAllSessionsAreBounded(t *testing.T) {
	c := NewCache(Config{Slots: 10, Partitions: 5, Eviction: time.Minute}, rand.New(rand.NewPCG(1, 2)))
	partitions := func(n int32) []Partition {
		ps := make([]Partition, n)
		for i := range ps {
			ps[i].Topic, ps[i].Key.Partition = "t", int32(i)
		}
		return ps
	}
	open := func(n int32) int32 {
		f, err := c.Begin(0, Request{Epoch: NewSession, Partitions: partitions(n)})
		if err != nil {
			t.Fatal(err)
		}
		return f.Respond(0, make([]Result, n)).SessionID
	}
	a, b := open(2), open(2)
	if a == 0 || b == 0 {
		t.Fatal("no session although there is room")
	}
	if open(2) != 0 {
		t.Error("a sixth partition was taken")
	}
	// Two more partitions in b are one too many: it ends, and makes room.
	if _, err := c.Begin(0, Request{SessionID: b, Epoch: 1, Partitions: partitions(4)}); err != kerr.FetchSessionIDNotFound {
		t.Errorf("growing: %v", err)
	}
	if c.Len() != 1 || open(3) == 0 {
		t.Errorf("%d sessions", c.Len())
	}
	if _, err := c.Begin(0, Request{SessionID: a, Epoch: 1, Partitions: partitions(1), Forgotten: []Key{{Topic: "t", Partition: 1}}}); err != nil {
		t.Errorf("shrinking: %v", err)
	}
	if c.parts != 4 {
		t.Errorf("%d partitions are counted, want 4", c.parts)
	}
}
