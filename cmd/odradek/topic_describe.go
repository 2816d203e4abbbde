package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/wire"
)

// topicDescription is a topic with its partitions.
type topicDescription struct {
	Name       string                 `json:"name"`
	ID         string                 `json:"id"`
	Internal   bool                   `json:"internal,omitempty"`
	Partitions []partitionDescription `json:"partitions"`
	// Configs are those that the topic sets itself.
	Configs map[string]string `json:"configs"`

	names []string // of Configs, as the broker orders them
}

type partitionDescription struct {
	Partition   int32   `json:"partition"`
	Leader      int32   `json:"leader"` // -1 is none
	LeaderEpoch int32   `json:"leaderEpoch"`
	Replicas    []int32 `json:"replicas"`
	ISR         []int32 `json:"isr"`
	Offline     []int32 `json:"offline"`
	Error       string  `json:"error,omitempty"`
}

var topicPartitionTable = table[partitionDescription]{"  PARTITION\tLEADER\tEPOCH\tREPLICAS\tISR\tOFFLINE\t", func(p partitionDescription) []any {
	leader := "none"
	if p.Leader >= 0 {
		leader = fmt.Sprint(p.Leader)
	}
	return []any{p.Partition, leader, p.LeaderEpoch, ids(p.Replicas), ids(p.ISR), ids(p.Offline), p.Error}
}}

func topicDescribeCommand() *cobra.Command {
	var f listFlags
	c := &cobra.Command{
		Use:   "describe [NAME...]",
		Short: "Show partitions, replicas and the configs that are set",
		Long: `Show topics, or all topics: for every partition the leader, the replicas, those in
sync (ISR) and those offline, and the configs that the topic sets itself.`,
		Example: "  odradek topic describe orders\n  odradek topic describe orders --json | jq '.partitions[].isr'",
		RunE: func(c *cobra.Command, args []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				topics, err := describeTopics(ctx, adm, args)
				return showEach(c, f.asJSON, topics, err, "no topics")
			})
		},
	}
	f.add(c)
	return c
}

// describeTopics describes the topics that it can, besides an error about the others.
func describeTopics(ctx context.Context, adm *kadm.Client, names []string) ([]*topicDescription, error) {
	m, err := adm.Metadata(ctx, names...)
	if err != nil {
		return nil, explain("describing topics", err, "")
	}
	var errs []error
	var found []*topicDescription
	var known []string
	for _, t := range m.Topics.Sorted() {
		switch {
		case t.Err != nil:
			errs = append(errs, explain("topic "+t.Topic, t.Err, ""))
			continue
		case len(names) == 0 && t.IsInternal:
			continue
		}
		d := &topicDescription{Name: t.Topic, ID: wire.UUID(t.ID).String(), Internal: t.IsInternal, Configs: make(map[string]string)}
		for _, p := range t.Partitions.Sorted() {
			pd := partitionDescription{
				Partition: p.Partition, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch,
				Replicas: notNil(p.Replicas), ISR: notNil(p.ISR), Offline: notNil(p.OfflineReplicas),
			}
			if p.Err != nil {
				pd.Error = p.Err.Error()
			}
			d.Partitions = append(d.Partitions, pd)
		}
		found = append(found, d)
		known = append(known, t.Topic)
	}
	if len(known) > 0 {
		configs, err := adm.DescribeTopicConfigs(ctx, known...)
		if err != nil {
			errs = append(errs, explain("configs", err, ""))
		}
		for _, d := range found {
			r, err := configs.On(d.Name, nil)
			if err == nil {
				err = r.Err
			}
			if err != nil {
				errs = append(errs, explain("configs of "+d.Name, err, ""))
				continue
			}
			d.take(r.Configs)
		}
	}
	return found, errors.Join(errs...)
}

// take keeps the configs that the topic sets itself.
func (d *topicDescription) take(configs []kadm.Config) {
	for _, c := range configs {
		if c.Source == kmsg.ConfigSourceDynamicTopicConfig {
			d.Configs[c.Key] = c.MaybeValue()
			d.names = append(d.names, c.Key)
		}
	}
}

func (d *topicDescription) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s, id %s\n", d.Name, counted(len(d.Partitions), "partition"), d.ID)
	for _, name := range d.names {
		fmt.Fprintf(w, "  %s=%s\n", name, d.Configs[name])
	}
	return topicPartitionTable.print(w, d.Partitions)
}
