package usertest

import (
	"fmt"
	"testing"

	"odradek/sim/fault"
	"odradek/sim/harness"
	"odradek/sim/simtest"
	"odradek/workloads"
	"odradek/workloads/client/producer"
)

// Everything but power loss: records are not flushed before they are acknowledged, so
// several brokers without power together may lose some, and rightly so.
var kinds = []fault.Kind{fault.ProcessCrash, fault.Restart, fault.Pause, fault.Partition, fault.Cut, fault.SlowLink, fault.Reset}

func TestLedgerSurvivesFaults(t *testing.T) {
	profile := harness.DefaultProfile()
	profile.Kinds = kinds
	profile.Nodes = 3
	simtest.Run(t, simtest.Config{
		Seeds:    4,
		Profile:  &profile,
		Workload: func(uint64) workloads.Workload { return newLedger(4, producer.AcksAll) },
		Plan: func(p *fault.Plan) {
			p.Cluster.Config["min.insync.replicas"] = "2"
			p.Cluster.Config["replica.lag.time.max.ms"] = "1000"
		},
		// A run in which nothing was at stake would prove nothing.
		Check: func(r *harness.Result) error {
			if r.Reached["isr-shrunk"] == 0 {
				return fmt.Errorf("no replica ever fell behind")
			}
			return nil
		},
	})
}

// With acks=1 an acknowledgement promises less, and the ledger must notice. Here the
// runs are made one by one, without simtest.
func TestLedgerNoticesLostEntries(t *testing.T) {
	for seed := range uint64(20) {
		profile := harness.DefaultProfile()
		profile.Kinds = kinds
		res, err := harness.Run(fault.Draw(seed, profile), harness.Options{Workload: newLedger(4, producer.AcksLeader)})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range res.Anomalies {
			if a.Name == "lost-entry" {
				return
			}
			t.Errorf("seed %d: %v", seed, a)
		}
	}
	t.Error("acks=1 lost nothing in 20 runs")
}
