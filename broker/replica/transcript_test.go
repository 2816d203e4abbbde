package replica

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"odradek/broker/failpoint"
	"odradek/broker/wire"
)

// TestTranscripts plays the stories in testdata. Commands, one per line of input:
//
//	cluster N min-isr=M      N replicas, all in the ISR, nobody leads
//	elect X [hold=Y] [unclean]  the controller elects X; all live nodes but Y see it
//	reassign to=XY           the controller begins to move the partition, or, before any leader, places it
//	metadata X               X sees the controller's state
//	produce X v...           acks=all produces to X
//	fetch X [times]          X fetches; request and answer arrive at once
//	send X as=NAME           X sends a fetch that stays in the network
//	deliver NAME             it arrives, and its answer stays in the network
//	lose NAME                it, or its answer, is lost
//	alter X [as=NAME]        X's AlterPartition and its answer arrive, or the answer is slow
//	crash X [lose=N]         X dies, with the last N records if it is the machine
//	restart X                X comes back and registers
//	fence X, shut-down X     the controller fences X, or lets it shut down
//	pass D                   time passes, with its deadlines
//	delete X N               X's retention moves its log start to N
//	assign X                 X's epoch cache gets an entry without records
//	latest X                 a consumer asks X for the latest offset
//	consume X offset=N epoch=E last=L  a consumer fetches
//	arm X NAME, disarm X NAME  a failpoint
//	state                    what everyone has
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var w *world
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "cluster" {
				var n, m int
				fmt.Sscan(d.CmdArgs[0].Key, &n)
				d.ScanArgs(t, "min-isr", &m)
				w = newWorld(n, m)
			} else if d.Cmd != "run" {
				d.Fatalf(t, "unknown directive %s", d.Cmd)
			}
			w.story.Reset()
			for line := range strings.Lines(d.Input) {
				if line = strings.TrimSpace(line); line != "" {
					w.say("> %s", line)
					if err := w.run(strings.Fields(line)); err != nil {
						d.Fatalf(t, "%s: %v", line, err)
					}
				}
			}
			return w.story.String()
		})
	})
}

func option(args []string, key string) (string, bool) {
	for _, a := range args {
		if a == key {
			return "", true
		}
		if v, ok := strings.CutPrefix(a, key+"="); ok {
			return v, true
		}
	}
	return "", false
}

func number(args []string, key string, otherwise int) int {
	if v, ok := option(args, key); ok {
		fmt.Sscan(v, &otherwise)
	}
	return otherwise
}

func (w *world) run(f []string) error {
	cmd, args := f[0], f[1:]
	var n *node
	if len(args) > 0 && len(args[0]) == 1 && args[0] >= "A" && args[0] <= "C" {
		n = w.node(wire.NodeID(args[0][0] - 'A' + 1))
		args = args[1:]
	}
	switch cmd {
	case "elect":
		if _, unclean := option(args, "unclean"); !unclean && !w.ctl.electable(n.id) {
			return fmt.Errorf("not a clean election: ISR %v, ELR %v", w.ctl.part.ISR, w.ctl.part.ELR)
		}
		if !w.ctl.electable(n.id) { // whatever it lacks is lost, and nobody promised otherwise
			w.forget(n.log.end())
		}
		w.ctl.elect(n.id)
		held, _ := option(args, "hold")
		for _, o := range w.nodes {
			if !strings.Contains(held, letter(o.id)) {
				w.metadata(o)
			}
		}
	case "reassign":
		var to []wire.NodeID
		names, _ := option(args, "to")
		for _, c := range names {
			to = append(to, wire.NodeID(c-'A'+1))
		}
		if w.ctl.leader == wire.NoNode {
			w.ctl.part.Replicas, w.ctl.part.ISR = to, slices.Clone(to)
		} else {
			w.ctl.reassign(to)
		}
	case "metadata":
		w.metadata(n)
	case "produce":
		for _, v := range args {
			w.produce(n, v)
		}
	case "fetch":
		times := 1
		if len(args) > 0 {
			fmt.Sscan(args[0], &times)
		}
		for range times {
			w.fetch(n)
			w.settle(func(m *message) bool {
				return m.name == "" && (m.from == n.id && m.kind != "alter" || m.to == n.id && m.kind != "altered")
			})
		}
	case "send":
		w.fetch(n)
		w.net[len(w.net)-1].name, _ = option(args, "as")
	case "deliver", "lose":
		i := slices.IndexFunc(w.net, func(m *message) bool { return m.name == args[0] })
		if i < 0 {
			return fmt.Errorf("no such message")
		}
		if cmd == "lose" {
			w.net = slices.Delete(w.net, i, i+1)
		} else {
			w.deliver(w.net[i])
		}
	case "alter":
		if as, ok := option(args, "as"); ok { // the request arrives, the answer is slow
			i := slices.IndexFunc(w.net, func(m *message) bool { return m.from == n.id && m.kind == "alter" })
			w.net[i].name = as
			w.deliver(w.net[i])
			return nil
		}
		w.settle(func(m *message) bool {
			return m.name == "" && (m.from == n.id && m.kind == "alter" || m.to == n.id && m.kind == "altered")
		})
	case "crash":
		w.crash(n, number(args, "lose", 0))
	case "restart":
		w.restart(n)
	case "fence":
		w.ctl.fence(n.id)
	case "shut-down":
		b := w.ctl.brokers[n.id]
		b.ShuttingDown = true
		w.ctl.brokers[n.id] = b
	case "pass":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			return err
		}
		w.pass(d)
	case "delete":
		var to wire.Offset
		fmt.Sscan(args[0], &to)
		n.log.advanceStart(to)
		w.changed(n, n.leader.OnLogStart(w.now, to))
	case "assign":
		n.log.assign(n.leader.LeaderEpoch(), n.log.end())
	case "latest":
		o, err := n.leader.LatestOffset(wire.NoNode)
		if err != nil {
			w.say("%s", err.Message)
		} else {
			w.say("latest offset %d", o)
		}
	case "consume":
		a := n.leader.Answer(FetchRequest{
			Replica: wire.NoNode, Offset: wire.Offset(number(args, "offset", 0)),
			CurrentLeaderEpoch: wire.LeaderEpoch(number(args, "epoch", -1)), LastFetchedEpoch: wire.LeaderEpoch(number(args, "last", -1)),
		})
		switch {
		case a.Err != nil:
			w.say("%s", a.Err.Message)
		case a.Diverging != NoEpochEnd:
			w.say("diverging, epoch %d ends at %d", a.Diverging.Epoch, a.Diverging.End)
		default:
			w.say("records before %d", a.Limit)
		}
	case "arm":
		return n.fail.Arm(failpoint.Name(args[0]), "return(true)")
	case "disarm":
		n.fail.Disarm(failpoint.Name(args[0]))
	case "state":
		w.state()
	default:
		return fmt.Errorf("unknown command")
	}
	return nil
}

// settle delivers matching messages until there are none.
func (w *world) settle(match func(*message) bool) {
	for {
		i := slices.IndexFunc(w.net, match)
		if i < 0 {
			return
		}
		w.deliver(w.net[i])
	}
}

// pass lets time pass, stopping at every deadline.
func (w *world) pass(d time.Duration) {
	end := w.now + int64(d)
	for {
		next := Never
		for _, n := range w.nodes {
			if n.up && n.leader != nil {
				next = min(next, n.leader.Deadline())
			} else if n.up {
				next = min(next, n.follower.Deadline())
			}
		}
		w.now = max(w.now, min(next, end))
		for _, n := range w.nodes {
			if n.up && n.leader != nil {
				w.changed(n, n.leader.Tick(w.now))
			} else if n.up {
				n.follower.Tick(w.now)
			}
		}
		if next >= end {
			return
		}
	}
}

func (w *world) state() {
	for _, n := range w.nodes {
		switch {
		case !n.up:
			w.say("%s down %v", letter(n.id), n.log)
		case n.leader != nil:
			s := n.leader.Snapshot()
			pending := ""
			if s.Pending {
				pending = " maximal " + letters(s.MaximalISR)
			}
			w.say("%s leads epoch %d %v high watermark %d ISR %s%s", letter(n.id), s.Partition.LeaderEpoch, n.log, s.HighWatermark, letters(s.Partition.ISR), pending)
		default:
			_, epoch := n.follower.Leader()
			w.say("%s %s in epoch %d %v high watermark %d", letter(n.id), n.follower.State(), epoch, n.log, n.follower.HighWatermark())
		}
	}
	for i, a := range w.nodes {
		for _, b := range w.nodes[:i] {
			if a.up && b.up {
				w.match(b, a)
			}
		}
	}
	elr := ""
	if len(w.ctl.part.ELR) > 0 {
		elr = " ELR " + letters(w.ctl.part.ELR)
	}
	w.say("controller: leader %s epoch %d.%d ISR %s%s", letter(w.ctl.leader), w.ctl.part.LeaderEpoch, w.ctl.part.PartitionEpoch, letters(w.ctl.part.ISR), elr)
}
