package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpreadMovesOnlyWhatItMust(t *testing.T) {
	now := []placed{{"a", 1, []int32{2, 3}}, {"a", 0, []int32{1, 2}}, {"b", 0, []int32{3, 1}}}
	got, err := spread(now, []int32{1, 2, 3, 4})
	if err != nil {
		t.Fatal(err)
	}
	want := []partitionAssignment{{Topic: "a", Partition: 0, Replicas: []int32{1, 2}}, {Topic: "a", Partition: 1, Replicas: []int32{2, 3}}, {Topic: "b", Partition: 0, Replicas: []int32{3, 1}}}
	if diff := cmp.Diff(want, got.Partitions); diff != "" {
		t.Errorf("nobody has too much (-want +got):\n%s", diff)
	}
}

func TestSpreadFillsNewBrokersAndDrainsOthers(t *testing.T) {
	var now []placed
	for i := range int32(12) {
		now = append(now, placed{"t", i, []int32{1 + i%3, 1 + (i+1)%3}})
	}
	got, err := spread(now, []int32{2, 3, 4, 5})
	if err != nil {
		t.Fatal(err)
	}
	replicas, leaders := make(map[int32]int), make(map[int32]int)
	for i, p := range got.Partitions {
		if len(p.Replicas) != 2 || p.Replicas[0] == p.Replicas[1] {
			t.Errorf("%s: replicas %v", p.name(), p.Replicas)
		}
		leaders[p.Replicas[0]]++
		for _, id := range p.Replicas {
			replicas[id]++
		}
		if p.Partition != int32(i) {
			t.Errorf("partition %d comes at %d", p.Partition, i)
		}
	}
	if diff := cmp.Diff(map[int32]int{2: 6, 3: 6, 4: 6, 5: 6}, replicas); diff != "" {
		t.Errorf("replicas (-want +got):\n%s", diff)
	}
	for id := int32(2); id <= 5; id++ {
		if leaders[id] < 2 || leaders[id] > 4 {
			t.Errorf("preferred leaders %v", leaders)
		}
	}
}

func TestSpreadNamesTopicsWithTooManyReplicas(t *testing.T) {
	now := []placed{{"small", 0, []int32{1}}, {"b", 0, []int32{1, 2}}, {"b", 1, []int32{1, 2, 3}}, {"a", 0, []int32{1, 2}}}
	_, err := spread(now, []int32{4})
	want := "a has replication factor 2, b has replication factor 3, more than the 1 broker of the plan: name at least 3 brokers"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := spread(nil, []int32{4}); err == nil {
		t.Error("a plan for no topics")
	}
}

// What is in the way of a plan leaves the plan before it whole, and no other file.
func TestPlansAreWrittenWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "plan.json")
	r := &reassignment{Version: 1, Partitions: []partitionAssignment{{Topic: "t", Replicas: []int32{1}}}}
	if err := r.write(path); err != nil {
		t.Fatal(err)
	}
	read, err := readReassignment(path, nil)
	if diff := cmp.Diff(r, read); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := os.MkdirAll(filepath.Join(dir, "taken", "by a directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := r.write(filepath.Join(dir, "taken")); err == nil {
		t.Error("a directory was overwritten")
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v is left", err, files)
	}
}

func TestReassignmentFilesAreChecked(t *testing.T) {
	for _, c := range []struct{ json, complaint string }{
		{`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,2],"log_dirs":["any","any"]}]}`, ""},
		{`{"version":1,"partitions":[]}`, "at least one partition"},
		{`{"version":2,"partitions":[{"topic":"t","partition":0,"replicas":[1]}]}`, "want version 1"},
		{`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,1]}]}`, "t-0 names a broker twice"},
		{`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1]},{"topic":"t","partition":0,"replicas":[2]}]}`, "t-0 is there twice"},
		{`{"version":1,"partitions":[{"topic":"t","partition":0}]}`, "entry 1 has no"},
		{`{"version":1,"partitons":[]}`, "partitons"},
		{`nonsense`, "is no reassignment"},
	} {
		path := filepath.Join(t.TempDir(), "plan.json")
		if err := os.WriteFile(path, []byte(c.json), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := readReassignment(path, nil)
		switch {
		case c.complaint == "" && (err != nil || !slices.Equal(r.Partitions[0].Replicas, []int32{1, 2})):
			t.Errorf("%s: %v, %+v", c.json, err, r)
		case c.complaint != "" && (err == nil || !strings.Contains(err.Error(), c.complaint)):
			t.Errorf("%s: %v, want %q", c.json, err, c.complaint)
		}
	}
}
