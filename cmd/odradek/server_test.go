package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odradek/broker/env"
)

// Three nodes in this process, so that the race detector sees them: one is cut off as a
// crash would, the others go on, and it comes back.
func TestThreeNodesOneOfWhichCrashes(t *testing.T) {
	t.Parallel()
	f := serveFlags{data: t.TempDir(), listen: freePorts(t, 3), nodeID: 1, brokers: 3, roles: allRoles,
		set: []string{"broker.session.timeout.ms=3000", "broker.heartbeat.interval.ms=300"}}
	configs, err := nodeConfigs(f, func(string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	start := func(i int) *server {
		s, err := startServer(configs[i], nil, env.Error)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.close() })
		return s
	}
	running := func(s *server) {
		t.Helper()
		select {
		case <-s.running:
		case err := <-s.failed:
			t.Fatal(err)
		case <-time.After(time.Minute):
			t.Fatal("a node did not join")
		}
	}
	var nodes []*server
	for i := range configs {
		nodes = append(nodes, start(i))
	}
	var addrs []string
	for _, s := range nodes {
		running(s)
		addrs = append(addrs, <-s.ready)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.DefaultProduceTopic("t"), kgo.MetadataMinAge(50*time.Millisecond),
		kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, 3, 3, nil, "t"); err != nil {
		t.Fatal(err)
	}
	sent := make(map[string]bool)
	produce := func(when string) {
		t.Helper()
		for i := range 200 {
			v := fmt.Sprintf("%s-%d", when, i)
			sent[v] = true
			cl.Produce(ctx, kgo.StringRecord(v), func(_ *kgo.Record, err error) {
				if err != nil {
					t.Errorf("%s: %v", v, err)
				}
			})
		}
		if err := cl.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	produce("before")
	if err := nodes[0].close(); err != nil {
		t.Fatal(err)
	}
	produce("during")
	nodes[0] = start(0)
	running(nodes[0])
	produce("after")
	for len(sent) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d records are missing: %v", len(sent), err)
		}
		fetches.EachRecord(func(r *kgo.Record) { delete(sent, string(r.Value)) })
	}
	for i, s := range nodes {
		if err := <-s.stop(i < len(nodes)-1); err != nil {
			t.Errorf("stopping node %d: %v", i+1, err)
		}
	}
}

// freePorts is the address of the first of n ports in a row that were free a moment ago.
func freePorts(t *testing.T, n int) string {
	t.Helper()
search:
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close()
		_, text, _ := strings.Cut(first.Addr().String(), ":")
		port, _ := strconv.Atoi(text)
		for i := 1; i < n; i++ {
			l, err := net.Listen("tcp", joinPort("127.0.0.1", port+i))
			if err != nil {
				continue search
			}
			defer l.Close()
		}
		return first.Addr().String()
	}
	t.Fatal("no free ports in a row")
	return ""
}
