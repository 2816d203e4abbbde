package coordinator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

// toy is a machine of named values. Its requests are JoinGroups: the group is a name, the
// member id a verb, the protocol type an argument; the leader in the answer is the value.
type toy struct {
	values  map[string]string
	pending map[int64]map[string]string // values of open transactions, by producer
	waiting map[string][]Token          // for a value of that name
	alarm   int64
	epoch   int32
}

func newToy() *toy {
	return &toy{values: make(map[string]string), pending: make(map[int64]map[string]string), waiting: make(map[string][]Token), alarm: Never}
}

func (t *toy) Replay(e Entry) {
	into := t.values
	if x := e.Transaction; x != nil {
		if t.pending[x.ProducerID] == nil {
			t.pending[x.ProducerID] = make(map[string]string)
		}
		into = t.pending[x.ProducerID]
	}
	into[string(e.Key)] = string(e.Value)
	if e.Value == nil {
		delete(into, string(e.Key))
	}
}

func (t *toy) ReplayMarker(m Marker, _ wire.Offset) {
	if m.Commit {
		maps.Copy(t.values, t.pending[m.ProducerID])
	}
	delete(t.pending, m.ProducerID)
}

func (t *toy) Loaded(m Moment, epoch int32) Decision {
	t.epoch = epoch
	return Decision{Effects: []any{fmt.Sprintf("in charge since epoch %d", epoch)}}
}

func ask(verb, name, arg string) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.ProtocolType = 9, name, verb, arg
	return req
}

func told(value string) *kmsg.JoinGroupResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.LeaderID = value
	return resp
}

func (t *toy) Handle(m Moment, r Request) (d Decision) {
	if text, ok := r.Msg.(string); ok {
		d.Batches = []Batch{{Records: []Record{{Key: []byte("note"), Value: []byte(text)}}}}
		return d
	}
	req := r.Msg.(*kmsg.JoinGroupRequest)
	answer := Reply{Token: r.Token, Response: told(t.values[req.Group])}
	switch req.MemberID {
	case "get":
		d.Replies = []Reply{answer}
	case "ping":
		answer.Immediate = true
		d.Replies = []Reply{answer}
	case "put":
		d.Batches = []Batch{{Records: []Record{{Key: []byte(req.Group), Value: []byte(req.ProtocolType)}}}}
		d.Effects = []any{req.Group + " is " + req.ProtocolType}
		d.Replies = []Reply{{Token: r.Token, Response: told("stored")}}
		for _, w := range t.waiting[req.Group] {
			d.Replies = append(d.Replies, Reply{Token: w, Response: told(req.ProtocolType)})
		}
		delete(t.waiting, req.Group)
	case "forget":
		d.Batches = []Batch{{Records: []Record{{Key: []byte(req.Group)}}}}
		d.Replies = []Reply{{Token: r.Token, Response: told("forgotten")}}
	case "prepare":
		d.Batches = []Batch{{Records: []Record{{Key: []byte(req.Group), Value: []byte(req.ProtocolType)}}, Transaction: &Transaction{ProducerID: 7}}}
		d.Replies = []Reply{{Token: r.Token, Response: told("prepared")}}
	case "wait":
		t.waiting[req.Group] = append(t.waiting[req.Group], r.Token)
	case "alarm":
		t.alarm = m.Now + int64(2*time.Second)
		d.Replies = []Reply{{Token: r.Token, Response: told("set"), Immediate: true}}
	case "twice":
		d.Replies = []Reply{answer, answer}
	}
	return d
}

func (t *toy) MetadataChanged(m Moment) Decision {
	return Decision{Effects: []any{"heard of the metadata"}}
}

func (t *toy) Deadline() int64 { return t.alarm }

func (t *toy) Tick(m Moment) Decision {
	t.alarm = Never
	return Decision{Effects: []any{"the alarm rang"}}
}

func (t *toy) durable() map[string]string {
	all := maps.Clone(t.values)
	for id, values := range t.pending {
		for k, v := range values {
			all[fmt.Sprintf("%s of %d", k, id)] = v
		}
	}
	return all
}

// bench runs a shard by transcript. The log is what it appends.
type bench struct {
	*Shard
	now       int64
	next, hw  wire.Offset
	lastToken Token
}

func newBench() *bench { return &bench{Shard: New(newToy(), Config{CommitTimeout: 5 * time.Second})} }

func (b *bench) moment() Moment {
	return Moment{Now: b.now, Wall: 1000 + b.now/int64(time.Millisecond), Image: metadata.NewImage(), NextOffset: b.next}
}

func (b *bench) do(out Output) string {
	var s strings.Builder
	for _, batch := range out.Batches {
		at := b.next
		b.next += offsets([]Batch{batch})
		switch {
		case batch.Marker != nil:
			fmt.Fprintf(&s, "append %d: commit=%v of producer %d\n", at, batch.Marker.Commit, batch.Marker.ProducerID)
		default:
			for _, r := range batch.Records {
				fmt.Fprintf(&s, "append %d: %s=%s", at, r.Key, r.Value)
				if batch.Transaction != nil {
					fmt.Fprintf(&s, " of producer %d", batch.Transaction.ProducerID)
				}
				s.WriteString("\n")
			}
		}
	}
	for _, r := range out.Replies {
		fmt.Fprintf(&s, "answer %d: %s\n", r.Token, answerText(r.Response))
	}
	for _, m := range out.Marked {
		fmt.Fprintf(&s, "marked %d: %s\n", m.Token, errorText(m.Err))
	}
	for _, e := range out.Effects {
		fmt.Fprintf(&s, "effect: %v\n", e)
	}
	if s.Len() == 0 {
		return "nothing\n"
	}
	return s.String()
}

func answerText(resp kmsg.Response) string {
	switch r := resp.(type) {
	case *kmsg.JoinGroupResponse:
		if r.ErrorCode == 0 {
			return fmt.Sprintf("%q", r.LeaderID)
		}
		return errorText(kerr.TypedErrorForCode(r.ErrorCode))
	case *kmsg.HeartbeatResponse:
		return errorText(kerr.TypedErrorForCode(r.ErrorCode))
	}
	return fmt.Sprintf("%T", resp)
}

func errorText(err *kerr.Error) string {
	if err == nil {
		return "ok"
	}
	return err.Message
}

func TestShardTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		b := newBench()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var key, value string
			var offset int64
			for _, a := range d.CmdArgs {
				switch a.Key {
				case "at":
					d.ScanArgs(t, "at", &offset)
				case "producer", "commit", "epoch", "ends":
				default:
					if len(a.Vals) == 1 {
						key, value = a.Key, a.Vals[0]
					}
				}
			}
			marker := func() Marker {
				return Marker{Transaction: Transaction{ProducerID: 7}, Commit: !d.HasArg("abort"), CoordinatorEpoch: 1}
			}
			switch d.Cmd {
			case "load":
				e := Entry{Record: Record{Key: []byte(key), Value: []byte(value)}, Offset: wire.Offset(offset)}
				if d.HasArg("producer") {
					e.Transaction = &Transaction{ProducerID: 7}
				}
				b.Load(e)
				return "ok\n"
			case "load-marker":
				b.LoadMarker(marker(), wire.Offset(offset))
				return "ok\n"
			case "start":
				var epoch int32
				var ends int64
				d.ScanArgs(t, "epoch", &epoch)
				d.ScanArgs(t, "ends", &ends)
				b.next = wire.Offset(ends)
				return b.do(b.Start(b.moment(), epoch))
			case "mark":
				b.lastToken++
				return b.do(b.Mark(b.moment(), b.lastToken, marker()))
			case "committed":
				var to int64
				d.ScanArgs(t, "to", &to)
				return b.do(b.Committed(wire.Offset(to)))
			case "heartbeat":
				b.lastToken++
				return b.do(b.Handle(b.moment(), Request{Token: b.lastToken, Msg: kmsg.NewPtrHeartbeatRequest()}))
			case "tell":
				return b.do(b.Handle(b.moment(), Request{Msg: d.Input}))
			case "pass":
				var dur string
				d.ScanArgs(t, "time", &dur)
				took, err := time.ParseDuration(dur)
				if err != nil {
					t.Fatal(err)
				}
				b.now += int64(took)
				if b.Deadline() > b.now {
					return "nothing is due\n"
				}
				return b.do(b.Tick(b.moment()))
			case "metadata":
				return b.do(b.MetadataChanged(b.moment()))
			case "unload":
				return b.do(b.Unload(kerr.NotCoordinator))
			case "values":
				var lines []string
				for k, v := range b.Machine().(*toy).durable() {
					lines = append(lines, k+"="+v+"\n")
				}
				slices.Sort(lines)
				return strings.Join(lines, "")
			default: // a verb of the toy
				name, arg := d.CmdArgs[0].Key, ""
				if len(d.CmdArgs[0].Vals) > 0 {
					arg = d.CmdArgs[0].Vals[0]
				}
				b.lastToken++
				return b.do(b.Handle(b.moment(), Request{Token: b.lastToken, Msg: ask(d.Cmd, name, arg)}))
			}
		})
	})
}

// Whatever happens: every request is answered once; no answer that tells of the state
// leaves before what it saw has committed; and the state is the replay of the log.
func TestShardProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench()
		b.Start(b.moment(), 1)
		var log []Batch
		seen := make(map[Token]wire.Offset) // the end of the log when the request came
		immediate, timedOut := make(map[Token]bool), make(map[Token]bool)
		answered := make(map[Token]int)
		unloaded := false
		take := func(out Output) {
			log = append(log, out.Batches...)
			b.next += offsets(out.Batches)
			for _, r := range out.Replies {
				answered[r.Token]++
				refused := r.Response.(*kmsg.JoinGroupResponse).ErrorCode != 0
				if refused && !unloaded {
					timedOut[r.Token] = true
				}
				if !refused && !immediate[r.Token] && seen[r.Token] > b.hw {
					t.Fatalf("answer %d saw %d, but the high watermark is %d", r.Token, seen[r.Token], b.hw)
				}
			}
			for _, m := range out.Marked {
				answered[m.Token]++
				if m.Err == nil && seen[m.Token] >= b.hw {
					t.Fatalf("marker %d is at %d, but the high watermark is %d", m.Token, seen[m.Token], b.hw)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				verb := rapid.SampledFrom([]string{"get", "ping", "put", "forget", "prepare", "wait", "alarm"}).Draw(t, "verb")
				name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")
				b.lastToken++
				immediate[b.lastToken] = verb == "ping" || verb == "alarm"
				seen[b.lastToken] = b.next
				take(b.Handle(b.moment(), Request{Token: b.lastToken, Msg: ask(verb, name, fmt.Sprint(b.lastToken))}))
			},
			"mark": func(t *rapid.T) {
				b.lastToken++
				seen[b.lastToken] = b.next
				take(b.Mark(b.moment(), b.lastToken, Marker{Transaction: Transaction{ProducerID: 7}, Commit: rapid.Bool().Draw(t, "commit")}))
			},
			"commit": func(t *rapid.T) {
				b.hw = wire.Offset(rapid.Int64Range(int64(b.hw), int64(b.next)).Draw(t, "to"))
				take(b.Committed(b.hw))
			},
			"pass": func(t *rapid.T) {
				b.now += rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "time")
				take(b.Tick(b.moment()))
				if at := b.Deadline(); at <= b.now {
					t.Fatalf("at %d the deadline is %d", b.now, at)
				}
			},
			"": func(t *rapid.T) {
				for token, n := range answered {
					if n > 1 {
						t.Fatalf("token %d answered %d times", token, n)
					}
				}
				again := New(newToy(), Config{})
				at := wire.Offset(0)
				for _, batch := range log {
					if batch.Marker != nil {
						again.LoadMarker(*batch.Marker, at)
					}
					for i, r := range batch.Records {
						again.Load(Entry{Record: r, Offset: at + wire.Offset(i), Transaction: batch.Transaction})
					}
					at += offsets([]Batch{batch})
				}
				if diff := cmp.Diff(again.Machine().(*toy).durable(), b.Machine().(*toy).durable()); diff != "" {
					t.Fatalf("the log replays to something else: %s", diff)
				}
			},
		})
		unloaded = true
		take(b.Unload(kerr.NotCoordinator))
		for token := Token(1); token <= b.lastToken; token++ {
			if answered[token] != 1 {
				t.Fatalf("token %d answered %d times", token, answered[token])
			}
		}
	})
}

func TestShardPanicsOnABug(t *testing.T) {
	for name, misuse := range map[string]func(b *bench){
		"an answer twice": func(b *bench) { b.Handle(b.moment(), Request{Token: 1, Msg: ask("twice", "x", "")}) },
		"a token twice": func(b *bench) {
			b.Handle(b.moment(), Request{Token: 1, Msg: ask("wait", "x", "")})
			b.Mark(b.moment(), 1, Marker{})
		},
		"a log that moved by itself":         func(b *bench) { b.next++; b.Handle(b.moment(), Request{Token: 1, Msg: ask("put", "x", "1")}) },
		"a high watermark that goes back":    func(b *bench) { b.Committed(3); b.Committed(2) },
		"a record loaded after the start":    func(b *bench) { b.Load(Entry{Offset: 9}) },
		"a start for the second time":        func(b *bench) { b.Start(b.moment(), 2) },
		"a request of the first life's kind": func(b *bench) { b.Handle(b.moment(), Request{Token: 1, Msg: "text"}) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.Start(b.moment(), 1)
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			misuse(b)
		})
	}
}
