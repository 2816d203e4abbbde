package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func groupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "group",
		Short: "See consumer groups, set their offsets, delete them",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(groupListCommand(), groupDescribeCommand(), groupResetCommand(), groupDeleteCommand())
	return c
}

// groupSummary is a group on one line.
type groupSummary struct {
	Name        string `json:"name"`
	State       string `json:"state"`
	Protocol    string `json:"protocol"` // consumer (KIP-848) or classic
	Coordinator int32  `json:"coordinator"`
}

func groupListCommand() *cobra.Command {
	var f clientFlags
	var states []string
	var asJSON bool
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
				return printGroups(c.OutOrStdout(), groups, asJSON)
			})
		},
	}
	f.add(c)
	c.Flags().StringSliceVar(&states, "state", nil, "only groups in this state, such as empty or stable (may be repeated)")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
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

func printGroups(w io.Writer, groups []groupSummary, asJSON bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !asJSON && len(groups) > 0 {
		fmt.Fprintln(table, "GROUP\tSTATE\tPROTOCOL\tCOORDINATOR")
	}
	for _, g := range groups {
		if !asJSON {
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\n", g.Name, g.State, g.Protocol, g.Coordinator)
		} else if err := printJSON(w, g); err != nil {
			return err
		}
	}
	return table.Flush()
}

func groupDescribeCommand() *cobra.Command {
	var f clientFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "describe [GROUP...]",
		Short: "Show members, committed offsets and lag",
		Long: `Show groups, or all groups: their state and members, and for every partition the offset
that is committed, the end of the log, the lag between the two, and who reads it.`,
		Example: "  odradek group describe billing\n  odradek group describe billing --json | jq '[.partitions[].lag] | add'",
		RunE: func(c *cobra.Command, args []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				groups, err := describeGroups(ctx, adm, args)
				for i := range groups {
					var printErr error
					if asJSON {
						printErr = printJSON(c.OutOrStdout(), &groups[i])
					} else {
						if i > 0 {
							fmt.Fprintln(c.OutOrStdout())
						}
						printErr = groups[i].print(c.OutOrStdout())
					}
					if printErr != nil {
						return printErr
					}
				}
				return err
			})
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return c
}

// groupDescription is a group with its members and what it reads.
type groupDescription struct {
	groupSummary
	Assignor   string           `json:"assignor"`
	Epoch      *int32           `json:"epoch,omitempty"` // of groups of KIP-848
	Members    []groupMember    `json:"members"`
	Partitions []groupPartition `json:"partitions"`
}

type groupMember struct {
	ID         string `json:"id"`
	Instance   string `json:"instance,omitempty"`
	Client     string `json:"client"`
	Host       string `json:"host"`
	Partitions int    `json:"partitions"`
}

type groupPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"` // -1 is none
	End       int64  `json:"end"`       // the high watermark
	Lag       int64  `json:"lag"`       // from the start of the log if nothing is committed
	Member    string `json:"member,omitempty"`
}

// describeGroups describes the groups that it can, besides an error about the others.
func describeGroups(ctx context.Context, adm *kadm.Client, names []string) ([]groupDescription, error) {
	listed, err := listGroups(ctx, adm, nil)
	if err != nil {
		return nil, err
	}
	var errs []error
	var found []groupDescription
	for _, s := range listed {
		if len(names) > 0 && !slices.Contains(names, s.Name) {
			continue
		}
		d, err := describeGroup(ctx, adm, s)
		if err != nil {
			errs = append(errs, explain("group "+s.Name, err, ""))
			continue
		}
		found = append(found, *d)
	}
	for _, name := range names {
		if !slices.ContainsFunc(listed, func(s groupSummary) bool { return s.Name == name }) {
			errs = append(errs, fmt.Errorf("group %s: there is no such group; odradek group list shows what there is", name))
		}
	}
	return found, errors.Join(errs...)
}

func describeGroup(ctx context.Context, adm *kadm.Client, s groupSummary) (*groupDescription, error) {
	d := &groupDescription{groupSummary: s, Members: []groupMember{}, Partitions: []groupPartition{}}
	owners := make(map[string]map[int32]string)
	add := func(m groupMember, instance *string, has kadm.TopicsSet) {
		if instance != nil {
			m.Instance = *instance
		}
		for topic, partitions := range has {
			if owners[topic] == nil {
				owners[topic] = make(map[int32]string)
			}
			for p := range partitions {
				owners[topic][p] = m.ID
				m.Partitions++
			}
		}
		d.Members = append(d.Members, m)
	}
	if s.Protocol == "consumer" {
		all, err := adm.DescribeConsumerGroups(ctx, s.Name)
		g := all[s.Name]
		if err := cmp.Or(err, g.Err); err != nil {
			return nil, err
		}
		d.State, d.Assignor, d.Epoch = g.State, g.AssignorName, &g.Epoch
		for _, m := range g.Members {
			add(groupMember{ID: m.MemberID, Client: m.ClientID, Host: m.ClientHost}, m.InstanceID, m.Assignment)
		}
	} else {
		all, err := adm.DescribeGroups(ctx, s.Name)
		g := all[s.Name]
		if err := cmp.Or(err, g.Err); err != nil {
			return nil, err
		}
		d.State, d.Assignor = g.State, g.Protocol
		for _, m := range g.Members {
			has := make(kadm.TopicsSet)
			if a, ok := m.Assigned.AsConsumer(); ok {
				for _, t := range a.Topics {
					has.Add(t.Topic, t.Partitions...)
				}
			}
			add(groupMember{ID: m.MemberID, Client: m.ClientID, Host: m.ClientHost}, m.InstanceID, has)
		}
	}
	return d, d.offsets(ctx, adm, owners)
}

// offsets fills in what is committed and how far the logs go, of every partition that
// has a committed offset or an owner.
func (d *groupDescription) offsets(ctx context.Context, adm *kadm.Client, owners map[string]map[int32]string) error {
	committed, err := adm.FetchOffsets(ctx, d.Name)
	if err != nil {
		return err
	}
	at := make(map[string]map[int32]int64)
	note := func(topic string, partition int32, offset int64) {
		if at[topic] == nil {
			at[topic] = make(map[int32]int64)
		}
		at[topic][partition] = offset
	}
	for topic, partitions := range owners {
		for p := range partitions {
			note(topic, p, -1)
		}
	}
	var failed error
	committed.Each(func(o kadm.OffsetResponse) {
		failed = cmp.Or(failed, o.Err)
		note(o.Topic, o.Partition, o.At)
	})
	if failed != nil || len(at) == 0 {
		return failed
	}
	start, err := listOffsets(ctx, func() (kadm.ListedOffsets, error) { return adm.ListStartOffsets(ctx, sortedKeys(at)...) })
	if err != nil {
		return err
	}
	end, err := listOffsets(ctx, func() (kadm.ListedOffsets, error) { return adm.ListEndOffsets(ctx, sortedKeys(at)...) })
	if err != nil {
		return err
	}
	for topic, partitions := range at {
		for p, offset := range partitions {
			g := groupPartition{Topic: topic, Partition: p, Committed: offset, End: end[topic][p].Offset, Member: owners[topic][p]}
			from := offset
			if from < 0 {
				from = start[topic][p].Offset
			}
			g.Lag = max(g.End-from, 0)
			d.Partitions = append(d.Partitions, g)
		}
	}
	slices.SortFunc(d.Partitions, func(a, b groupPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return nil
}

func (d *groupDescription) print(w io.Writer) error {
	var lag int64
	for _, p := range d.Partitions {
		lag += p.Lag
	}
	assignor := ""
	if d.Assignor != "" {
		assignor = ", assignor " + d.Assignor
	}
	fmt.Fprintf(w, "%s: %s, %s protocol%s, %s, coordinator %d, lag %d\n",
		d.Name, d.State, d.Protocol, assignor, counted(len(d.Members), "member"), d.Coordinator, lag)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(d.Members) > 0 {
		fmt.Fprintln(table, "  MEMBER\tINSTANCE\tCLIENT\tHOST\tPARTITIONS")
		for _, m := range d.Members {
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%d\n", m.ID, orDash(m.Instance), orDash(m.Client), m.Host, m.Partitions)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if len(d.Partitions) > 0 {
		fmt.Fprintln(table, "  TOPIC\tPARTITION\tCOMMITTED\tEND\tLAG\tMEMBER")
		for _, p := range d.Partitions {
			committed := "-"
			if p.Committed >= 0 {
				committed = fmt.Sprint(p.Committed)
			}
			fmt.Fprintf(table, "  %s\t%d\t%s\t%d\t%d\t%s\n", p.Topic, p.Partition, committed, p.End, p.Lag, orDash(p.Member))
		}
	}
	return table.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
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
