package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func topicElectLeadersCommand() *cobra.Command {
	var f clientFlags
	var partitions []int32
	var unclean, all bool
	c := &cobra.Command{
		Use:   "elect-leaders NAME... | --all",
		Short: "Give leadership back to preferred replicas",
		Long: `Have the preferred (first) replica of each partition lead it, if it is in sync.

With --unclean, partitions without a leader get one of any live replicas, in sync or not:
what it lacks is lost.`,
		Example: `  odradek topic elect-leaders orders
  odradek topic elect-leaders --all
  odradek topic elect-leaders orders --partition 3 --unclean`,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && !all || len(args) > 0 && all:
				return errors.New("name the topics, or give --all")
			case len(partitions) > 0 && len(args) != 1:
				return errors.New("--partition goes with one topic")
			}
			how := kadm.ElectPreferredReplica
			if unclean {
				how = kadm.ElectLiveReplica
			}
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				which, err := partitionsOf(ctx, adm, args, partitions)
				if err != nil {
					return err
				}
				results, err := adm.ElectLeaders(ctx, how, which)
				if err != nil {
					return explain("electing leaders", err, "")
				}
				elected := 0
				var errs []error
				for _, topic := range sortedKeys(results) {
					for _, p := range sortedKeys(results[topic]) {
						switch r := results[topic][p]; {
						case r.Err == nil:
							elected++
							fmt.Fprintf(c.OutOrStdout(), "%s-%d has another leader\n", topic, p)
						case errors.Is(r.Err, kerr.ElectionNotNeeded):
						default:
							errs = append(errs, explain(fmt.Sprintf("electing a leader of %s-%d", topic, p), r.Err, r.ErrMessage))
						}
					}
				}
				if elected == 0 && len(errs) == 0 {
					fmt.Fprintln(c.OutOrStdout(), "no election was needed")
				}
				return errors.Join(errs...)
			})
		},
	}
	f.add(c)
	fl := c.Flags()
	fl.Int32SliceVarP(&partitions, "partition", "p", nil, "only this partition of the topic (may be repeated)")
	fl.BoolVar(&all, "all", false, "all topics")
	fl.BoolVar(&unclean, "unclean", false, "rather lose records than go without a leader")
	return c
}

// partitionsOf is the named partitions of topics, or all of them; nil for all topics.
func partitionsOf(ctx context.Context, adm *kadm.Client, topics []string, partitions []int32) (kadm.TopicsSet, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	details, err := adm.ListTopicsWithInternal(ctx, topics...)
	if err != nil {
		return nil, explain("looking up topics", err, "")
	}
	which := make(kadm.TopicsSet)
	for _, t := range details.Sorted() {
		if t.Err != nil {
			return nil, explain("topic "+t.Topic, t.Err, "")
		}
		for _, p := range t.Partitions.Numbers() {
			if len(partitions) == 0 || slices.Contains(partitions, p) {
				which.Add(t.Topic, p)
			}
		}
		for _, p := range partitions {
			if _, exists := t.Partitions[p]; !exists {
				return nil, fmt.Errorf("topic %s has no partition %d; odradek topic describe shows those it has", t.Topic, p)
			}
		}
	}
	return which, nil
}
