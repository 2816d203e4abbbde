package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"odradek/broker/wire"
	"odradek/checker/history"
)

// workOrder tells a program (program_test.go) to work on a job:
//
//	{"op":"work", fields of workOrder}
//
// Before the answer, {}, it tells what it does by lines that have an event, and after
// each of them waits for a line {"go":true}. With {"go":false} it is to stop: to leave the
// group in good order, telling the events that belong to it, and to answer. The events:
//
//	{"event":"assigned","member":"id","generation":3,"partitions":[0,1]}  besides those it has; generation -1: it does not know
//	{"event":"revoked","partitions":[0]}  {"event":"lost"}                before it lets them go
//	{"event":"polled","records":[[partition,offset,"value"],...]}         also without records, now and then
//	{"event":"committing","offsets":{"0":17}}                             before it commits, and after that:
//	{"event":"committed","outcome":"ok"}                                  or unknown
//	{"event":"begin","outputs":[[partition,"value","input"],...],"offsets":{"0":17}}
//	                                                                      it writes these records in a transaction
//	{"event":"ending","written":true,"commit":true}                       written: everything was acknowledged
//	{"event":"ended","outcome":"ok"}                                      or unknown; or failed, if it certainly did not commit
//	{"event":"rewound"}                                                   it reads again from what is committed
//	{"event":"restarted"}                                                 it goes on with a new producer
//
// An input is "0" if there is none.
type workOrder struct {
	Op             string `json:"op"` // work
	Task           task   `json:"task"`
	Name           string `json:"name"` // of the member, also its transactional id
	Group          string `json:"group"`
	Input          string `json:"input"`
	Output         string `json:"output"`
	OutputCount    int    `json:"output_partitions"`
	Assignor       string `json:"assignor"`
	NextGeneration bool   `json:"next_generation"`
	Committed      bool   `json:"read_committed"`
	// FirstValue and up are the program's for what it writes.
	FirstValue uint64 `json:"first_value"`
}

type workEvent struct {
	Event      string          `json:"event"`
	Member     string          `json:"member"`
	Generation int32           `json:"generation"`
	Partitions []int32         `json:"partitions"`
	Records    [][3]any        `json:"records"` // partition, offset, value
	Offsets    map[int32]int64 `json:"offsets"`
	Outcome    history.Outcome `json:"outcome"`
	Outputs    [][3]any        `json:"outputs"` // partition, value, input
	Written    bool            `json:"written"`
	Commit     bool            `json:"commit"`
}

// work lets the program do the member's part of a job.
func (p *program) work(m *member) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	order := workOrder{"work", m.task, m.name, m.group, m.input, m.output, outputPartitions, m.assignor, m.nextGeneration,
		m.isolation == history.ReadCommitted, m.values + 1}
	line, err := json.Marshal(order)
	if err != nil {
		return err
	}
	if _, err := p.input.Write(append(line, '\n')); err != nil {
		return err
	}
	told := &telling{m: m}
	for {
		overdue := time.AfterFunc(patience+30*time.Second, func() { _ = p.cmd.Process.Kill() })
		line, err := p.output.ReadBytes('\n')
		overdue.Stop()
		if err != nil {
			return fmt.Errorf("the program's events: %w: %s", err, tail(p.stderr.String(), 10))
		}
		if !bytes.Contains(line, []byte(`"event"`)) {
			var a answer
			if err := json.Unmarshal(line, &a); err != nil {
				return fmt.Errorf("the program's answer %.200s: %w", line, err)
			}
			if a.Error != "" {
				return errors.New(a.Error)
			}
			return nil
		}
		var e workEvent
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.UseNumber()
		if err := dec.Decode(&e); err != nil {
			return fmt.Errorf("the program's event %.200s: %w", line, err)
		}
		if err := told.take(&e); err != nil {
			return fmt.Errorf("the program's event %.200s: %w", line, err)
		}
		if _, err := fmt.Fprintf(p.input, "{\"go\":%t}\n", m.running()); err != nil {
			return err
		}
	}
}

// telling is a member whose events come as lines.
type telling struct {
	m         *member
	committed func(history.Outcome)
	writing   *writing
}

func (t *telling) take(e *workEvent) error {
	m := t.m
	switch e.Event {
	case "assigned":
		m.assigned(e.Member, e.Generation, e.Partitions)
	case "revoked":
		m.revoked(e.Partitions)
	case "lost":
		m.lost()
	case "rewound":
		m.rewound()
	case "restarted":
		m.restarted()
	case "polled":
		t.polled(e.Records)
	case "committing":
		t.committed = m.committing(e.Offsets)
	case "committed":
		if t.committed == nil {
			return errors.New("no commit is under way")
		}
		t.committed(e.Outcome)
		t.committed = nil
	case "begin":
		var outputs []output
		for _, o := range e.Outputs {
			outputs = append(outputs, output{int32(number(o[0])), number(o[1]), number(o[2])})
		}
		t.writing = m.begin(outputs, e.Offsets)
	case "ending", "ended":
		if t.writing == nil {
			return errors.New("no transaction has begun")
		}
		if e.Event == "ending" {
			t.writing.ending(e.Written, e.Commit)
			return nil
		}
		t.writing.ended(e.Outcome)
		t.writing = nil
	default:
		return errors.New("unknown event")
	}
	return nil
}

func (t *telling) polled(records [][3]any) {
	byPartition := make(map[int32][]history.Record)
	var order []int32
	for _, r := range records {
		p := int32(number(r[0]))
		if byPartition[p] == nil {
			order = append(order, p)
		}
		byPartition[p] = append(byPartition[p], history.Record{Offset: wire.Offset(number(r[1])), Value: number(r[2])})
	}
	for _, p := range order {
		t.m.got(p, byPartition[p])
	}
}

// number reads what may be a number or a text of one.
func number(v any) uint64 { return valueOf(fmt.Sprint(v)) }

// programWorker is a program as a worker: a process for each member.
func programWorker(open func(bootstrap string) (*program, error), blind bool) worker {
	return worker{blind: blind, work: func(m *member) error {
		p, err := open(m.bootstrap)
		if err != nil {
			return err
		}
		defer p.close()
		return p.work(m)
	}}
}
