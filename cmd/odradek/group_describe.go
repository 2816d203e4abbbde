package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

func groupDescribeCommand() *cobra.Command {
	var f listFlags
	c := &cobra.Command{
		Use:   "describe [GROUP...]",
		Short: "Show members, committed offsets and lag",
		Long: `Show groups, or all groups: their state and members, and for every partition of the
topics that they read the offset that is committed, the end of the log, the lag between
the two, and who reads it. Where nothing is committed, the lag counts from the start of
the log, as for a consumer that begins there (auto.offset.reset=earliest).`,
		Example: "  odradek group describe billing\n  odradek group describe billing --json | jq '[.partitions[].lag] | add'",
		RunE: func(c *cobra.Command, args []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				groups, err := describeGroups(ctx, adm, args)
				return showEach(c, f.asJSON, groups, err, "no groups")
			})
		},
	}
	f.add(c)
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
	Start     int64  `json:"start"`     // of the log
	Committed int64  `json:"committed"` // -1 is none
	End       int64  `json:"end"`       // the high watermark
	Lag       int64  `json:"lag"`       // from the start of the log if nothing is committed
	Member    string `json:"member,omitempty"`
}

// describeGroups describes the groups that it can, besides an error about the others.
func describeGroups(ctx context.Context, adm *kadm.Client, names []string) ([]*groupDescription, error) {
	listed, err := listGroups(ctx, adm, nil)
	if err != nil {
		return nil, err
	}
	var errs []error
	var found []*groupDescription
	for _, s := range listed {
		if len(names) > 0 && !slices.Contains(names, s.Name) {
			continue
		}
		d, err := describeGroup(ctx, adm, s)
		if err != nil {
			errs = append(errs, explain("group "+s.Name, err, ""))
			continue
		}
		found = append(found, d)
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

// offsets fills in what is committed and how far the logs go, of every partition of the
// topics of which the group has committed or been given any: also where nothing is
// committed there may be records that it has not seen.
func (d *groupDescription) offsets(ctx context.Context, adm *kadm.Client, owners map[string]map[int32]string) error {
	committed, err := adm.FetchOffsets(ctx, d.Name)
	if err == nil {
		err = committed.Error()
	}
	if err != nil {
		return err
	}
	topics := slices.Compact(slices.Sorted(slices.Values(slices.Concat(sortedKeys(owners), sortedKeys(committed)))))
	if len(topics) == 0 {
		return nil // asking about no topics would be asking about all
	}
	start, end, err := logBounds(ctx, adm, topics...)
	if err != nil {
		return err
	}
	for topic, partitions := range end {
		for p, e := range partitions {
			g := groupPartition{Topic: topic, Partition: p, Start: start[topic][p].Offset, Committed: -1, End: e.Offset, Member: owners[topic][p]}
			from := g.Start
			if o, ok := committed.Lookup(topic, p); ok && o.At >= 0 {
				g.Committed, from = o.At, o.At
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

var groupMemberTable = table[groupMember]{"  MEMBER\tINSTANCE\tCLIENT\tHOST\tPARTITIONS", func(m groupMember) []any {
	return []any{m.ID, orDash(m.Instance), orDash(m.Client), m.Host, m.Partitions}
}}

var groupPartitionTable = table[groupPartition]{"  TOPIC\tPARTITION\tCOMMITTED\tEND\tLAG\tMEMBER", func(p groupPartition) []any {
	return []any{p.Topic, p.Partition, offsetOrDash(p.Committed), p.End, p.Lag, orDash(p.Member)}
}}

func (d *groupDescription) print(w io.Writer) error {
	var lag, uncommitted int64
	for _, p := range d.Partitions {
		lag += p.Lag
		if p.Committed < 0 {
			uncommitted += p.Lag
		}
	}
	text := fmt.Sprintf("%s: %s, %s protocol", d.Name, d.State, d.Protocol)
	if d.Assignor != "" {
		text += ", assignor " + d.Assignor
	}
	text += fmt.Sprintf(", %s, coordinator %d, lag %d", counted(len(d.Members), "member"), d.Coordinator, lag)
	if uncommitted > 0 {
		text += fmt.Sprintf(" (%d of it where nothing is committed)", uncommitted)
	}
	fmt.Fprintln(w, text)
	if len(d.Members) > 0 {
		if err := groupMemberTable.print(w, d.Members); err != nil {
			return err
		}
	}
	if len(d.Partitions) == 0 {
		return nil
	}
	return groupPartitionTable.print(w, d.Partitions)
}
