package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func groupCommand() *cobra.Command {
	return family(&cobra.Command{Use: "group", Short: "See consumer groups, set their offsets, delete them"},
		groupListCommand(), groupDescribeCommand(), groupResetCommand(), groupDeleteCommand())
}

// groupSummary is a group on one line.
type groupSummary struct {
	Name        string `json:"name"`
	State       string `json:"state"`
	Protocol    string `json:"protocol"` // consumer (KIP-848) or classic
	Coordinator int32  `json:"coordinator"`
}

var groupTable = table[groupSummary]{"GROUP\tSTATE\tPROTOCOL\tCOORDINATOR", func(g groupSummary) []any {
	return []any{g.Name, g.State, g.Protocol, g.Coordinator}
}}

func groupListCommand() *cobra.Command {
	var f listFlags
	var states []string
	c := &cobra.Command{
		Use:     "list",
		Short:   "List groups",
		Example: "  odradek group list\n  odradek group list --state empty --json | jq -r .name",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				groups, err := listGroups(ctx, adm, states)
				if err != nil {
					return err
				}
				return groupTable.show(c, f.asJSON, groups, inStates("no groups", states))
			})
		},
	}
	f.add(c)
	c.Flags().StringSliceVar(&states, "state", nil, "only groups in this state, such as empty or stable (may be repeated)")
	return c
}

// listGroups lists the groups of all coordinators, sorted.
func listGroups(ctx context.Context, adm *kadm.Client, states []string) ([]groupSummary, error) {
	all, err := adm.ListGroups(ctx, states...)
	if err != nil {
		return nil, explain("listing groups", err, "")
	}
	next, err := adm.ListGroupsByType(ctx, []string{"consumer"})
	if err != nil {
		return nil, explain("listing groups", err, "")
	}
	var groups []groupSummary
	for _, g := range all.Sorted() {
		s := groupSummary{Name: g.Group, State: g.State, Protocol: "classic", Coordinator: g.Coordinator}
		if _, ok := next[g.Group]; ok {
			s.Protocol = "consumer"
		}
		groups = append(groups, s)
	}
	return groups, nil
}

func groupDeleteCommand() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{
		Use:     "delete GROUP...",
		Short:   "Delete groups without members, with their committed offsets",
		Example: "  odradek group delete billing",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				all, err := adm.DeleteGroups(ctx, args...)
				if err != nil && len(all) == 0 {
					return explain("deleting groups", err, "")
				}
				var errs []error
				for _, name := range args {
					switch g, answered := all[name]; {
					case !answered:
						errs = append(errs, fmt.Errorf("deleting group %s: the cluster said nothing about it", name))
					case errors.Is(g.Err, kerr.NonEmptyGroup):
						errs = append(errs, fmt.Errorf("deleting group %s: it has members; stop them first (odradek group describe %s shows them)", name, name))
					case errors.Is(g.Err, kerr.GroupIDNotFound):
						errs = append(errs, fmt.Errorf("deleting group %s: there is no such group; odradek group list shows what there is", name))
					case g.Err != nil:
						errs = append(errs, explain("deleting group "+name, g.Err, ""))
					default:
						fmt.Fprintf(c.OutOrStdout(), "deleted group %s\n", name)
					}
				}
				return errors.Join(errs...)
			})
		},
	}
	f.add(c)
	return c
}
