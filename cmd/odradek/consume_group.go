package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// readCommitted is the isolation level under which transactions are all or nothing.
const readCommitted = "read_committed"

func (f *consumeFlags) isolationLevel() (kgo.Opt, error) {
	switch f.isolation {
	case "read_uncommitted":
		return kgo.FetchIsolationLevel(kgo.ReadUncommitted()), nil
	case readCommitted:
		return kgo.FetchIsolationLevel(kgo.ReadCommitted()), nil
	}
	return nil, fmt.Errorf("--isolation %s: want read_uncommitted or read_committed", f.isolation)
}

// reset is where a group begins that has committed nothing.
func (s start) reset() (kgo.Offset, error) {
	switch s.kind {
	case fromBeginning:
		return kgo.NewOffset().AtStart(), nil
	case fromEnd:
		return kgo.NewOffset().AtEnd().Relative(-s.n), nil
	case fromTime:
		return kgo.NewOffset().AfterMilli(s.n), nil
	}
	return kgo.Offset{}, errors.New("--from: a group begins at the beginning, the end or a time; odradek group reset-offsets sets other offsets")
}

// consumeAsMember prints what the group gives this member, and commits what was printed.
func (f *consumeFlags) consumeAsMember(ctx context.Context, c *cobra.Command, topic string, from start, isolation kgo.Opt, print recordPrinter) error {
	reset, err := from.reset()
	if err != nil {
		return err
	}
	cl, err := f.connect(ctx, isolation,
		kgo.ConsumerGroup(f.group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(reset),
		kgo.AutoCommitMarks(), kgo.BlockRebalanceOnPoll())
	if err != nil {
		return err
	}
	defer cl.CloseAllowingRebalance()
	// A member of a group waits for a topic to come; who misspelt one should not.
	details, err := kadm.NewClient(cl).ListTopicsWithInternal(ctx, topic)
	if err == nil {
		err = details.Error()
	}
	if err != nil {
		return explain("topic "+topic, err, "")
	}
	out := bufio.NewWriterSize(c.OutOrStdout(), 64<<10)
	err = f.pumpGroup(ctx, cl, out, print)
	// Also after an interrupt: what was printed is done with.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.timeout)
	defer cancel()
	if commitErr := cl.CommitMarkedOffsets(last); err == nil && commitErr != nil {
		err = fmt.Errorf("what was printed could not be committed, and will come again: %w", cause(commitErr))
	}
	if errors.Is(err, syscall.EPIPE) {
		return nil // whoever read has had enough
	}
	return explain("consuming "+topic+" in group "+f.group, err, "")
}

func (f *consumeFlags) pumpGroup(ctx context.Context, cl *kgo.Client, out *bufio.Writer, print recordPrinter) error {
	for left := f.count; ; {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var printed []*kgo.Record
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			if err := print(out, r); err != nil {
				return err
			}
			printed = append(printed, r)
			if left--; left == 0 {
				break
			}
		}
		// Marked only when it has left: a record that nobody saw must come again.
		if err := out.Flush(); err != nil {
			return err
		}
		cl.MarkCommitRecords(printed...)
		cl.AllowRebalance()
		if f.count > 0 && left <= 0 {
			return nil
		}
		for _, e := range fetches.Errors() {
			return e.Err
		}
	}
}
