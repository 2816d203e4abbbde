package broker_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/env"
)

// TestDocumentationListsTheServedVersions holds the table of docs/kafka.md to what a node
// that is broker and controller tells clients of a new cluster.
func TestDocumentationListsTheServedVersions(t *testing.T) {
	l := newLab(t, 1, nil)
	var want []string
	l.do(func(task *env.Task) {
		for _, api := range l.dial(task, 1).call(task, kmsg.NewPtrApiVersionsRequest(), 0).(*kmsg.ApiVersionsResponse).ApiKeys {
			name := kmsg.Key(api.ApiKey).Name()
			switch kmsg.Key(api.ApiKey) { // not Kafka's names
			case kmsg.InitProducerID:
				name = "InitProducerId"
			case kmsg.AllocateProducerIDs:
				name = "AllocateProducerIds"
			case kmsg.AlterPartitionAssignments:
				name = "AlterPartitionReassignments"
			}
			want = append(want, fmt.Sprintf("| %d | %s | %d-%d |", api.ApiKey, name, api.MinVersion, api.MaxVersion))
		}
	})
	text, err := os.ReadFile("../docs/kafka.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| ") && line[2] >= '0' && line[2] <= '9' && len(cells) >= 3 {
			got = append(got, fmt.Sprintf("%s | %s | %s |", cells[0], cells[1], cells[2]))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("docs/kafka.md has\n%s\nand served is\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
