package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "See and change configs of brokers and topics",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(configDescribeCommand(), configAlterCommand())
	return c
}

// configured says whose configs a command is about.
type configured struct {
	broker     int32
	allBrokers bool
	topic      string
}

func (r *configured) add(c *cobra.Command) {
	fl := c.Flags()
	fl.Int32Var(&r.broker, "broker", -1, "the broker with this id")
	fl.BoolVar(&r.allBrokers, "all-brokers", false, "what the cluster sets for every broker")
	fl.StringVar(&r.topic, "topic", "", "the topic of this name")
	c.MarkFlagsMutuallyExclusive("broker", "all-brokers", "topic")
	c.MarkFlagsOneRequired("broker", "all-brokers", "topic")
}

// resource is whose configs they are, as the protocol names it.
func (r *configured) resource() (kmsg.ConfigResourceType, string) {
	switch {
	case r.topic != "":
		return kmsg.ConfigResourceTypeTopic, r.topic
	case r.allBrokers:
		return kmsg.ConfigResourceTypeBroker, ""
	}
	return kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(r.broker))
}

func (r *configured) String() string {
	switch {
	case r.topic != "":
		return "topic " + r.topic
	case r.allBrokers:
		return "all brokers"
	}
	return fmt.Sprintf("broker %d", r.broker)
}

// configLine is a config on one line.
type configLine struct {
	Name     string  `json:"name"`
	Value    *string `json:"value"`
	Source   string  `json:"source"`
	ReadOnly bool    `json:"readOnly"`
}

// configSources say where a value comes from.
var configSources = map[kmsg.ConfigSource]string{
	kmsg.ConfigSourceDynamicTopicConfig:         "topic",
	kmsg.ConfigSourceDynamicBrokerConfig:        "broker",
	kmsg.ConfigSourceDynamicDefaultBrokerConfig: "all brokers",
	kmsg.ConfigSourceStaticBrokerConfig:         "file",
	kmsg.ConfigSourceDefaultConfig:              "default",
}

func configDescribeCommand() *cobra.Command {
	var f clientFlags
	var whose configured
	var all, asJSON bool
	c := &cobra.Command{
		Use:   "describe --broker ID | --all-brokers | --topic NAME",
		Short: "Show configs, and where each comes from",
		Long: `Show the configs that somebody has set, with where: in the topic, for the broker, for
all brokers of the cluster, or in the broker's file (which flags of odradek serve count as).
--all adds those at their defaults.`,
		Example: "  odradek config describe --broker 1\n  odradek config describe --topic orders --all",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.request(func(ctx context.Context, cl *kgo.Client) error {
				configs, err := whose.describe(ctx, cl)
				if err != nil {
					return err
				}
				table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, l := range configs {
					switch {
					case l.Source == "default" && !all:
					case asJSON:
						if err := printJSON(c.OutOrStdout(), l); err != nil {
							return err
						}
					default:
						value := "(hidden)"
						if l.Value != nil {
							value = *l.Value
						}
						fmt.Fprintf(table, "%s=%s\t%s\n", l.Name, value, l.Source)
					}
				}
				return table.Flush()
			})
		},
	}
	f.add(c)
	whose.add(c)
	c.Flags().BoolVar(&all, "all", false, "also what is at its default")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return c
}

// describe asks for the configs, sorted by name. The admin client would drop what the
// broker says of a refusal.
func (r *configured) describe(ctx context.Context, cl *kgo.Client) ([]configLine, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	rr := kmsg.NewDescribeConfigsRequestResource()
	rr.ResourceType, rr.ResourceName = r.resource()
	req.Resources = append(req.Resources, rr)
	what := "configs of " + r.String()
	// A broker is asked itself.
	shards := cl.RequestSharded(ctx, req)
	lines := make(map[string]configLine)
	for _, s := range shards {
		if s.Err != nil {
			if errors.Is(s.Err, kerr.BrokerNotAvailable) || r.broker >= 0 && r.topic == "" {
				return nil, fmt.Errorf("%s: %w; odradek broker list shows the brokers that are up", what, cause(s.Err))
			}
			return nil, explain(what, s.Err, "")
		}
		for _, a := range s.Resp.(*kmsg.DescribeConfigsResponse).Resources {
			if err := kerr.ErrorForCode(a.ErrorCode); err != nil {
				return nil, explain(what, err, said(a.ErrorMessage))
			}
			for _, c := range a.Configs {
				source, known := configSources[c.Source]
				if !known {
					source = fmt.Sprint(c.Source)
				}
				lines[c.Name] = configLine{c.Name, c.Value, source, c.ReadOnly}
			}
		}
	}
	var sorted []configLine
	for _, name := range sortedKeys(lines) {
		sorted = append(sorted, lines[name])
	}
	return sorted, nil
}

func configAlterCommand() *cobra.Command {
	var f clientFlags
	var whose configured
	var set, unset []string
	c := &cobra.Command{
		Use:   "alter --broker ID | --all-brokers | --topic NAME",
		Short: "Set and unset configs of brokers and topics while they run",
		Long: `Set and unset configs. What one broker sets goes before what all brokers do, and both
before the broker's file. Some configs can only be in the file.`,
		Example: `  odradek config alter --all-brokers --config log.retention.ms=86400000
  odradek config alter --broker 2 --config leader.replication.throttled.rate=10000000
  odradek config alter --topic orders --delete-config retention.ms`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			values, err := parseConfigs(set)
			if err != nil {
				return err
			}
			changes, err := configChanges(values, unset)
			switch {
			case err != nil:
				return err
			case len(changes) == 0:
				return errors.New("nothing to change: give --config or --delete-config")
			}
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				var answers kadm.AlterConfigsResponses
				switch {
				case whose.topic != "":
					answers, err = adm.AlterTopicConfigs(ctx, changes, whose.topic)
				case whose.allBrokers:
					answers, err = adm.AlterBrokerConfigs(ctx, changes)
				default:
					answers, err = adm.AlterBrokerConfigs(ctx, changes, whose.broker)
				}
				if err != nil {
					return explain("changing configs of "+whose.String(), err, "")
				}
				for _, a := range answers {
					if a.Err != nil {
						return explain("changing configs of "+whose.String(), a.Err, a.ErrMessage)
					}
				}
				fmt.Fprintf(c.OutOrStdout(), "changed %s of %s\n", counted(len(changes), "config"), whose.String())
				return nil
			})
		},
	}
	f.add(c)
	whose.add(c)
	fl := c.Flags()
	fl.StringArrayVar(&set, "config", nil, "a config to set, as name=value (may be repeated)")
	fl.StringArrayVar(&unset, "delete-config", nil, "a config to unset (may be repeated)")
	return c
}
