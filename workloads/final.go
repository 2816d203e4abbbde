package workloads

import (
	"errors"
	"fmt"
	"time"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
	"odradek/workloads/client/consumer"
)

// finalTimeout bounds the final read of one partition without any progress: everything
// has healed by then.
const finalTimeout = time.Minute

// Final implements Workload: a fresh consumer reads every partition from its beginning
// to its end.
func (w *feed) Final(t *env.Task, s *Site) error {
	return w.finalReads(t, s, w.partitions(), false)
}

// finalClient is a client with time enough for whatever is large by now.
func (w *feed) finalClient(s *Site, process string, observer client.Observer) *client.Client {
	return s.client(process, max(w.requestTimeout(), 5*time.Second), observer)
}

// finalReads reads partitions from the beginning to the end, and if there are transactions a
// second time as readers of committed records do.
func (w *feed) finalReads(t *env.Task, s *Site, tps []wire.TopicPartition, transactions bool) error {
	read := func(r reads) error {
		c := w.finalClient(s, r.process, nil)
		defer c.Close()
		for _, tp := range tps {
			if err := r.final(t, c, tp); err != nil {
				return fmt.Errorf("%s read of %v: %w", r.process, tp, err)
			}
		}
		return nil
	}
	if err := read(reads{site: s, process: "final"}); err != nil || !transactions {
		return err
	}
	return read(reads{site: s, process: "final-committed", isolation: history.ReadCommitted})
}

// final reads one partition from its beginning to its end, which is the last stable offset
// for readers of committed records.
func (r *reads) final(t *env.Task, c *client.Client, tp wire.TopicPartition) error {
	s, committed := r.site, r.isolation == history.ReadCommitted
	admin := c.NewAdmin().WithTimeout(finalTimeout)
	list := func(which string, timestamp int64) (client.ListedOffset, error) {
		return r.listed(tp, which, func() (client.ListedOffset, error) { return admin.ListOffset(t, tp, timestamp, committed) })
	}
	start, err := list("earliest", client.EarliestOffset)
	if err != nil {
		return fmt.Errorf("earliest offset: %w", err)
	}
	end, err := list("latest", client.LatestOffset)
	if err != nil {
		return fmt.Errorf("latest offset: %w", err)
	}
	op := s.Recorder.Invoke(history.Event{
		Time: s.now(), Func: history.Final, Process: r.process, Topic: tp.Topic, Partition: tp.Partition, Offset: wire.NoOffset,
		Isolation: r.isolation,
	})
	records, err := r.all(t, c, tp, start.Offset, end.Offset)
	for errors.Is(err, errOutOfRange) {
		// Retention may have deleted under the reader; then the log starts later now.
		was := start
		if start, err = list("earliest", client.EarliestOffset); err == nil && start.Offset == was.Offset {
			err = fmt.Errorf("from %d, where the log starts: %w", start.Offset, errNoProgress)
		}
		if err == nil {
			records, err = r.all(t, c, tp, start.Offset, end.Offset)
		}
	}
	if err != nil {
		return err // the operation stays open: there is no final log to judge by
	}
	s.Recorder.Return(op, history.Event{
		Time: s.now(), Outcome: history.OK, Offset: wire.NoOffset, Start: start.Offset, End: end.Offset, Records: records,
	})
	return nil
}

var (
	errOutOfRange = errors.New("the consumer was out of range")
	errNoProgress = errors.New("the consumer is out of range all the same")
)

// all reads from start to end. Any event of the consumer is an error: nothing may
// disturb a healed cluster, but that retention deletes what is being read is
// errOutOfRange.
func (r *reads) all(t *env.Task, c *client.Client, tp wire.TopicPartition, start, end wire.Offset) ([]history.Record, error) {
	s, cfg := r.site, consumer.DefaultConfig()
	cfg.ReadCommitted = r.isolation == history.ReadCommitted
	con := c.NewConsumer(cfg)
	defer con.Close()
	con.Assign([]wire.TopicPartition{tp})
	con.Seek(tp, consumer.Position{Offset: start, Epoch: wire.NoLeaderEpoch})
	var out []history.Record
	at := start
	for last := s.Env.Clock.Now(); at < end; {
		records, events := con.Poll(t, time.Second)
		if len(events) > 0 && events[0].Kind == consumer.OutOfRange {
			return nil, fmt.Errorf("at %d: %w", events[0].From.Offset, errOutOfRange)
		}
		if len(events) > 0 {
			return nil, fmt.Errorf("the consumer was %v at %d: %v", events[0].Kind, events[0].From.Offset, events[0].Err)
		}
		for _, r := range recordsOf(records) {
			if r.Offset < end {
				out = append(out, r)
			}
		}
		// The position also passes offsets without records.
		if p, ok := con.Position(tp); ok && p.Offset > at {
			at, last = p.Offset, s.Env.Clock.Now()
		}
		if s.Env.Clock.Now().Sub(last) > finalTimeout {
			return nil, fmt.Errorf("stuck at offset %d of %d", at, end)
		}
	}
	return out, nil
}
