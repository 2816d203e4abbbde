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

func brokerCommand() *cobra.Command {
	return family(&cobra.Command{Use: "broker", Short: "See brokers, forget those that are gone"},
		brokerListCommand(), brokerUnregisterCommand())
}

// brokerSummary is a broker on one line.
type brokerSummary struct {
	ID         int32  `json:"id"`
	Address    string `json:"address"`
	Rack       string `json:"rack,omitempty"`
	State      string `json:"state"` // up, or fenced
	Controller bool   `json:"controller"`
	Leads      int    `json:"leads"`    // partitions
	Replicas   int    `json:"replicas"` // partitions
}

var brokerTable = table[brokerSummary]{"BROKER\tADDRESS\tRACK\tSTATE\tLEADS\tREPLICAS\t", func(b brokerSummary) []any {
	role := ""
	if b.Controller {
		role = "controller"
	}
	return []any{b.ID, b.Address, orDash(b.Rack), b.State, b.Leads, b.Replicas, role}
}}

func brokerListCommand() *cobra.Command {
	var f listFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List brokers, also those that are down",
		Long: `List the brokers that are registered. One that is fenced does not report to the
controller: it is down, starting, or cut off.`,
		Example: "  odradek broker list",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.request(func(ctx context.Context, cl *kgo.Client) error {
				brokers, err := listBrokers(ctx, cl)
				if err != nil {
					return err
				}
				return brokerTable.show(c, f.asJSON, brokers, "no brokers")
			})
		},
	}
	f.add(c)
	return c
}

// listBrokers is the registered brokers by id, with what they have.
func listBrokers(ctx context.Context, cl *kgo.Client) ([]brokerSummary, error) {
	req := kmsg.NewPtrDescribeClusterRequest()
	req.IncludeFencedBrokers = true // which the admin client does not ask for
	resp, err := req.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return nil, explain("listing brokers", err, "")
	}
	leads, replicas, err := partitionCounts(ctx, cl)
	if err != nil {
		return nil, err
	}
	var brokers []brokerSummary
	for _, b := range resp.Brokers {
		s := brokerSummary{
			ID: b.NodeID, Address: fmt.Sprintf("%s:%d", b.Host, b.Port), State: "up", Controller: b.NodeID == resp.ControllerID,
			Leads: leads[b.NodeID], Replicas: replicas[b.NodeID],
		}
		if b.Rack != nil {
			s.Rack = *b.Rack
		}
		if b.IsFenced {
			s.State = "fenced"
		}
		brokers = append(brokers, s)
	}
	slices.SortFunc(brokers, func(a, b brokerSummary) int { return int(a.ID) - int(b.ID) })
	return brokers, nil
}

// partitionCounts counts the partitions that each broker leads and has a replica of.
func partitionCounts(ctx context.Context, cl *kgo.Client) (leads, replicas map[int32]int, err error) {
	topics, err := kadm.NewClient(cl).ListTopicsWithInternal(ctx)
	if err != nil {
		return nil, nil, explain("listing topics", err, "")
	}
	leads, replicas = make(map[int32]int), make(map[int32]int)
	topics.EachPartition(func(p kadm.PartitionDetail) {
		leads[p.Leader]++
		for _, id := range p.Replicas {
			replicas[id]++
		}
	})
	return leads, replicas, nil
}

func brokerUnregisterCommand() *cobra.Command {
	var f clientFlags
	var force bool
	c := &cobra.Command{
		Use:   "unregister ID",
		Short: "Have the cluster forget a broker for good",
		Long: `Have the cluster forget a broker that was stopped and will not come back. Move its
partitions elsewhere first (odradek reassign): what only it has is lost with it. If it is
started again all the same, it registers as a new broker.`,
		Example: "  odradek broker unregister 4",
		Args:    exactlyOne("broker id"),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 32)
			if err != nil || id < 0 {
				return fmt.Errorf("%s: want the id of a broker; odradek broker list shows them", args[0])
			}
			return f.request(func(ctx context.Context, cl *kgo.Client) error {
				if !force {
					if err := mayForget(ctx, cl, int32(id)); err != nil {
						return err
					}
				}
				req := kmsg.NewPtrUnregisterBrokerRequest()
				req.BrokerID = int32(id)
				resp, err := req.RequestWith(ctx, cl)
				if err != nil {
					return explain(fmt.Sprintf("unregistering broker %d", id), err, "")
				}
				switch err := kerr.ErrorForCode(resp.ErrorCode); {
				case errors.Is(err, kerr.BrokerIDNotRegistered):
					return unknownBroker(int32(id))
				case err != nil:
					return explain(fmt.Sprintf("unregistering broker %d", id), err, said(resp.ErrorMessage))
				}
				fmt.Fprintf(c.OutOrStdout(), "broker %d is forgotten\n", id)
				return nil
			})
		},
	}
	f.add(c)
	c.Flags().BoolVar(&force, "force", false, "also a broker that is up or has replicas")
	return c
}

// mayForget refuses to forget a broker that is still of use.
func mayForget(ctx context.Context, cl *kgo.Client, id int32) error {
	brokers, err := listBrokers(ctx, cl)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(brokers, func(b brokerSummary) bool { return b.ID == id })
	switch {
	case i < 0:
		return unknownBroker(id)
	case brokers[i].State == "up":
		return fmt.Errorf("broker %d is up; stop it first (--force unregisters it all the same)", id)
	case brokers[i].Replicas > 0:
		return fmt.Errorf("broker %d has replicas of %s; move them first, with odradek reassign (--force leaves them behind)",
			id, counted(brokers[i].Replicas, "partition"))
	}
	return nil
}

func unknownBroker(id int32) error {
	return fmt.Errorf("there is no broker %d; odradek broker list shows those that are registered", id)
}

// said is what a broker said about an error, if anything.
func said(message *string) string {
	if message == nil {
		return ""
	}
	return *message
}
