package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

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

// placed is a partition as it is now.
type placed struct {
	topic     string
	partition int32
	replicas  []int32
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
		if len(p.replicas) > len(brokers) {
			return nil, fmt.Errorf("%s-%d has %s, more than the %s", p.topic, p.partition, counted(len(p.replicas), "replica"), counted(len(brokers), "broker"))
		}
		total += len(p.replicas)
	}
	if len(brokers) == 0 {
		return nil, errors.New("no brokers")
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
