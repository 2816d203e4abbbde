package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func reassignCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "reassign",
		Short: "Move partitions to other brokers",
		Long: `Move partitions to other brokers while they are in use (KIP-455): new replicas copy the
log, enter the ISR, and then the old ones leave.

A move is planned, looked at, carried out and watched:

  odradek reassign plan --brokers 1,2,3,4 > plan.json
  odradek reassign execute plan.json --throttle 50000000 --wait
  odradek reassign status`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(reassignPlanCommand(), reassignExecuteCommand(), reassignStatusCommand(), reassignCancelCommand(), reassignUnthrottleCommand())
	return c
}

func reassignPlanCommand() *cobra.Command {
	var f clientFlags
	var topics []string
	var brokers []int32
	c := &cobra.Command{
		Use:   "plan",
		Short: "Write a plan that spreads partitions over the given brokers",
		Long: `Write a plan to standard output, as JSON that kafka-reassign-partitions.sh reads, too.
Replicas stay where they are if they may; the others go where there are fewest. The
replication factors stay. Edit it, or write one by hand: the first replica is the
preferred leader.`,
		Example: "  odradek reassign plan --brokers 1,2,3,4 > plan.json\n  odradek reassign plan --topic orders --brokers 2,3,4 > plan.json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				m, err := adm.Metadata(ctx, topics...)
				if err != nil {
					return explain("listing topics", err, "")
				}
				alive := m.Brokers.NodeIDs()
				if len(brokers) == 0 {
					brokers = alive
				}
				for _, id := range brokers {
					if !slices.Contains(alive, id) {
						return fmt.Errorf("--brokers %d: no such broker is alive; there are %s", id, ids(alive))
					}
				}
				now, err := placement(m)
				if err != nil {
					return err
				}
				plan, err := spread(now, slices.Compact(slices.Sorted(slices.Values(brokers))))
				if err != nil {
					return err
				}
				return printJSON(c.OutOrStdout(), plan)
			})
		},
	}
	f.add(c)
	c.Flags().StringArrayVar(&topics, "topic", nil, "a topic to move (may be repeated; default: all)")
	c.Flags().Int32SliceVar(&brokers, "brokers", nil, "brokers that shall have replicas (default: all that are alive)")
	return c
}

func placement(m kadm.Metadata) ([]placed, error) {
	var now []placed
	for _, t := range m.Topics.Sorted() {
		if t.Err != nil {
			return nil, explain("topic "+t.Topic, t.Err, "")
		}
		for _, p := range t.Partitions.Sorted() {
			now = append(now, placed{t.Topic, p.Partition, p.Replicas})
		}
	}
	return now, nil
}

func reassignExecuteCommand() *cobra.Command {
	var f clientFlags
	var throttle int64
	var wait bool
	c := &cobra.Command{
		Use:   "execute FILE",
		Short: "Carry out a plan",
		Long: `Have the cluster carry out a plan, and return when it has begun, or with --wait when it
is done. With --throttle every broker copies at most that many bytes a second to or from
new replicas; --wait takes the throttle back at the end, otherwise odradek reassign
unthrottle does.`,
		Example: "  odradek reassign execute plan.json --throttle 50000000 --wait",
		Args:    exactlyOne("file"),
		RunE: func(c *cobra.Command, args []string) error {
			plan, err := readReassignment(args[0], c.InOrStdin())
			if err != nil {
				return err
			}
			if throttle < 0 {
				return fmt.Errorf("--throttle %d: want bytes per second", throttle)
			}
			err = f.ask(func(ctx context.Context, adm *kadm.Client) error {
				if throttle > 0 {
					if err := throttleMoves(ctx, adm, plan, throttle); err != nil {
						return err
					}
				}
				return execute(ctx, adm, plan)
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "moving %s\n", counted(len(plan.Partitions), "partition"))
			if !wait {
				return nil
			}
			if err := awaitMoves(f, c.ErrOrStderr(), plan); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "done")
			if throttle > 0 {
				return f.ask(func(ctx context.Context, adm *kadm.Client) error { return unthrottle(ctx, adm, io.Discard) })
			}
			return nil
		},
	}
	f.add(c)
	c.Flags().Int64Var(&throttle, "throttle", 0, "bytes per second that each broker may spend on it (default: no limit)")
	c.Flags().BoolVar(&wait, "wait", false, "return when everything has moved")
	return c
}

func execute(ctx context.Context, adm *kadm.Client, plan *reassignment) error {
	var req kadm.AlterPartitionAssignmentsReq
	for i := range plan.Partitions {
		p := &plan.Partitions[i]
		req.Assign(p.Topic, p.Partition, p.Replicas)
	}
	answers, err := adm.AlterPartitionAssignments(ctx, req)
	if err != nil {
		return explain("moving partitions", err, "")
	}
	var errs []error
	for _, a := range answers.Sorted() {
		errs = append(errs, explain(fmt.Sprintf("moving %s-%d", a.Topic, a.Partition), a.Err, a.ErrMessage))
	}
	return errors.Join(errs...)
}

// Names of the configs of KIP-73.
const (
	leaderRate       = "leader.replication.throttled.rate"
	followerRate     = "follower.replication.throttled.rate"
	leaderReplicas   = "leader.replication.throttled.replicas"
	followerReplicas = "follower.replication.throttled.replicas"
)

// throttleMoves throttles what a plan copies: on the leaders what leaves any replica of
// today, on the followers what the new ones get.
func throttleMoves(ctx context.Context, adm *kadm.Client, plan *reassignment, rate int64) error {
	topics := make(map[string]bool)
	for _, p := range plan.Partitions {
		topics[p.Topic] = true
	}
	m, err := adm.Metadata(ctx, sortedKeys(topics)...)
	if err != nil {
		return explain("listing topics", err, "")
	}
	from, to := make(map[string][]string), make(map[string][]string)
	for _, p := range plan.Partitions {
		today := m.Topics[p.Topic].Partitions[p.Partition].Replicas
		for _, id := range today {
			from[p.Topic] = append(from[p.Topic], fmt.Sprintf("%d:%d", p.Partition, id))
		}
		for _, id := range p.Replicas {
			if !slices.Contains(today, id) {
				to[p.Topic] = append(to[p.Topic], fmt.Sprintf("%d:%d", p.Partition, id))
			}
		}
	}
	set := func(name, value string) kadm.AlterConfig {
		return kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value}
	}
	for _, topic := range sortedKeys(topics) {
		changes := []kadm.AlterConfig{set(leaderReplicas, strings.Join(from[topic], ",")), set(followerReplicas, strings.Join(to[topic], ","))}
		if err := alterTopicConfigs(ctx, adm, changes, topic); err != nil {
			return err
		}
	}
	text := strconv.FormatInt(rate, 10)
	if err := alterAllBrokers(ctx, adm, set(leaderRate, text), set(followerRate, text)); err != nil {
		return err
	}
	return awaitThrottle(ctx, adm, m.Brokers.NodeIDs(), text)
}

// awaitThrottle waits until every broker knows of the throttle: the move would begin
// without it otherwise. The rates are the last that was changed.
func awaitThrottle(ctx context.Context, adm *kadm.Client, brokers []int32, rate string) error {
	for {
		all, err := adm.DescribeBrokerConfigs(ctx, brokers...)
		if err != nil {
			return explain("waiting for the throttle to take effect", err, "")
		}
		ready := 0
		for _, r := range all {
			if slices.ContainsFunc(r.Configs, func(c kadm.Config) bool { return c.Key == followerRate && c.MaybeValue() == rate }) {
				ready++
			}
		}
		if ready == len(brokers) {
			return nil
		}
		select {
		case <-ctx.Done():
			return explain("waiting for the throttle to take effect", ctx.Err(), "")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// alterAllBrokers changes configs of all brokers.
func alterAllBrokers(ctx context.Context, adm *kadm.Client, changes ...kadm.AlterConfig) error {
	answers, err := adm.AlterBrokerConfigs(ctx, changes)
	if err != nil {
		return explain("changing configs of the brokers", err, "")
	}
	var errs []error
	for _, a := range answers {
		errs = append(errs, explain("changing configs of the brokers", a.Err, a.ErrMessage))
	}
	return errors.Join(errs...)
}

// awaitMoves waits until none of a plan's partitions is being moved any more.
func awaitMoves(f clientFlags, progress io.Writer, plan *reassignment) error {
	interrupted, stop := interruptible()
	defer stop()
	names := make(map[string]bool)
	for i := range plan.Partitions {
		names[plan.Partitions[i].name()] = true
	}
	for {
		left := 0
		err := f.ask(func(ctx context.Context, adm *kadm.Client) error {
			moves, err := ongoing(ctx, adm)
			for _, m := range moves {
				if names[fmt.Sprintf("%s-%d", m.Topic, m.Partition)] {
					left++
				}
			}
			return err
		})
		if interrupted.Err() != nil {
			return errors.New("interrupted; the cluster goes on moving, odradek reassign status shows it, and odradek reassign cancel ends it")
		}
		if isTerminal(progress) {
			fmt.Fprint(progress, clearLine)
			if left > 0 {
				fmt.Fprintf(progress, "%d of %s still moving", left, counted(len(names), "partition"))
			}
		}
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-interrupted.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// move is a partition that is being moved.
type move struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Replicas  []int32 `json:"replicas"`
	Adding    []int32 `json:"adding"`
	Removing  []int32 `json:"removing"`
}

func ongoing(ctx context.Context, adm *kadm.Client) ([]move, error) {
	topics, err := adm.ListTopicsWithInternal(ctx)
	if err != nil {
		return nil, explain("listing topics", err, "")
	}
	answers, err := adm.ListPartitionReassignments(ctx, topics.TopicsSet()) // of no topics it lists nothing
	if err != nil {
		return nil, explain("listing what moves", err, "")
	}
	var moves []move
	for _, a := range answers.Sorted() {
		moves = append(moves, move{a.Topic, a.Partition, notNil(a.Replicas), notNil(a.AddingReplicas), notNil(a.RemovingReplicas)})
	}
	return moves, nil
}

func reassignStatusCommand() *cobra.Command {
	var f clientFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what is being moved",
		Long: `Show the partitions that are being moved: their replicas, those that are new, and those
that will leave. The exit code is 0 when nothing is, 1 when something is.`,
		Example: "  odradek reassign status\n  until odradek reassign status > /dev/null; do sleep 5; done",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				moves, err := ongoing(ctx, adm)
				if err != nil {
					return err
				}
				if err := printMoves(c.OutOrStdout(), moves, asJSON); err != nil {
					return err
				}
				if len(moves) > 0 {
					return errFinding
				}
				if !asJSON {
					fmt.Fprintln(c.OutOrStdout(), "nothing is being moved")
				}
				return nil
			})
		},
	}
	f.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return c
}

func printMoves(w io.Writer, moves []move, asJSON bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if !asJSON && len(moves) > 0 {
		fmt.Fprintln(table, "TOPIC\tPARTITION\tREPLICAS\tADDING\tREMOVING")
	}
	for _, m := range moves {
		if !asJSON {
			fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\n", m.Topic, m.Partition, ids(m.Replicas), ids(m.Adding), ids(m.Removing))
		} else if err := printJSON(w, m); err != nil {
			return err
		}
	}
	return table.Flush()
}

func reassignCancelCommand() *cobra.Command {
	var f clientFlags
	var topics []string
	c := &cobra.Command{
		Use:     "cancel",
		Short:   "Stop moving and go back to the replicas before",
		Example: "  odradek reassign cancel\n  odradek reassign cancel --topic orders",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				moves, err := ongoing(ctx, adm)
				if err != nil {
					return err
				}
				var req kadm.AlterPartitionAssignmentsReq
				n := 0
				for _, m := range moves {
					if len(topics) == 0 || slices.Contains(topics, m.Topic) {
						req.CancelAssign(m.Topic, m.Partition)
						n++
					}
				}
				if n == 0 {
					fmt.Fprintln(c.OutOrStdout(), "nothing is being moved")
					return nil
				}
				answers, err := adm.AlterPartitionAssignments(ctx, req)
				if err != nil {
					return explain("cancelling", err, "")
				}
				var errs []error
				for _, a := range answers.Sorted() {
					if !errors.Is(a.Err, kerr.NoReassignmentInProgress) { // it has just arrived
						errs = append(errs, explain(fmt.Sprintf("cancelling the move of %s-%d", a.Topic, a.Partition), a.Err, a.ErrMessage))
					}
				}
				if err := errors.Join(errs...); err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "cancelled the move of %s\n", counted(n, "partition"))
				return nil
			})
		},
	}
	f.add(c)
	c.Flags().StringArrayVar(&topics, "topic", nil, "only this topic's partitions (may be repeated)")
	return c
}

func reassignUnthrottleCommand() *cobra.Command {
	var f clientFlags
	c := &cobra.Command{
		Use:     "unthrottle",
		Short:   "Take back the throttles of earlier moves",
		Example: "  odradek reassign unthrottle",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error { return unthrottle(ctx, adm, c.OutOrStdout()) })
		},
	}
	f.add(c)
	return c
}

// unthrottle takes the throttles off all topics and brokers.
func unthrottle(ctx context.Context, adm *kadm.Client, w io.Writer) error {
	drop := func(name string) kadm.AlterConfig { return kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name} }
	topics, err := adm.ListTopicsWithInternal(ctx)
	if err != nil {
		return explain("listing topics", err, "")
	}
	configs, err := adm.DescribeTopicConfigs(ctx, topics.Names()...)
	if err != nil {
		return explain("configs", err, "")
	}
	var slow []string
	for _, r := range configs {
		for _, c := range r.Configs {
			if (c.Key == leaderReplicas || c.Key == followerReplicas) && c.MaybeValue() != "" {
				slow = append(slow, r.Name)
			}
		}
	}
	slices.Sort(slow)
	if slow = slices.Compact(slow); len(slow) > 0 {
		if err := alterTopicConfigs(ctx, adm, []kadm.AlterConfig{drop(leaderReplicas), drop(followerReplicas)}, slow...); err != nil {
			return err
		}
	}
	if err := alterAllBrokers(ctx, adm, drop(leaderRate), drop(followerRate)); err != nil {
		return err
	}
	fmt.Fprintf(w, "no throttle is left; %s had one\n", counted(len(slow), "topic"))
	return nil
}

// sortedKeys are the keys of a map, sorted.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
