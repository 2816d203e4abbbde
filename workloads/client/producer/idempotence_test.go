package producer

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/transcript"
)

// TestIdempotence plays the transcripts: what an idempotent producer sends, with which
// identity, after which answers.
//
//	new [in-flight=N] [batch-size=N] [retries=N] [delivery-s=N] [epoch=N]
//	send PARTITION VALUE...
//	poll                         request N: partition/id.epoch.sequence values...
//	identity [epoch=N] [code=N]  answers InitProducerId
//	answer N [code=NAME] [offset=N] [start=N]   answers request N
//	lose N                       its connection is lost
//	lead                         the other node leads partition 0
//	pass DURATION
//
// After each, the results are printed.
func TestIdempotence(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var b *bench
		reqs := make(map[attempt.ID]Request)
		var asking attempt.ID
		var epoch int32
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			arg := func(key string, otherwise int64) int64 {
				if !d.HasArg(key) {
					return otherwise
				}
				var n int64
				d.ScanArgs(t, key, &n)
				return n
			}
			code := func() int16 {
				var name string
				d.MaybeScanArgs(t, "code", &name)
				return transcript.Code(name)
			}
			var out strings.Builder
			req := func() Request {
				n, err := strconv.Atoi(d.CmdArgs[0].Key)
				r, ok := reqs[attempt.ID(n)]
				if err != nil || !ok {
					d.Fatalf(t, "no request %s", d.CmdArgs[0].Key)
				}
				delete(reqs, r.ID)
				return r
			}
			switch d.Cmd {
			case "new":
				b = newBench(t, 2, func(c *Config) {
					c.Idempotent = true
					c.MaxInFlight = int(arg("in-flight", 5))
					c.BatchSize = int(arg("batch-size", 70))
					c.Retries = int(arg("retries", -1))
					c.DeliveryTimeout = time.Duration(arg("delivery-s", 120)) * time.Second
					c.ResendDoubtful = d.HasArg("resend-doubtful")
				})
				clear(reqs)
				epoch = 1
				if d.HasArg("epoch") {
					b.identity.session = Session{ID: 7, Epoch: int16(arg("epoch", 0))}
				}
			case "send":
				p, _ := strconv.Atoi(d.CmdArgs[0].Key)
				for _, v := range d.CmdArgs[1:] {
					b.send(int32(p), v.Key)
				}
			case "poll":
				rs, desc := b.poll()
				for i, r := range rs {
					if _, ok := r.Msg.(*kmsg.InitProducerIDRequest); ok {
						asking = r.ID
					} else {
						reqs[r.ID] = r
					}
					fmt.Fprintf(&out, "%d: %s", r.ID, desc[i])
					for _, at := range r.Batches {
						fmt.Fprintf(&out, " [id %d epoch %d sequence %d]", at.Identity.ID, at.Identity.Epoch, at.Identity.Sequence)
						checkIdentity(t, r, at)
					}
					out.WriteString("\n")
				}
			case "identity":
				resp := kmsg.NewPtrInitProducerIDResponse()
				resp.ProducerID, resp.ProducerEpoch = arg("id", 7), int16(arg("epoch", 0))
				resp.ErrorCode = code()
				b.OnResponse(b.now, asking, resp)
			case "answer":
				b.answer(req(), code(), arg("offset", -1))
			case "lose":
				b.OnFailure(b.now, req().ID, attempt.ErrLost)
			case "lead": // partition 0, in the next epoch
				epoch++
				b.lead(2, 2-epoch%2, epoch)
			case "pass":
				b.pass(time.Duration(transcript.Duration(d.CmdArgs[0].Key)))
			default:
				d.Fatalf(t, "what is %s?", d.Cmd)
			}
			for _, r := range b.Results() {
				fmt.Fprintf(&out, "record %d: %v", r.Token, r.Outcome)
				if r.Offset >= 0 {
					fmt.Fprintf(&out, " at %d", r.Offset)
				}
				if r.Err != nil {
					fmt.Fprintf(&out, " (%v)", r.Err)
				}
				out.WriteString("\n")
			}
			if out.Len() == 0 {
				return "nothing\n"
			}
			return out.String()
		})
	})
}

// checkIdentity compares what the request says about a batch with its bytes.
func checkIdentity(t *testing.T, r Request, at BatchAttempt) {
	for _, topic := range r.Msg.(*kmsg.ProduceRequest).Topics {
		for _, p := range topic.Partitions {
			if p.Partition != at.Partition {
				continue
			}
			h, err := wire.ReadBatchHeader(p.Records)
			if err != nil || h.ProducerID != at.Identity.ID || h.ProducerEpoch != at.Identity.Epoch ||
				h.BaseSequence != at.Identity.Sequence || h.Transactional() {
				t.Errorf("%+v (%v), want %+v", h, err, at.Identity)
			}
		}
	}
}

func TestIdempotenceNeedsItsSettings(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"acks=1":                func(c *Config) { c.Acks = AcksLeader },
		"six in flight":         func(c *Config) { c.MaxInFlight = 6 },
		"no retries":            func(c *Config) { c.Retries = 0 },
		"transactional, acks=0": func(c *Config) { c.Acks, c.TransactionalID = AcksNone, "t" },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			newBench(t, 1, func(c *Config) { c.Idempotent = true; change(c) })
		})
	}
}

func TestSequenceNumbersWrap(t *testing.T) {
	b := newBench(t, 1, func(c *Config) { c.Idempotent = true })
	b.identity.session = Session{ID: 7}
	b.send(0, "x")
	r, _ := b.poll()
	b.answer(r[0], 0, 0)
	b.acc.parts[0].nums.next = 1<<31 - 1
	b.send(0, "y")
	b.send(0, "z")
	for _, want := range []int32{1<<31 - 1, 1} {
		r, _ = b.poll()
		if got := r[0].Batches[0].Identity.Sequence; got != want {
			t.Fatalf("sequence %d, want %d", got, want)
		}
		b.answer(r[0], 0, 1)
		b.send(0, "v")
	}
}
