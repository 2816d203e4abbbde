package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"odradek/broker/metadata"
	"odradek/broker/wire"
)

func cluster(racks ...string) []*metadata.Broker {
	var brokers []*metadata.Broker
	for i, rack := range racks {
		brokers = append(brokers, &metadata.Broker{ID: wire.NodeID(i), Rack: rack})
	}
	return brokers
}

func TestReplicasSpreadOverRacks(t *testing.T) {
	brokers := cluster("a", "a", "b", "b", "c", "c")
	pl := newPlacer(brokers, rand.New(rand.NewPCG(1, 1)))
	for i := range 60 {
		racks := make(map[string]bool)
		replicas := pl.place(3)
		for _, id := range replicas {
			racks[brokers[id].Rack] = true
		}
		if len(racks) != 3 {
			t.Errorf("partition %d: replicas %v are on %d racks", i, replicas, len(racks))
		}
	}
}

func TestLeadersAndTheirSuccessorsAreSpread(t *testing.T) {
	pl := newPlacer(cluster("", "", "", "", ""), rand.New(rand.NewPCG(1, 1)))
	leads, pairs := make(map[wire.NodeID]int), make(map[string]bool)
	for range 100 {
		replicas := pl.place(2)
		leads[replicas[0]]++
		pairs[fmt.Sprint(replicas)] = true
	}
	for id, n := range leads {
		if n != 20 {
			t.Errorf("broker %d leads %d of 100 partitions, not 20", id, n)
		}
	}
	if len(pairs) < 15 { // of 20
		t.Errorf("only %d different pairs of replicas", len(pairs))
	}
}

func TestFencedBrokersAreALastResort(t *testing.T) {
	brokers := cluster("a", "a", "b", "b")
	brokers[1].Fenced, brokers[2].Fenced = true, true
	pl := newPlacer(brokers, rand.New(rand.NewPCG(1, 1)))
	for range 20 {
		if got := slices.Sorted(slices.Values(pl.place(2))); !slices.Equal(got, []wire.NodeID{0, 3}) {
			t.Errorf("two replicas on %v", got)
		}
		if got := pl.place(4); brokers[got[0]].Fenced {
			t.Errorf("a fenced broker is first in %v", got)
		}
	}
	brokers[3].InControlledShutdown = true
	if bad := newPlacer(brokers, rand.New(rand.NewPCG(1, 1))).check(4); bad == nil {
		t.Error("a broker that is stopping was counted")
	}
}

func TestAnyClusterGetsDistinctReplicas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		brokers := cluster(rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b", "c"}), 1, 8).Draw(t, "racks")...)
		for _, b := range brokers {
			b.Fenced = rapid.Bool().Draw(t, "fenced")
		}
		pl := newPlacer(brokers, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
		replicas := rapid.IntRange(1, len(brokers)).Draw(t, "replicas")
		if pl.check(replicas) != nil {
			if slices.ContainsFunc(brokers, func(b *metadata.Broker) bool { return !b.Fenced }) {
				t.Fatal("a cluster with enough brokers was refused")
			}
			return
		}
		for range 20 {
			got := pl.place(replicas)
			sorted := slices.Sorted(slices.Values(got))
			if len(got) != replicas || len(slices.Compact(sorted)) != replicas {
				t.Fatalf("%d replicas: %v", replicas, got)
			}
			if brokers[got[0]].Fenced {
				t.Fatalf("a fenced broker is first in %v", got)
			}
			live := 0
			for _, b := range brokers {
				if !b.Fenced {
					live++
				}
			}
			for i, id := range got {
				if i < min(replicas, live) && oneRack(brokers) && brokers[id].Fenced {
					t.Fatalf("fenced broker %d before live ones in %v", id, got)
				}
			}
		}
	})
}

func oneRack(brokers []*metadata.Broker) bool {
	return !slices.ContainsFunc(brokers, func(b *metadata.Broker) bool { return b.Rack != brokers[0].Rack })
}
