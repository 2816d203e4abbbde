package consumer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
	"odradek/workloads/client/attempt"
	"odradek/workloads/client/cluster"
	"odradek/workloads/client/transcript"
)

// TestTranscripts runs the stories in testdata. Time passes only by "pass".
//
//	config reset=earliest|latest|none|time:<ms> [max=<records>] [fetch-epochs] [read-committed]
//	metadata            lines "a-0 leader=1 epoch=3" (leader=-1: none)
//	assign a-0 a-1
//	seek a-0 offset=5 epoch=3
//	seek-to a-0 earliest
//	poll                the requests that the consumer makes
//	answer #1           lines of answers by partition, see fill below
//	fail #1 lost|version
//	take                the records and events that the user gets, and positions
//	pass 100ms
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s *stage
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "config" {
				s = newStage(d)
				return ""
			}
			return s.run(t, d)
		})
	})
}

type stage struct {
	core *Core
	meta *cluster.Metadata
	now  int64
	sent map[string]attempt.Request
}

func newStage(d *datadriven.TestData) *stage {
	cfg := DefaultConfig()
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "reset":
			name, ts, _ := strings.Cut(arg.Vals[0], ":")
			cfg.Reset = parseReset(name)
			cfg.ResetTimestamp, _ = strconv.ParseInt(ts, 10, 64)
		case "max":
			cfg.MaxPollRecords, _ = strconv.Atoi(arg.Vals[0])
		case "fetch-epochs":
			cfg.FetchEpochs = true
		case "read-committed":
			cfg.ReadCommitted = true
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	meta := cluster.New(cluster.Config{Backoff: cfg.Backoff, MaxAge: time.Hour}, rng)
	return &stage{core: New(cfg, meta, rng), meta: meta, now: int64(time.Second), sent: make(map[string]attempt.Request)}
}

func parseReset(s string) Reset {
	return map[string]Reset{"none": ResetNone, "earliest": ResetEarliest, "latest": ResetLatest, "time": ResetTimestamp}[s]
}

// line is "a-0 key=value ..." of an input.
type line struct {
	tp   wire.TopicPartition
	args map[string]string
}

func (l line) int(key string, otherwise int64) int64 {
	if v, ok := l.args[key]; ok {
		return transcript.Number(v)
	}
	return otherwise
}

func (l line) code() int16 { return transcript.Code(l.args["error"]) }

func parseLine(s string) line {
	fields := strings.Fields(s)
	l := line{tp: transcript.Partition(fields[0]), args: make(map[string]string)}
	for _, f := range fields[1:] {
		k, v, _ := strings.Cut(f, "=")
		l.args[k] = v
	}
	return l
}

func (s *stage) run(t *testing.T, d *datadriven.TestData) string {
	arg := func(i int) string { return d.CmdArgs[i].Key }
	var lines []line
	for _, text := range strings.Split(d.Input, "\n") {
		if text != "" {
			lines = append(lines, parseLine(text))
		}
	}
	switch d.Cmd {
	case "metadata":
		s.metadata(lines)
	case "assign":
		var tps []wire.TopicPartition
		for _, a := range d.CmdArgs {
			tps = append(tps, transcript.Partition(a.Key))
		}
		s.core.Assign(tps)
	case "assign-awaiting":
		var tps []wire.TopicPartition
		for _, a := range d.CmdArgs {
			tps = append(tps, transcript.Partition(a.Key))
		}
		s.core.AssignAwaiting(tps)
	case "keep":
		var topics []string
		for _, a := range d.CmdArgs {
			topics = append(topics, a.Key)
		}
		s.core.Keep(topics)
		return fmt.Sprintln(s.meta.Wanted())
	case "start":
		for _, l := range lines {
			pos := Position{Offset: wire.Offset(l.int("offset", -1)), Epoch: wire.LeaderEpoch(l.int("epoch", -1))}
			s.core.Start(l.tp, pos, pos.Offset >= 0)
		}
	case "refuse":
		s.core.Refuse(transcript.Partition(arg(0)), errors.New("not allowed"))
	case "awaiting":
		return fmt.Sprintln(s.core.Awaiting())
	case "seek":
		pos := Position{Offset: wire.NoOffset, Epoch: wire.NoLeaderEpoch}
		for _, a := range d.CmdArgs[1:] {
			n, _ := strconv.Atoi(a.Vals[0])
			if a.Key == "offset" {
				pos.Offset = wire.Offset(n)
			} else {
				pos.Epoch = wire.LeaderEpoch(n)
			}
		}
		s.core.Seek(transcript.Partition(arg(0)), pos)
	case "seek-to":
		s.core.SeekTo(transcript.Partition(arg(0)), parseReset(arg(1)), 0)
	case "pass":
		s.now += transcript.Duration(arg(0))
	case "poll":
		return s.poll()
	case "answer":
		req := s.sent[arg(0)]
		delete(s.sent, arg(0))
		s.core.OnResponse(s.now, req.ID, fill(req, lines))
	case "fail":
		req := s.sent[arg(0)]
		delete(s.sent, arg(0))
		s.core.OnFailure(s.now, req.ID, map[string]error{"lost": attempt.ErrLost, "version": attempt.ErrVersion}[arg(1)])
	case "take":
		return s.take()
	default:
		d.Fatalf(t, "no command %q", d.Cmd)
	}
	return ""
}

func (s *stage) metadata(lines []line) {
	var topics []kmsg.MetadataResponseTopic
	for _, l := range lines {
		i := slices.IndexFunc(topics, func(t kmsg.MetadataResponseTopic) bool { return *t.Topic == l.tp.Topic })
		if i < 0 {
			i = len(topics)
			topics = append(topics, transcript.Topic(l.tp.Topic))
		}
		transcript.Lead(&topics[i], l.tp.Partition, int32(l.int("leader", -1)), int32(l.int("epoch", -1)))
	}
	s.now = transcript.Refresh(s.meta, s.now, 3, topics...)
}

func (s *stage) poll() string {
	var out strings.Builder
	for _, r := range s.core.Poll(s.now) {
		id := fmt.Sprintf("#%d", r.ID)
		s.sent[id] = r
		fmt.Fprintf(&out, "%s node %d:", id, r.Node)
		switch m := r.Msg.(type) {
		case *kmsg.ListOffsetsRequest:
			for _, t := range m.Topics {
				for _, p := range t.Partitions {
					fmt.Fprintf(&out, " list-offsets %s-%d timestamp=%d leader-epoch=%d", t.Topic, p.Partition, p.Timestamp, p.CurrentLeaderEpoch)
				}
			}
		case *kmsg.OffsetForLeaderEpochRequest:
			for _, t := range m.Topics {
				for _, p := range t.Partitions {
					fmt.Fprintf(&out, " end-of-epoch %s-%d epoch=%d leader-epoch=%d", t.Topic, p.Partition, p.LeaderEpoch, p.CurrentLeaderEpoch)
				}
			}
		case *kmsg.FetchRequest:
			for _, t := range m.Topics {
				for _, p := range t.Partitions {
					fmt.Fprintf(&out, " fetch %s-%d offset=%d leader-epoch=%d", t.Topic, p.Partition, p.FetchOffset, p.CurrentLeaderEpoch)
					if p.LastFetchedEpoch >= 0 {
						fmt.Fprintf(&out, " last-epoch=%d", p.LastFetchedEpoch)
					}
				}
			}
		}
		out.WriteByte('\n')
	}
	if d := s.core.Deadline(); d != cluster.Never {
		fmt.Fprintf(&out, "again in %v\n", time.Duration(d-s.now).Round(10*time.Millisecond))
	}
	if s.meta.Deadline() <= s.now+int64(time.Minute) {
		out.WriteString("wants metadata\n")
	}
	if out.Len() == 0 {
		return "nothing\n"
	}
	return out.String()
}

// fill makes an answer of lines:
//
//	list-offsets  a-0 offset=5 epoch=2
//	end-of-epoch  a-0 epoch=2 end=7
//	fetch         a-0 hw=10 start=0 batches=5x3@2,8x1@2 [aborted=<producer>:<first offset>]
//	any           a-0 error=NAME
//
// A batch is <base>x<records>@<epoch> with the flags g (two offsets at its end have no
// record), z (compressed), ! (wrong checksum), ~ (cut off), p<id> (transactional), A or C
// (abort or commit marker).
func fill(req attempt.Request, lines []line) kmsg.Response {
	switch req.Msg.(type) {
	case *kmsg.ListOffsetsRequest:
		resp := kmsg.NewPtrListOffsetsResponse()
		for _, l := range lines {
			p := kmsg.NewListOffsetsResponseTopicPartition()
			p.Partition, p.ErrorCode = l.tp.Partition, l.code()
			p.Offset, p.LeaderEpoch = l.int("offset", -1), int32(l.int("epoch", -1))
			resp.Topics = append(resp.Topics, kmsg.ListOffsetsResponseTopic{Topic: l.tp.Topic, Partitions: []kmsg.ListOffsetsResponseTopicPartition{p}})
		}
		return resp
	case *kmsg.OffsetForLeaderEpochRequest:
		resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
		for _, l := range lines {
			p := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			p.Partition, p.ErrorCode = l.tp.Partition, l.code()
			p.LeaderEpoch, p.EndOffset = int32(l.int("epoch", -1)), l.int("end", -1)
			resp.Topics = append(resp.Topics, kmsg.OffsetForLeaderEpochResponseTopic{Topic: l.tp.Topic, Partitions: []kmsg.OffsetForLeaderEpochResponseTopicPartition{p}})
		}
		return resp
	}
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 12
	for _, l := range lines {
		p := kmsg.NewFetchResponseTopicPartition()
		p.Partition, p.ErrorCode = l.tp.Partition, l.code()
		p.HighWatermark, p.LogStartOffset = l.int("hw", -1), l.int("start", 0)
		p.LastStableOffset = l.int("lso", p.HighWatermark)
		p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = int32(l.int("diverging-epoch", -1)), l.int("diverging-end", -1)
		for _, spec := range strings.Split(l.args["batches"], ",") {
			if spec != "" {
				p.RecordBatches = append(p.RecordBatches, makeBatch(spec)...)
			}
		}
		if spec, ok := l.args["aborted"]; ok {
			var a kmsg.FetchResponseTopicPartitionAbortedTransaction
			fmt.Sscanf(spec, "%d:%d", &a.ProducerID, &a.FirstOffset)
			p.AbortedTransactions = append(p.AbortedTransactions, a)
		}
		resp.Topics = append(resp.Topics, kmsg.FetchResponseTopic{Topic: l.tp.Topic, Partitions: []kmsg.FetchResponseTopicPartition{p}})
	}
	return resp
}

func makeBatch(spec string) []byte {
	var base, n, epoch int
	if _, err := fmt.Sscanf(spec, "%dx%d@%d", &base, &n, &epoch); err != nil {
		panic(spec)
	}
	has := func(flag string) bool { return strings.Contains(spec, flag) }
	opts := wire.BatchOptions{BaseOffset: wire.Offset(base), LeaderEpoch: wire.LeaderEpoch(epoch), Control: has("A") || has("C")}
	if has("z") {
		opts.Compression = wire.Zstd
	}
	if _, id, ok := strings.Cut(spec, "p"); ok {
		n, _ := strconv.ParseInt(strings.TrimRight(id, "AC!~gz"), 10, 64)
		opts.Producer, opts.Transactional = &wire.Producer{ID: n}, true
	}
	b := wire.NewBuilder(opts)
	for i := range n {
		key, value := []byte("k"), []byte(fmt.Sprintf("v%d", base+i))
		switch {
		case has("A"):
			key = []byte{0, 0, 0, 0}
		case has("C"):
			key = []byte{0, 0, 0, 1}
		}
		b.Append(int64(base+i), key, value)
	}
	out, err := b.Build(nil, wire.NewCodec(1<<20))
	if err != nil {
		panic(err)
	}
	if has("g") {
		// LastOffsetDelta, at byte 23.
		out[26] += 2
		wire.SetCRC(out)
	}
	if has("!") {
		out[len(out)-1] ^= 1
	}
	if has("~") {
		out = out[:len(out)-3]
	}
	return out
}

func (s *stage) take() string {
	var out strings.Builder
	records, events := s.core.Take()
	for _, r := range records {
		fmt.Fprintf(&out, "%s @%d epoch=%d %s=%s\n", r.TopicPartition, r.Offset, r.Epoch, r.Key, r.Value)
	}
	for _, e := range events {
		fmt.Fprintf(&out, "%s %s from %d/%d to %d/%d", e.TopicPartition, e.Kind, e.From.Offset, e.From.Epoch, e.To.Offset, e.To.Epoch)
		if e.Stopped {
			out.WriteString(" stopped")
		}
		if e.Err != nil {
			fmt.Fprintf(&out, ": %v", e.Err)
		}
		out.WriteByte('\n')
	}
	for _, tp := range s.core.Assignment() {
		p := s.core.part(tp)
		fmt.Fprintf(&out, "%s %s", tp, p.state)
		if p.hasPos {
			fmt.Fprintf(&out, " at %d/%d", p.pos.Offset, p.pos.Epoch)
		}
		if p.progress.HighWatermark >= 0 {
			fmt.Fprintf(&out, " hw=%d lso=%d start=%d", p.progress.HighWatermark, p.progress.LastStable, p.progress.LogStart)
		}
		out.WriteByte('\n')
	}
	return out.String()
}
