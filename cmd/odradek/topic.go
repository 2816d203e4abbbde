package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/wire"
)

func topicCommand() *cobra.Command {
	return family(&cobra.Command{Use: "topic", Short: "See and change topics"},
		topicListCommand(), topicDescribeCommand(), topicCreateCommand(), topicAlterCommand(), topicElectLeadersCommand(), topicDeleteCommand())
}

// topicSummary is a topic on one line.
type topicSummary struct {
	Name              string `json:"name"`
	ID                string `json:"id"`
	Partitions        int    `json:"partitions"`
	ReplicationFactor int    `json:"replicationFactor"`
}

var topicTable = table[topicSummary]{"TOPIC\tPARTITIONS\tREPLICAS", func(t topicSummary) []any {
	return []any{t.Name, t.Partitions, t.ReplicationFactor}
}}

func topicListCommand() *cobra.Command {
	var f listFlags
	var internal bool
	c := &cobra.Command{
		Use:     "list",
		Short:   "List topics",
		Example: "  odradek topic list\n  odradek topic list --json | jq -r .name",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				topics, err := adm.ListTopicsWithInternal(ctx)
				if err != nil {
					return explain("listing topics", err, "")
				}
				if !internal {
					topics.FilterInternal()
				}
				var list []topicSummary
				for _, t := range topics.Sorted() {
					list = append(list, topicSummary{t.Topic, wire.UUID(t.ID).String(), len(t.Partitions), t.Partitions.NumReplicas()})
				}
				return topicTable.show(c, f.asJSON, list, "no topics")
			})
		},
	}
	f.add(c)
	c.Flags().BoolVar(&internal, "internal", false, "the broker's own topics, too")
	return c
}

func topicCreateCommand() *cobra.Command {
	var f clientFlags
	var partitions int32
	var factor int16
	var configs []string
	var ifNotExists, asJSON bool
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a topic",
		Long:  "Create a topic. What is not given is as the broker's configs say.",
		Example: `  odradek topic create events
  odradek topic create orders --partitions 6 --replication-factor 3 \
      --config min.insync.replicas=2 --config retention.ms=86400000`,
		Args: exactlyOne("topic"),
		RunE: func(c *cobra.Command, args []string) error {
			set, err := parseConfigs(configs)
			if err != nil {
				return err
			}
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				t, err := createTopic(ctx, adm, args[0], partitions, factor, set)
				switch {
				case ifNotExists && errors.Is(t.Err, kerr.TopicAlreadyExists):
					fmt.Fprintf(c.ErrOrStderr(), "topic %s exists already\n", args[0])
					return nil
				case err != nil:
					return explain("creating topic "+args[0], err, t.ErrMessage)
				case asJSON:
					return printJSON(c.OutOrStdout(), topicSummary{t.Topic, wire.UUID(t.ID).String(), int(t.NumPartitions), int(t.ReplicationFactor)})
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "created topic %s with %s, replication factor %d\n",
					t.Topic, counted(int(t.NumPartitions), "partition"), t.ReplicationFactor)
				return err
			})
		},
	}
	f.add(c)
	fl := c.Flags()
	fl.Int32Var(&partitions, "partitions", -1, "number of partitions (default: the broker's num.partitions)")
	fl.Int16Var(&factor, "replication-factor", -1, "replicas of each partition (default: the broker's default.replication.factor)")
	fl.StringArrayVar(&configs, "config", nil, "one topic config, as name=value (may be repeated)")
	fl.BoolVar(&ifNotExists, "if-not-exists", false, "an existing topic of that name is fine")
	fl.BoolVar(&asJSON, "json", false, "print the topic as JSON")
	return c
}

// createTopic is kadm's CreateTopics for one topic: unlike CreateTopic, it keeps the
// broker's message when it fails.
func createTopic(ctx context.Context, adm *kadm.Client, name string, partitions int32, factor int16, configs map[string]*string) (kadm.CreateTopicResponse, error) {
	all, err := adm.CreateTopics(ctx, partitions, factor, configs, name)
	if err != nil {
		return kadm.CreateTopicResponse{}, err
	}
	t := all[name]
	return t, t.Err
}

func topicDeleteCommand() *cobra.Command {
	var f clientFlags
	var ifExists bool
	c := &cobra.Command{
		Use:     "delete NAME...",
		Short:   "Delete topics with all their records",
		Example: "  odradek topic delete events",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				all, err := adm.DeleteTopics(ctx, args...)
				if err != nil {
					return explain("deleting", err, "")
				}
				var errs []error
				for _, name := range args {
					t, answered := all[name]
					switch {
					case !answered:
						errs = append(errs, fmt.Errorf("deleting topic %s: the broker said nothing about it", name))
					case t.Err == nil:
						fmt.Fprintf(c.OutOrStdout(), "deleted topic %s\n", name)
					case ifExists && errors.Is(t.Err, kerr.UnknownTopicOrPartition):
					default:
						errs = append(errs, explain("deleting topic "+name, t.Err, t.ErrMessage))
					}
				}
				return errors.Join(errs...)
			})
		},
	}
	f.add(c)
	c.Flags().BoolVar(&ifExists, "if-exists", false, "a missing topic is fine")
	return c
}

func parseConfigs(assignments []string) (map[string]*string, error) {
	set := make(map[string]*string, len(assignments))
	for _, a := range assignments {
		name, value, ok := strings.Cut(a, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--config %s: want name=value", a)
		}
		set[name] = &value
	}
	return set, nil
}

// exactlyOne is an argument check that says what the argument is.
func exactlyOne(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("want one %s, got %d; see %s --help", what, len(args), c.CommandPath())
		}
		return nil
	}
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
