package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func groupResetCommand() *cobra.Command {
	var f listFlags
	var topics []string
	var partitions []int32
	var to string
	var by int64
	var execute bool
	c := &cobra.Command{
		Use:   "reset-offsets GROUP",
		Short: "Say from where a group reads on",
		Long: `Set the committed offsets of a group that has no members. Without --execute the change
is only shown.

Either --by moves each offset, or --to sets it, to one of

  beginning   the oldest record there is
  end         what is produced from now on
  N           offset N of every partition
  -N          the last N offsets of every partition
  TIME        the first record from a time on: 2026-01-31, 2026-01-31T15:04:05Z, or as 15m ago

Offsets stay between the beginning and the end of the log. Without --topic, all
partitions with a committed offset are meant.`,
		Example: `  odradek group reset-offsets billing --to beginning --topic orders
  odradek group reset-offsets billing --by -100 --execute`,
		Args: exactlyOne("group"),
		RunE: func(c *cobra.Command, args []string) error {
			if (to == "") == (by == 0) {
				return errors.New("want --to or --by")
			}
			if len(partitions) > 0 && len(topics) != 1 {
				return errors.New("--partition needs one --topic")
			}
			target := start{}
			if to != "" {
				var err error
				if target, err = parseStart(to, time.Now()); err != nil {
					return fmt.Errorf("--to %w", err)
				}
			}
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				moves, err := planReset(ctx, adm, args[0], topics, partitions, func(m *offsetMove) int64 {
					if to == "" {
						return max(m.From, m.start) + by
					}
					switch target.kind {
					case fromBeginning:
						return m.start
					case fromEnd:
						return m.end - target.n
					case fromTime:
						return m.since
					}
					return target.n
				}, target)
				if err != nil {
					return err
				}
				if execute {
					if err := commitReset(ctx, adm, args[0], moves); err != nil {
						return err
					}
				}
				if err := offsetMoveTable.show(c, f.asJSON, moves, "nothing to change"); err != nil {
					return err
				}
				if !execute && len(moves) > 0 {
					fmt.Fprintln(c.ErrOrStderr(), "nothing is changed yet; --execute does it")
				}
				return nil
			})
		},
	}
	f.add(c)
	fl := c.Flags()
	fl.StringArrayVar(&topics, "topic", nil, "only this topic, also if nothing of it is committed (may be repeated)")
	fl.Int32SliceVarP(&partitions, "partition", "p", nil, "only these partitions of the topic")
	fl.StringVar(&to, "to", "", "where to read on")
	fl.Int64Var(&by, "by", 0, "how many records to move forward, or with a minus back")
	fl.BoolVar(&execute, "execute", false, "change it")
	return c
}

// offsetMove is the change of one committed offset.
type offsetMove struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"` // -1 is none
	To        int64  `json:"to"`

	start, end, since int64 // of the log
}

var offsetMoveTable = table[offsetMove]{"TOPIC\tPARTITION\tFROM\tTO", func(m offsetMove) []any {
	return []any{m.Topic, m.Partition, offsetOrDash(m.From), m.To}
}}

// planReset finds the partitions that are meant, and where each goes.
func planReset(ctx context.Context, adm *kadm.Client, group string, topics []string, partitions []int32, where func(*offsetMove) int64, target start) ([]offsetMove, error) {
	var committed kadm.OffsetResponses
	err := persist(ctx, func() (err error) {
		committed, err = adm.FetchOffsets(ctx, group)
		return err
	})
	if err != nil {
		return nil, explain("group "+group, err, "")
	}
	if len(topics) == 0 {
		topics = sortedKeys(committed)
	}
	if len(topics) == 0 {
		return nil, fmt.Errorf("group %s has no committed offsets; --topic says which topics are meant", group)
	}
	begin, end, err := logBounds(ctx, adm, topics...)
	since := end
	if err == nil && target.kind == fromTime {
		since, err = listOffsets(ctx, func() (kadm.ListedOffsets, error) { return adm.ListOffsetsAfterMilli(ctx, target.n, topics...) })
	}
	if err != nil {
		return nil, explain("asking for offsets", err, "")
	}
	var moves []offsetMove
	for topic, list := range end {
		for p, e := range list {
			if len(partitions) > 0 && !slices.Contains(partitions, p) {
				continue
			}
			m := offsetMove{Topic: topic, Partition: p, From: -1, start: begin[topic][p].Offset, end: e.Offset, since: since[topic][p].Offset}
			if o, ok := committed.Lookup(topic, p); ok {
				m.From = o.At
			}
			m.To = min(max(where(&m), m.start), m.end)
			moves = append(moves, m)
		}
	}
	for _, p := range partitions {
		if !slices.ContainsFunc(moves, func(m offsetMove) bool { return m.Partition == p }) {
			return nil, fmt.Errorf("topic %s has no partition %d; odradek topic describe shows those it has", topics[0], p)
		}
	}
	slices.SortFunc(moves, func(a, b offsetMove) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return moves, nil
}

func commitReset(ctx context.Context, adm *kadm.Client, group string, moves []offsetMove) error {
	offsets := make(kadm.Offsets)
	for _, m := range moves {
		offsets.AddOffset(m.Topic, m.Partition, m.To, -1)
	}
	answers, err := adm.CommitOffsets(ctx, group, offsets)
	if err == nil {
		err = answers.Error()
	}
	if errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.StaleMemberEpoch) {
		return fmt.Errorf("group %s has members, which would not notice; stop them first (odradek group describe %s shows them)", group, group)
	}
	return explain("group "+group, err, "")
}
