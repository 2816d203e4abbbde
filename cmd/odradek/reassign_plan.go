package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

func reassignPlanCommand() *cobra.Command {
	var f clientFlags
	var topics []string
	var brokers []int32
	var out string
	c := &cobra.Command{
		Use:   "plan",
		Short: "Write a plan that spreads partitions over the given brokers",
		Long: `Write a plan to --out or standard output, as JSON that kafka-reassign-partitions.sh reads, too.
Replicas stay where they are if they may; the others go where there are fewest. The
replication factors stay. Edit it, or write one by hand: the first replica is the
preferred leader.`,
		Example: "  odradek reassign plan --brokers 1,2,3,4 --out plan.json\n  odradek reassign plan --topic orders --brokers 2,3,4 --out plan.json",
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
				if out == "" {
					return printJSON(c.OutOrStdout(), plan)
				}
				return plan.write(out)
			})
		},
	}
	f.add(c)
	c.Flags().StringArrayVar(&topics, "topic", nil, "a topic to move (may be repeated; default: all)")
	c.Flags().Int32SliceVar(&brokers, "brokers", nil, "brokers that shall have replicas (default: all that are alive)")
	c.Flags().StringVarP(&out, "out", "o", "", "the file to write, instead of standard output")
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

// reassignment says which brokers shall have which partitions, in the form of Kafka's
// kafka-reassign-partitions.sh, so that the files of one work with the other.
type reassignment struct {
	Version    int                   `json:"version"`
	Partitions []partitionAssignment `json:"partitions"`
}

// partitionAssignment is one partition's replicas; the first is the preferred leader.
type partitionAssignment struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Replicas  []int32 `json:"replicas"`
	// LogDirs is read because Kafka's tool writes it. There is one directory.
	LogDirs []string `json:"log_dirs,omitempty"`
}

func (p *partitionAssignment) name() string { return fmt.Sprintf("%s-%d", p.Topic, p.Partition) }

// readReassignment reads a plan from a file, or from standard input for "-".
func readReassignment(path string, stdin io.Reader) (*reassignment, error) {
	raw, err := os.ReadFile(path)
	if path == "-" {
		raw, err = io.ReadAll(stdin)
	}
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var r reassignment
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("%s is no reassignment: %w", path, err)
	}
	seen := make(map[string]bool)
	for i := range r.Partitions {
		p := &r.Partitions[i]
		sorted := slices.Sorted(slices.Values(p.Replicas))
		switch {
		case p.Topic == "" || p.Partition < 0 || len(p.Replicas) == 0:
			return nil, fmt.Errorf("%s: entry %d has no topic, partition or replicas", path, i+1)
		case seen[p.name()]:
			return nil, fmt.Errorf("%s: %s is there twice", path, p.name())
		case len(slices.Compact(sorted)) < len(p.Replicas):
			return nil, fmt.Errorf("%s: %s names a broker twice", path, p.name())
		}
		seen[p.name()] = true
	}
	if r.Version != 1 || len(r.Partitions) == 0 {
		return nil, fmt.Errorf("%s: want version 1 and at least one partition", path)
	}
	return &r, nil
}

// write writes the plan to a file, all of it or nothing: half a plan, or the old one lost,
// would be worse than none.
func (r *reassignment) write(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".plan-*")
	if err != nil {
		return err
	}
	err = errors.Join(printJSON(f, r), f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the error that counts is the first
	}
	return err
}

// placed is a partition as it is now.
type placed struct {
	topic     string
	partition int32
	replicas  []int32
}

// tooFew complains of topics with more replicas than there are brokers for.
func tooFew(now []placed, brokers []int32) error {
	factors := make(map[string]int)
	want := 0
	for _, p := range now {
		if n := len(p.replicas); n > len(brokers) {
			factors[p.topic] = max(factors[p.topic], n)
			want = max(want, n)
		}
	}
	if len(factors) == 0 {
		return nil
	}
	var topics []string
	for _, name := range sortedKeys(factors) {
		topics = append(topics, fmt.Sprintf("%s has replication factor %d", name, factors[name]))
	}
	return fmt.Errorf("%s, more than the %s of the plan: name at least %d brokers (--brokers), or only other topics (--topic), or write a plan with fewer replicas by hand",
		strings.Join(topics, ", "), counted(len(brokers), "broker"), want)
}

// spread moves partitions to the given brokers, keeping every replica that may stay, each
// partition's replication factor, and as even a load of replicas and of preferred
// leaders as that allows.
func spread(now []placed, brokers []int32) (*reassignment, error) {
	slices.SortFunc(now, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	replicas, leaders := make(map[int32]int), make(map[int32]int)
	total := 0
	for _, p := range now {
		total += len(p.replicas)
	}
	switch {
	case len(now) == 0:
		return nil, errors.New("there are no topics to move")
	case len(brokers) == 0:
		return nil, errors.New("there are no brokers to move to")
	}
	if err := tooFew(now, brokers); err != nil {
		return nil, err
	}
	limit := (total + len(brokers) - 1) / len(brokers)
	r := &reassignment{Version: 1}
	for _, p := range now {
		var kept []int32
		for _, id := range p.replicas {
			if slices.Contains(brokers, id) && replicas[id] < limit {
				kept = append(kept, id)
				replicas[id]++
			}
		}
		r.Partitions = append(r.Partitions, partitionAssignment{Topic: p.topic, Partition: p.partition, Replicas: kept})
	}
	for i, p := range now {
		a := &r.Partitions[i]
		for len(a.Replicas) < len(p.replicas) {
			free := slices.DeleteFunc(slices.Clone(brokers), func(id int32) bool { return slices.Contains(a.Replicas, id) })
			next := slices.MinFunc(free, func(x, y int32) int { return cmp.Or(cmp.Compare(replicas[x], replicas[y]), cmp.Compare(x, y)) })
			a.Replicas = append(a.Replicas, next)
			replicas[next]++
		}
		// The preferred leader is who leads least; among equals who is first already.
		lead := 0
		for j, id := range a.Replicas {
			if leaders[id] < leaders[a.Replicas[lead]] {
				lead = j
			}
		}
		id := a.Replicas[lead]
		a.Replicas = append([]int32{id}, slices.Delete(a.Replicas, lead, lead+1)...)
		leaders[id]++
	}
	return r, nil
}
