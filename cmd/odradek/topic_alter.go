package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

func topicAlterCommand() *cobra.Command {
	var f clientFlags
	var partitions int
	var configs configFlags
	c := &cobra.Command{
		Use:   "alter NAME",
		Short: "Add partitions, set and unset configs",
		Long: `Change a topic. Partitions can only be added, and records with keys go elsewhere from
then on. A config that is unset gets the broker's value back; odradek topic describe
shows what a topic sets itself.`,
		Example: `  odradek topic alter orders --partitions 12
  odradek topic alter orders --config retention.ms=86400000 --delete-config cleanup.policy`,
		Args: exactlyOne("topic"),
		RunE: func(c *cobra.Command, args []string) error {
			changes, err := configs.changes()
			switch {
			case err != nil:
				return err
			case partitions == 0 && len(changes) == 0:
				return errors.New("nothing to change: give --partitions, --config or --delete-config")
			}
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				if len(changes) > 0 {
					if err := alterTopicConfigs(ctx, adm, changes, args[0]); err != nil {
						return err
					}
					fmt.Fprintf(c.OutOrStdout(), "changed %s of topic %s\n", counted(len(changes), "config"), args[0])
				}
				if partitions == 0 {
					return nil
				}
				grown, err := adm.UpdatePartitions(ctx, partitions, args[0])
				r := grown[args[0]]
				if err == nil {
					err = r.Err
				}
				if err != nil {
					return explain("adding partitions to topic "+args[0], err, r.ErrMessage)
				}
				fmt.Fprintf(c.OutOrStdout(), "topic %s has %s\n", args[0], counted(partitions, "partition"))
				return nil
			})
		},
	}
	f.add(c)
	c.Flags().IntVar(&partitions, "partitions", 0, "how many partitions there shall be")
	configs.add(c)
	return c
}

// configFlags are the flags of a command that changes configs.
type configFlags struct{ set, unset []string }

func (f *configFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.set, "config", nil, "a config to set, as name=value (may be repeated)")
	c.Flags().StringArrayVar(&f.unset, "delete-config", nil, "a config to unset (may be repeated)")
}

// changes is what a broker is asked.
func (f *configFlags) changes() ([]kadm.AlterConfig, error) {
	set, err := parseConfigs(f.set)
	if err != nil {
		return nil, err
	}
	var changes []kadm.AlterConfig
	for _, name := range sortedKeys(set) {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: set[name]})
	}
	for _, name := range f.unset {
		if set[name] != nil {
			return nil, fmt.Errorf("--config and --delete-config both name %s", name)
		}
		changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name})
	}
	return changes, nil
}

// alterTopicConfigs changes configs of topics, all in the same way.
func alterTopicConfigs(ctx context.Context, adm *kadm.Client, changes []kadm.AlterConfig, topics ...string) error {
	answers, err := adm.AlterTopicConfigs(ctx, changes, topics...)
	if err != nil {
		return explain("changing configs", err, "")
	}
	var errs []error
	for _, a := range answers {
		errs = append(errs, explain("changing configs of topic "+a.Name, a.Err, a.ErrMessage))
	}
	return errors.Join(errs...)
}
