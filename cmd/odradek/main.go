package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// finding is a result that is not an error of the program: the command has printed it,
// and the exit code tells.
var errFinding = errors.New("finding")

func main() {
	root := &cobra.Command{
		Use:   "odradek",
		Short: "A Kafka-compatible broker that can be simulated, broken and replayed from one seed",
		Long: `Odradek is a Kafka-compatible broker whose complete logic runs unchanged in a
deterministic simulation and for real.

  odradek run --seed 7        simulate a cluster under faults and judge it
  odradek hunt --count 1000   do that for many seeds
  odradek serve --data DIR    run the broker for ordinary Kafka clients
  odradek bench run smoke     measure it
  odradek topic list          see and change topics
  odradek produce TOPIC       send lines of standard input
  odradek consume TOPIC       print records
  odradek group list          see groups, set their offsets
  odradek txn list            see transactions, end those that hang
  odradek reassign            move partitions to other brokers
  odradek broker list         see brokers, forget those that are gone
  odradek config describe     see and change configs of brokers, topics, groups
  odradek feature list        see and change feature levels`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(wrongFlag)
	addCommands(root)
	switch err := root.Execute(); {
	case err == nil:
	case errors.Is(err, errFinding):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "odradek:", err)
		os.Exit(2)
	}
}

func addCommands(root *cobra.Command) {
	root.AddCommand(runCommand(), huntCommand(), repeatCommand())
	root.AddCommand(serveCommand(), benchCommand())
	root.AddCommand(topicCommand(), produceCommand(), consumeCommand(), groupCommand(), txnCommand())
	root.AddCommand(reassignCommand(), featureCommand(), brokerCommand(), configCommand())
}
