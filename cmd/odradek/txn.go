package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func txnCommand() *cobra.Command {
	return family(&cobra.Command{Use: "txn", Short: "See transactions, and end those that hang"},
		txnListCommand(), txnDescribeCommand(), txnFindHangingCommand(), txnAbortCommand())
}

// txnSummary is a transactional id on one line.
type txnSummary struct {
	ID          string `json:"id"`
	State       string `json:"state"`
	ProducerID  int64  `json:"producerId"`
	Coordinator int32  `json:"coordinator"`
}

var txnTable = table[txnSummary]{"TRANSACTIONAL ID\tSTATE\tPRODUCER ID\tCOORDINATOR", func(t txnSummary) []any {
	return []any{t.ID, t.State, t.ProducerID, t.Coordinator}
}}

func txnListCommand() *cobra.Command {
	var f listFlags
	var states []string
	c := &cobra.Command{
		Use:     "list",
		Short:   "List transactional ids",
		Example: "  odradek txn list\n  odradek txn list --state Ongoing --json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				all, err := adm.ListTransactions(ctx, nil, states)
				if err != nil {
					return explain("listing transactions", err, "")
				}
				var txns []txnSummary
				for _, t := range all.Sorted() {
					txns = append(txns, txnSummary{t.TxnID, t.State, t.ProducerID, t.Coordinator})
				}
				return txnTable.show(c, f.asJSON, txns, inStates("no transactions", states))
			})
		},
	}
	f.add(c)
	c.Flags().StringSliceVar(&states, "state", nil, "only this state, such as Ongoing or CompleteCommit (may be repeated)")
	return c
}

// txnDescription is a transactional id with its transaction.
type txnDescription struct {
	txnSummary
	ProducerEpoch int16      `json:"producerEpoch"`
	TimeoutMS     int32      `json:"timeoutMs"`
	Started       *time.Time `json:"started,omitempty"`
	Partitions    []string   `json:"partitions"`
}

func txnDescribeCommand() *cobra.Command {
	var f listFlags
	c := &cobra.Command{
		Use:     "describe ID...",
		Short:   "Show the transaction of a transactional id",
		Example: "  odradek txn describe billing-1",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				var all kadm.DescribedTransactions
				err := persist(ctx, func() (err error) {
					all, err = adm.DescribeTransactions(ctx, args...)
					return err
				})
				if err != nil && len(all) == 0 {
					return explain("describing transactions", err, "")
				}
				var found []*txnDescription
				var errs []error
				for _, id := range args {
					switch t, answered := all[id]; {
					case !answered || errors.Is(t.Err, kerr.TransactionalIDNotFound):
						errs = append(errs, fmt.Errorf("there is no transactional id %s; odradek txn list shows what there is", id))
					case t.Err != nil:
						errs = append(errs, explain("transactional id "+id, t.Err, ""))
					default:
						found = append(found, describeTxn(t))
					}
				}
				return showEach(c, f.asJSON, found, errors.Join(errs...), "no transactions")
			})
		},
	}
	f.add(c)
	return c
}

func describeTxn(t kadm.DescribedTransaction) *txnDescription {
	d := &txnDescription{
		txnSummary:    txnSummary{t.TxnID, t.State, t.ProducerID, t.Coordinator},
		ProducerEpoch: t.ProducerEpoch, TimeoutMS: t.TimeoutMillis, Partitions: []string{},
	}
	if t.StartTimestamp > 0 {
		at := time.UnixMilli(t.StartTimestamp).UTC()
		d.Started = &at
	}
	for _, topic := range t.Topics.Sorted() {
		for _, p := range topic.Partitions {
			d.Partitions = append(d.Partitions, fmt.Sprintf("%s-%d", topic.Topic, p))
		}
	}
	return d
}

func (d *txnDescription) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s, producer %d epoch %d, coordinator %d, time-out %v\n",
		d.ID, d.State, d.ProducerID, d.ProducerEpoch, d.Coordinator, time.Duration(d.TimeoutMS)*time.Millisecond)
	if d.Started != nil {
		fmt.Fprintf(w, "  since %s\n", d.Started.Format(time.RFC3339))
	}
	if len(d.Partitions) > 0 {
		fmt.Fprintf(w, "  partitions %s\n", strings.Join(d.Partitions, ", "))
	}
	return nil
}

// openTxn is a transaction that is open in a partition.
type openTxn struct {
	Topic            string    `json:"topic"`
	Partition        int32     `json:"partition"`
	ProducerID       int64     `json:"producerId"`
	ProducerEpoch    int16     `json:"producerEpoch"`
	CoordinatorEpoch int32     `json:"coordinatorEpoch"`
	StartOffset      int64     `json:"startOffset"`
	LastWrite        time.Time `json:"lastWrite"`
	// ID is the transactional id, "" if no coordinator knows the producer.
	ID string `json:"id"`
}

var openTxnTable = table[openTxn]{"TOPIC\tPARTITION\tSTART OFFSET\tPRODUCER ID\tEPOCH\tLAST WRITE\tTRANSACTIONAL ID", func(o openTxn) []any {
	return []any{o.Topic, o.Partition, o.StartOffset, o.ProducerID, o.ProducerEpoch, o.LastWrite.Format(time.RFC3339), orDash(o.ID)}
}}

func txnFindHangingCommand() *cobra.Command {
	var f listFlags
	var topics []string
	var older time.Duration
	c := &cobra.Command{
		Use:   "find-hanging",
		Short: "Find transactions that nobody will end",
		Long: `Find transactions that are open in a partition although no coordinator knows them as
open any more. Readers of committed records wait for them for ever; odradek txn abort
ends one. The exit code is 0 when there are none, 1 when there are.`,
		Example: "  odradek txn find-hanging\n  odradek txn find-hanging --topic orders --older-than 5m",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				hanging, err := findHanging(ctx, adm, topics, time.Now().Add(-older))
				if err != nil {
					return err
				}
				err = openTxnTable.show(c, f.asJSON, hanging, "no hanging transactions")
				if err == nil && len(hanging) > 0 {
					return errFinding
				}
				return err
			})
		},
	}
	f.add(c)
	c.Flags().StringArrayVar(&topics, "topic", nil, "only this topic (may be repeated; default: all)")
	c.Flags().DurationVar(&older, "older-than", 15*time.Minute, "only those that nothing was written to for so long; longer than any transaction may last (transaction.max.timeout.ms)")
	return c
}

// openTransactions lists the transactions that are open in the partitions of topics.
func openTransactions(ctx context.Context, adm *kadm.Client, topics []string) ([]openTxn, error) {
	details, err := adm.ListTopicsWithInternal(ctx, topics...)
	if err == nil {
		err = details.Error()
	}
	if err != nil {
		return nil, explain("listing topics", err, "")
	}
	all, err := adm.DescribeProducers(ctx, details.TopicsSet())
	if err != nil && len(all) == 0 {
		return nil, explain("asking for producers", err, "")
	}
	var open []openTxn
	var failed error
	all.EachPartition(func(p kadm.DescribedProducersPartition) {
		failed = cmp.Or(failed, explain(fmt.Sprintf("%s-%d", p.Topic, p.Partition), p.Err, p.ErrMessage))
	})
	all.EachProducer(func(p kadm.DescribedProducer) {
		if p.CurrentTxnStartOffset >= 0 {
			open = append(open, openTxn{
				Topic: p.Topic, Partition: p.Partition, ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch,
				CoordinatorEpoch: p.CoordinatorEpoch, StartOffset: p.CurrentTxnStartOffset, LastWrite: time.UnixMilli(p.LastTimestamp).UTC(),
			})
		}
	})
	slices.SortFunc(open, func(a, b openTxn) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.StartOffset, b.StartOffset))
	})
	return open, failed
}

// findHanging finds open transactions, last written to before a time, that their
// coordinator does not have as open with that partition in it.
func findHanging(ctx context.Context, adm *kadm.Client, topics []string, before time.Time) ([]openTxn, error) {
	open, err := openTransactions(ctx, adm, topics)
	if err != nil {
		return nil, err
	}
	open = slices.DeleteFunc(open, func(o openTxn) bool { return o.LastWrite.After(before) })
	if len(open) == 0 {
		return nil, nil
	}
	listed, err := adm.ListTransactions(ctx, nil, nil)
	if err != nil {
		return nil, explain("listing transactions", err, "")
	}
	ids := make(map[int64]string)
	for _, t := range listed {
		ids[t.ProducerID] = t.TxnID
	}
	var hanging []openTxn
	for _, o := range open {
		o.ID = ids[o.ProducerID]
		if o.ID != "" {
			described, err := adm.DescribeTransactions(ctx, o.ID)
			t := described[o.ID]
			if err = cmp.Or(err, t.Err); err != nil {
				return nil, explain("transactional id "+o.ID, err, "")
			}
			if _, in := t.Topics[o.Topic][o.Partition]; in && t.ProducerID == o.ProducerID {
				continue // its coordinator will end it
			}
		}
		hanging = append(hanging, o)
	}
	return hanging, nil
}

func txnAbortCommand() *cobra.Command {
	var f clientFlags
	var topic string
	var partition int32
	var offset int64
	c := &cobra.Command{
		Use:   "abort",
		Short: "Abort a transaction in one partition",
		Long: `Abort a transaction in one partition, behind the back of its coordinator. It is named as
odradek txn find-hanging shows it. Aborting a transaction that does not hang tears it.`,
		Example: "  odradek txn abort --topic orders --partition 3 --start-offset 1200",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.ask(func(ctx context.Context, adm *kadm.Client) error {
				open, err := openTransactions(ctx, adm, []string{topic})
				if err != nil {
					return err
				}
				i := slices.IndexFunc(open, func(o openTxn) bool { return o.Partition == partition && o.StartOffset == offset })
				if i < 0 {
					return fmt.Errorf("%s-%d has no open transaction that starts at %d; odradek txn find-hanging --older-than 0s shows those it has", topic, partition, offset)
				}
				o := open[i]
				markers := kadm.TxnMarkers{ProducerID: o.ProducerID, ProducerEpoch: o.ProducerEpoch, CoordinatorEpoch: o.CoordinatorEpoch, Topics: make(kadm.TopicsSet)}
				markers.Topics.Add(topic, partition)
				answers, err := adm.WriteTxnMarkers(ctx, markers)
				if err == nil {
					answers.EachPartition(func(p kadm.TxnMarkersPartitionResponse) { err = cmp.Or(err, p.Err) })
				}
				if err != nil {
					return explain(fmt.Sprintf("aborting in %s-%d", topic, partition), err, "")
				}
				fmt.Fprintf(c.OutOrStdout(), "aborted the transaction of producer %d in %s-%d\n", o.ProducerID, topic, partition)
				return nil
			})
		},
	}
	f.add(c)
	c.Flags().StringVar(&topic, "topic", "", "the topic")
	c.Flags().Int32Var(&partition, "partition", 0, "the partition")
	c.Flags().Int64Var(&offset, "start-offset", 0, "where the transaction starts in it")
	for _, name := range []string{"topic", "partition", "start-offset"} {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return c
}
