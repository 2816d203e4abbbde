package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func configCommand() *cobra.Command {
	return family(&cobra.Command{Use: "config", Short: "See and change configs of brokers, topics and groups"},
		configDescribeCommand(), configAlterCommand())
}

// configured says whose configs a command is about.
type configured struct {
	broker     int32
	allBrokers bool
	topic      string
	group      string
}

// whoseUsage is how a command says whose configs it is about.
const whoseUsage = "--broker ID | --all-brokers | --topic NAME | --group NAME"

func (r *configured) add(c *cobra.Command) {
	fl := c.Flags()
	fl.Int32Var(&r.broker, "broker", -1, "the broker with this id")
	fl.BoolVar(&r.allBrokers, "all-brokers", false, "what the cluster sets for every broker")
	fl.StringVar(&r.topic, "topic", "", "the topic of this name")
	fl.StringVar(&r.group, "group", "", "the group of this name, which need not exist yet")
	c.MarkFlagsMutuallyExclusive("broker", "all-brokers", "topic", "group")
	c.MarkFlagsOneRequired("broker", "all-brokers", "topic", "group")
}

// resource is whose configs they are, as the protocol names it.
func (r *configured) resource() (kmsg.ConfigResourceType, string) {
	switch {
	case r.topic != "":
		return kmsg.ConfigResourceTypeTopic, r.topic
	case r.group != "":
		return kmsg.ConfigResourceTypeGroupConfig, r.group
	case r.allBrokers:
		return kmsg.ConfigResourceTypeBroker, ""
	}
	return kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(r.broker))
}

func (r *configured) String() string {
	switch {
	case r.topic != "":
		return "topic " + r.topic
	case r.group != "":
		return "group " + r.group
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

var configTable = table[configLine]{"", func(l configLine) []any {
	value := "(hidden)"
	if l.Value != nil {
		value = *l.Value
	}
	return []any{l.Name + "=" + value, l.Source}
}}

// configSources say where a value comes from.
var configSources = map[kmsg.ConfigSource]string{
	kmsg.ConfigSourceDynamicTopicConfig:         "topic",
	kmsg.ConfigSourceGroupConfig:                "group",
	kmsg.ConfigSourceDynamicBrokerConfig:        "broker",
	kmsg.ConfigSourceDynamicDefaultBrokerConfig: "all brokers",
	kmsg.ConfigSourceStaticBrokerConfig:         "file",
	kmsg.ConfigSourceDefaultConfig:              "default",
}

func configDescribeCommand() *cobra.Command {
	var f listFlags
	var whose configured
	var all bool
	c := &cobra.Command{
		Use:   "describe " + whoseUsage,
		Short: "Show configs, and where each comes from",
		Long: `Show the configs that somebody has set, with where: in the topic, for the group, for the
broker, for all brokers of the cluster, or in the broker's file (which flags of odradek
serve count as). --all adds those at their defaults.`,
		Example: "  odradek config describe --broker 1\n  odradek config describe --topic orders --all",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.request(func(ctx context.Context, cl *kgo.Client) error {
				configs, err := whose.describe(ctx, cl)
				if err != nil {
					return err
				}
				if !all {
					configs = slices.DeleteFunc(configs, func(l configLine) bool { return l.Source == "default" })
				}
				return configTable.show(c, f.asJSON, configs, whose.String()+": nothing is set")
			})
		},
	}
	f.add(c)
	whose.add(c)
	c.Flags().BoolVar(&all, "all", false, "also what is at its default")
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
			return nil, r.unreachable(what, s.Err)
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
	var configs configFlags
	c := &cobra.Command{
		Use:   "alter " + whoseUsage,
		Short: "Set and unset configs of brokers, topics and groups while they run",
		Long: `Set and unset configs. What one broker sets goes before what all brokers do, and both
before the broker's file. Some configs can only be in the file. What a group sets goes
before the brokers' group.consumer.* of the same name.`,
		Example: `  odradek config alter --all-brokers --config log.retention.ms=86400000
  odradek config alter --broker 2 --config leader.replication.throttled.rate=10000000
  odradek config alter --topic orders --delete-config retention.ms
  odradek config alter --group billing --config consumer.session.timeout.ms=60000`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			changes, err := configs.changes()
			switch {
			case err != nil:
				return err
			case len(changes) == 0:
				return errors.New("nothing to change: give --config or --delete-config")
			}
			return f.request(func(ctx context.Context, cl *kgo.Client) error {
				if err := whose.alter(ctx, cl, changes); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "changed %s of %s\n", counted(len(changes), "config"), whose.String())
				return nil
			})
		},
	}
	f.add(c)
	whose.add(c)
	configs.add(c)
	return c
}

// alter asks for changes. The admin client does not know groups.
func (r *configured) alter(ctx context.Context, cl *kgo.Client, changes []kadm.AlterConfig) error {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	rr := kmsg.NewIncrementalAlterConfigsRequestResource()
	rr.ResourceType, rr.ResourceName = r.resource()
	for _, change := range changes {
		rc := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		rc.Name, rc.Value = change.Name, change.Value
		if change.Op == kadm.DeleteConfig {
			rc.Op = kmsg.IncrementalAlterConfigOpDelete
		}
		rr.Configs = append(rr.Configs, rc)
	}
	req.Resources = append(req.Resources, rr)
	what := "changing configs of " + r.String()
	for _, s := range cl.RequestSharded(ctx, req) {
		if s.Err != nil {
			return r.unreachable(what, s.Err)
		}
		for _, a := range s.Resp.(*kmsg.IncrementalAlterConfigsResponse).Resources {
			if err := kerr.ErrorForCode(a.ErrorCode); err != nil {
				return explain(what, err, said(a.ErrorMessage))
			}
		}
	}
	return nil
}

// unreachable explains an error of who should have answered: a broker itself, if it is
// about a broker.
func (r *configured) unreachable(what string, err error) error {
	if kind, name := r.resource(); kind == kmsg.ConfigResourceTypeBroker && name != "" || errors.Is(err, kerr.BrokerNotAvailable) {
		return fmt.Errorf("%s: %w; odradek broker list shows the brokers that are up", what, cause(err))
	}
	return explain(what, err, "")
}
