package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func reassignCommand() *cobra.Command {
	c := family(&cobra.Command{
		Use:   "reassign",
		Short: "Move partitions to other brokers",
		Long: `Move partitions to other brokers while they are in use (KIP-455): new replicas copy the
log, enter the ISR, and then the old ones leave.

A move is planned, looked at, carried out and watched:

  odradek reassign plan --brokers 1,2,3,4 --out plan.json
  odradek reassign execute plan.json --throttle 50000000 --wait
  odradek reassign status`,
	}, reassignPlanCommand(), reassignExecuteCommand(), reassignStatusCommand(), reassignCancelCommand(), reassignUnthrottleCommand())
	unknown := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if err := unknown(c, args); err == nil || len(c.SuggestionsFor(args[0])) > 0 {
			return err
		}
		return fmt.Errorf("there is no command %q; to move a topic: odradek reassign plan --topic %s --brokers ID,... --out plan.json, then odradek reassign execute plan.json",
			c.CommandPath()+" "+args[0], args[0])
	}
	return c
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
	return alterAssignments(ctx, adm, req, "moving")
}

// alterAssignments has the cluster move partitions, or stop moving them.
func alterAssignments(ctx context.Context, adm *kadm.Client, req kadm.AlterPartitionAssignmentsReq, doing string) error {
	answers, err := adm.AlterPartitionAssignments(ctx, req)
	if err != nil {
		return explain(doing+" partitions", err, "")
	}
	var errs []error
	for _, a := range answers.Sorted() {
		if !errors.Is(a.Err, kerr.NoReassignmentInProgress) { // what should stop has just arrived
			errs = append(errs, explain(fmt.Sprintf("%s %s-%d", doing, a.Topic, a.Partition), a.Err, a.ErrMessage))
		}
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

var moveTable = table[move]{"TOPIC\tPARTITION\tREPLICAS\tADDING\tREMOVING", func(m move) []any {
	return []any{m.Topic, m.Partition, ids(m.Replicas), ids(m.Adding), ids(m.Removing)}
}}

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
	var f listFlags
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
				err = moveTable.show(c, f.asJSON, moves, "nothing is being moved")
				if err == nil && len(moves) > 0 {
					return errFinding
				}
				return err
			})
		},
	}
	f.add(c)
	return c
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
				if err := alterAssignments(ctx, adm, req, "cancelling the move of"); err != nil {
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

// sortedKeys are the keys of a map, sorted.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
