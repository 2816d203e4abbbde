package wire

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestByTopicKeepsTheOrderOfPartitions(t *testing.T) {
	tps := []TopicPartition{{"t", 2}, {"t", 0}, {"u", 1}, {"t", 3}}
	var got []string
	for topic, indexes := range ByTopic(tps) {
		got = append(got, fmt.Sprint(topic, indexes))
	}
	if d := cmp.Diff([]string{"t[2 0]", "u[1]", "t[3]"}, got); d != "" {
		t.Error(d)
	}
	for range ByTopic(nil) {
		t.Error("no partitions, and a topic")
	}
	for topic := range ByTopic(tps) {
		if topic != "t" {
			t.Errorf("%s after the end", topic)
		}
		break
	}
}
