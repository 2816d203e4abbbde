package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type consumeFlags struct {
	clientFlags
	from, separator, format string
	group, isolation        string
	partitions              []int32
	count                   int64
	asJSON, exitAtEnd       bool
}

func consumeCommand() *cobra.Command {
	var f consumeFlags
	c := &cobra.Command{
		Use:   "consume TOPIC",
		Short: "Print records of a topic",
		Long: `Print records as they come, until an interrupt, --count or --exit-at-end. Records of
one partition are in order. Without --group nothing is committed: the next call reads the
same again. With --group the command is a member of the group, shares the partitions
with its other members, goes on where the group was, and commits what it printed; --from
says where to begin in partitions of which nothing is committed.

--from is one of

  beginning   the oldest record there is (the default)
  end         only what is produced from now on
  N           offset N of every partition
  -N          the last N offsets of every partition
  TIME        records from a time on: 2026-01-31, 2026-01-31T15:04:05Z, or as 15m ago

--format understands %v value, %k key, %o offset, %p partition, %t topic, %d timestamp
(ms), %h{ } headers and more of what franz-go's record formatter does; \n is a newline.`,
		Example: `  odradek consume numbers --exit-at-end
  odradek consume logins --key-separator : --from 15m
  odradek consume orders --json --partition 3 --from 1200 --count 1
  odradek consume orders --group billing --count 100
  odradek consume orders --format '%p %o %k %v\n'`,
		Args: exactlyOne("topic"),
		RunE: func(c *cobra.Command, args []string) error { return consume(c, args[0], f) },
	}
	f.add(c)
	fl := c.Flags()
	fl.StringVar(&f.from, "from", "beginning", "where to start")
	fl.Int32SliceVarP(&f.partitions, "partition", "p", nil, "only these partitions")
	fl.Int64VarP(&f.count, "count", "n", 0, "stop after this many records (0: never)")
	fl.BoolVarP(&f.exitAtEnd, "exit-at-end", "e", false, "stop at what was the end when the command started")
	fl.StringVarP(&f.group, "group", "g", "", "be a member of this group")
	fl.StringVar(&f.isolation, "isolation", "read_uncommitted", "read_committed leaves out records of transactions that are open or aborted")
	fl.StringVarP(&f.separator, "key-separator", "K", "", "print the key, too, and this after it")
	fl.StringVar(&f.format, "format", "", "how to print a record")
	fl.BoolVar(&f.asJSON, "json", false, "one JSON object a line")
	c.MarkFlagsMutuallyExclusive("json", "format", "key-separator")
	c.MarkFlagsMutuallyExclusive("group", "partition")
	c.MarkFlagsMutuallyExclusive("group", "exit-at-end")
	return c
}

func consume(c *cobra.Command, topic string, f consumeFlags) error {
	start, err := parseStart(f.from, time.Now())
	if err != nil {
		return fmt.Errorf("--from %w", err)
	}
	isolation, err := f.isolationLevel()
	if err != nil {
		return err
	}
	print, err := f.printer()
	if err != nil {
		return err
	}
	if f.count < 0 {
		return fmt.Errorf("--count %d: want 0 or more", f.count)
	}
	ctx, stop := interruptible()
	defer stop()
	// Control records count for the position, though they are not shown.
	if f.group != "" {
		return f.consumeAsMember(ctx, c, topic, start, isolation, print)
	}
	cl, err := f.connect(ctx, kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.KeepControlRecords(), isolation)
	if err != nil {
		return err
	}
	defer cl.Close()
	span, err := f.span(ctx, kadm.NewClient(cl), topic, start)
	if err != nil || f.exitAtEnd && len(span.left) == 0 {
		return err
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: span.offsets()})

	out := bufio.NewWriterSize(c.OutOrStdout(), 64<<10)
	err = f.pump(ctx, cl, span, out, print)
	if flushErr := out.Flush(); err == nil {
		err = flushErr
	}
	if errors.Is(err, syscall.EPIPE) {
		return nil // whoever read has had enough
	}
	return explain("consuming "+topic, err, "")
}

// pump prints records until there is a reason to stop.
func (f *consumeFlags) pump(ctx context.Context, cl *kgo.Client, span *span, out *bufio.Writer, print recordPrinter) error {
	for left := f.count; ; {
		fetches, err := f.poll(ctx, cl, span)
		if err != nil || ctx.Err() != nil {
			return err
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			inside, last := span.pass(r, f.exitAtEnd)
			if inside && !r.Attrs.IsControl() {
				if err := print(out, r); err != nil {
					return err
				}
				if left--; left == 0 {
					return nil
				}
			}
			if last {
				return nil
			}
		}
		for _, e := range fetches.Errors() {
			return e.Err
		}
		// Whoever reads a pipe wants what there is before we wait for more.
		if err := out.Flush(); err != nil {
			return err
		}
	}
}

// poll waits for records: for ever, unless the end is known to be ahead.
func (f *consumeFlags) poll(ctx context.Context, cl *kgo.Client, span *span) (kgo.Fetches, error) {
	if !f.exitAtEnd {
		return cl.PollFetches(ctx), nil
	}
	waiting, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	fetches := cl.PollFetches(waiting)
	if waiting.Err() != nil && ctx.Err() == nil && fetches.Empty() {
		return nil, fmt.Errorf("nothing came for %v, with %s before the end; is the broker still there?",
			f.timeout, counted(len(span.left), "partition"))
	}
	return fetches, nil
}

// span is what to read of each partition.
type span struct {
	from, to map[int32]int64
	left     map[int32]bool // partitions whose end has not been reached
}

func (s *span) offsets() map[int32]kgo.Offset {
	offsets := make(map[int32]kgo.Offset, len(s.from))
	for p, from := range s.from {
		offsets[p] = kgo.NewOffset().At(from)
	}
	return offsets
}

// pass takes notice of a record: whether it is before the end that was, and whether it
// is the last there was.
func (s *span) pass(r *kgo.Record, bounded bool) (inside, last bool) {
	if !bounded {
		return true, false
	}
	end := s.to[r.Partition]
	if r.Offset >= end-1 {
		delete(s.left, r.Partition)
	}
	return r.Offset < end, len(s.left) == 0
}

// listOffsets asks about offsets until every partition has an answer: a partition whose
// leader has just changed has none for a moment.
func listOffsets(ctx context.Context, ask func() (kadm.ListedOffsets, error)) (list kadm.ListedOffsets, err error) {
	err = persist(ctx, func() error {
		if list, err = ask(); err == nil {
			err = list.Error()
		}
		return err
	})
	return list, err
}

// logBounds asks where the logs of topics begin and end.
func logBounds(ctx context.Context, adm *kadm.Client, topics ...string) (start, end kadm.ListedOffsets, err error) {
	start, err = listOffsets(ctx, func() (kadm.ListedOffsets, error) { return adm.ListStartOffsets(ctx, topics...) })
	if err == nil {
		end, err = listOffsets(ctx, func() (kadm.ListedOffsets, error) { return adm.ListEndOffsets(ctx, topics...) })
	}
	return start, end, err
}

// span asks the cluster where the partitions begin and end now.
func (f *consumeFlags) span(ctx context.Context, adm *kadm.Client, topic string, start start) (*span, error) {
	ctx, cancel := f.within(ctx)
	defer cancel()
	ask := func(list func() (kadm.ListedOffsets, error)) (map[int32]int64, error) {
		l, err := listOffsets(ctx, list)
		found := make(map[int32]int64)
		for p, o := range l[topic] {
			found[p] = o.Offset
		}
		return found, explain("topic "+topic, err, "")
	}
	begin, err := ask(func() (kadm.ListedOffsets, error) { return adm.ListStartOffsets(ctx, topic) })
	if err != nil {
		return nil, err
	}
	end, err := ask(func() (kadm.ListedOffsets, error) {
		if f.isolation == readCommitted {
			return adm.ListCommittedOffsets(ctx, topic)
		}
		return adm.ListEndOffsets(ctx, topic)
	})
	if err != nil {
		return nil, err
	}
	var since map[int32]int64
	if start.kind == fromTime {
		if since, err = ask(func() (kadm.ListedOffsets, error) { return adm.ListOffsetsAfterMilli(ctx, start.n, topic) }); err != nil {
			return nil, err
		}
	}
	wanted := f.partitions
	if wanted == nil {
		for p := range end {
			wanted = append(wanted, p)
		}
	}
	s := &span{from: make(map[int32]int64), to: end, left: make(map[int32]bool)}
	for _, p := range wanted {
		if _, exists := end[p]; !exists {
			return nil, fmt.Errorf("topic %s has no partition %d; odradek topic describe shows those it has", topic, p)
		}
		switch start.kind {
		case fromBeginning:
			s.from[p] = begin[p]
		case fromEnd:
			s.from[p] = max(begin[p], end[p]-start.n)
		case fromOffset:
			s.from[p] = start.n
		case fromTime:
			s.from[p] = since[p]
		}
		if s.from[p] < end[p] {
			s.left[p] = true
		}
	}
	return s, nil
}

// start is a parsed --from; n is an offset, a number of records, or milliseconds.
type start struct {
	kind startKind
	n    int64
}

type startKind uint8

const (
	fromBeginning startKind = iota
	fromEnd
	fromOffset
	fromTime
)

func parseStart(s string, now time.Time) (start, error) {
	switch s {
	case "beginning":
		return start{kind: fromBeginning}, nil
	case "end":
		return start{kind: fromEnd}, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n < 0 {
			return start{fromEnd, -n}, nil
		}
		return start{fromOffset, n}, nil
	}
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		return start{fromTime, now.Add(-ago).UnixMilli()}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return start{fromTime, t.UnixMilli()}, nil
		}
	}
	return start{}, fmt.Errorf("%s: want beginning, end, an offset, -N, a time such as 2026-01-31T15:04:05Z, or an age such as 15m", s)
}
