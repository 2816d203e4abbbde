package producers

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// TestTranscripts plays the stories in testdata: a log and its producers. Commands, one per
// line of input:
//
//	produce ID EPOCH SEQUENCE N [txn] [verify] [guard=G]  a client's batch of N records
//	offsets ID EPOCH N [verify] [guard=G]  a transactional batch of a coordinator
//	commit ID EPOCH COORDINATOR [v2]  a marker, under transaction version 2
//	abort ID EPOCH COORDINATOR [v2]
//	ask ID EPOCH SEQUENCE [bump]  begins a verification before a batch
//	stable HW               the last stable offset with that high watermark
//	time T                  it is T ms; that is also the timestamp of what follows
//	expire AGE              forget who was idle for AGE ms
//	restart                 the state is written to a snapshot and read again
//	arm NAME, disarm NAME   a failpoint
//	state                   what is known
//
// What is accepted is appended; the answer is the offsets, or why not.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := &world{}
		w.state = New(&w.fail)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "run" {
				d.Fatalf(t, "unknown directive %s", d.Cmd)
			}
			var out strings.Builder
			for line := range strings.Lines(d.Input) {
				if line = strings.TrimSpace(line); line != "" {
					fmt.Fprintf(&out, "> %s\n%s", line, w.run(strings.Fields(line)))
				}
			}
			return out.String()
		})
	})
}

// world is a log that only has headers.
type world struct {
	fail  failpoint.Registry
	state *State
	end   wire.Offset
	now   int64
}

// attributes of a batch.
const (
	transactional = 0x10
	control       = 0x20
)

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// take removes a flag, or one with a value, from the words.
func take(words *[]string, flag string) (string, bool) {
	for i, w := range *words {
		if w == flag || strings.HasPrefix(w, flag+"=") {
			*words = append((*words)[:i:i], (*words)[i+1:]...)
			_, value, _ := strings.Cut(w, "=")
			return value, true
		}
	}
	return "", false
}

func (w *world) run(words []string) string {
	var rules Rules
	_, rules.Verify = take(&words, "verify")
	if g, ok := take(&words, "guard"); ok {
		rules.Guard = Guard(number(g))
	}
	_, txn := take(&words, "txn")
	_, v2 := take(&words, "v2")
	_, bump := take(&words, "bump")
	h := wire.BatchHeader{BaseOffset: w.end, MaxTimestamp: w.now}
	if txn {
		h.Attributes |= transactional
	}
	who := func() {
		h.ProducerID, h.ProducerEpoch = number(words[1]), int16(number(words[2]))
	}
	switch words[0] {
	case "produce":
		who()
		h.BaseSequence, h.LastOffsetDelta = int32(number(words[3])), int32(number(words[4]))-1
		rules.Origin = Client
		return w.append(&h, rules)
	case "offsets":
		who()
		h.BaseSequence, h.LastOffsetDelta = wire.NoSequence, int32(number(words[3]))-1
		h.Attributes |= transactional
		rules.Origin = Coordinator
		return w.append(&h, rules)
	case "commit", "abort":
		who()
		version := int8(1)
		if v2 {
			version = 2
		}
		h.BaseSequence = wire.NoSequence
		h.Attributes |= transactional | control
		m := wire.EndMarker{Commit: words[0] == "commit", CoordinatorEpoch: int32(number(words[3]))}
		if err := w.state.CheckMarker(&h, m, version); err != nil {
			return err.Error() + "\n"
		}
		w.end++
		if a, aborted := w.state.End(&h, m); aborted {
			return fmt.Sprintf("at %d, which aborts what producer %d has from %d on; decided up to %d\n", a.LastOffset, a.ProducerID, a.FirstOffset, a.LastStableOffset)
		}
		return fmt.Sprintf("at %d\n", h.BaseOffset)
	case "ask":
		who()
		h.BaseSequence = int32(number(words[3]))
		return fmt.Sprintf("guard %d\n", w.state.Verify(&h, bump, w.now))
	case "stable":
		return fmt.Sprintf("%d\n", w.state.LastStableOffset(wire.Offset(number(words[1]))))
	case "time":
		w.now = number(words[1])
		return ""
	case "expire":
		return fmt.Sprintf("%d forgotten\n", w.state.Expire(w.now, number(words[1])))
	case "restart":
		b := w.state.Snapshot()
		w.state = w.state.Renew()
		if err := w.state.Load(b, w.end); err != nil {
			return err.Error() + "\n"
		}
		return ""
	case "arm":
		if err := w.fail.Arm(failpoint.Name(words[1]), "return(true)"); err != nil {
			return err.Error() + "\n"
		}
		return ""
	case "disarm":
		w.fail.Disarm(failpoint.Name(words[1]))
		return ""
	case "state":
		return w.describe()
	}
	return "unknown command\n"
}

func (w *world) append(h *wire.BatchHeader, rules Rules) string {
	first, duplicate, err := w.state.Check(h, rules)
	switch {
	case err != nil:
		return err.Error() + "\n"
	case duplicate:
		return fmt.Sprintf("a copy of [%d, %d]\n", first.FirstOffset, first.LastOffset)
	}
	w.state.Append(h)
	w.end = h.NextOffset()
	return fmt.Sprintf("[%d, %d]\n", h.BaseOffset, h.LastOffset())
}

func (w *world) describe() string {
	var out strings.Builder
	for _, p := range w.state.All() {
		fmt.Fprintf(&out, "producer %d: epoch %d", p.ID, p.Epoch)
		if p.CoordinatorEpoch >= 0 {
			fmt.Fprintf(&out, ", coordinator epoch %d", p.CoordinatorEpoch)
		}
		if p.TransactionStart >= 0 {
			fmt.Fprintf(&out, ", in a transaction from %d on", p.TransactionStart)
		}
		for _, b := range p.Batches {
			fmt.Fprintf(&out, "\n  sequences %d to %d at [%d, %d]", b.FirstSequence, b.LastSequence, b.FirstOffset, b.LastOffset)
		}
		out.WriteString("\n")
	}
	return out.String()
}
