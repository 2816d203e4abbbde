package bench

import (
	"strings"
	"testing"
	"time"
)

func TestVariantsSayWhatDiffers(t *testing.T) {
	list, err := Parse([]byte(`
name: acks
brokers: 3
replicationFactor: 3
producerRates: [1000, 2000]
producerConfig: {linger.ms: 5, acks: 1}
testDuration: 20s
faults: [{kind: kill-leader, at: 5s, for: 2s}]
variants:
  - variant: all
    producerConfig: {acks: all}
  - variant: small
    messageSize: 100
    producerRates: [500]
`))
	if err != nil {
		t.Fatal(err)
	}
	all, small := list[0], list[1]
	if len(list) != 2 || all.Title() != "acks/all" || small.Title() != "acks/small" {
		t.Fatalf("%d variants, %s and %s", len(list), all.Title(), small.Title())
	}
	if all.Producer("acks") != "all" || all.Producer("linger.ms") != "5" || small.Producer("acks") != "1" || all.Producer("batch.size") != "1048576" {
		t.Errorf("producer configs %v and %v", all.ProducerConfig, small.ProducerConfig)
	}
	if len(all.Rates()) != 2 || len(small.Rates()) != 1 || small.Rates()[0] != 500 || small.MessageSize != 100 || all.MessageSize != 1024 {
		t.Errorf("rates %v and %v, sizes %d and %d", all.Rates(), small.Rates(), all.MessageSize, small.MessageSize)
	}
	if all.TestDuration != 20*time.Second || all.Faults[0].For != 2*time.Second {
		t.Errorf("durations %v, %v", all.TestDuration, all.Faults[0].For)
	}
}

func TestBadScenariosSayWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "empty",
		"name: x\nmesageSize: 5":            "line 2: there is no field mesageSize",
		"name: x\ntestDuration: 10":         "line 2: `10`, want a time with its unit, such as 10s",
		"name: x\nproducerRate: 5k":         "`5k`, want a number",
		"name: x\nfaults: 3":                "`3`, want a list",
		"brokers: 1":                        "name is empty",
		"name: x\nbrokers: 2":               "brokers: 2",
		"name: x\nreplicationFactor: 3":     "replicationFactor: 3",
		"name: x\nmessageSize: 8":           "messageSize: 8",
		"name: x\nproducerRate: -1":         "producerRate: -1",
		"name: x\nproducerConfig: {ack: 1}": "ack is not known; those that are: [acks ",
		"name: x\nkeyDistributor: ODD":      `keyDistributor: "ODD"`,
		"name: x\nproducersPerTopic: 0":     "nothing to do",
		"name: x\ntestDuration: 0s":         "testDuration: 0s",
		"name: x\nfaults: [{kind: kill-leader, at: 9s, for: 2s}]": "not within",
		"name: x\nfaults: [{kind: flood}]":                        `kind "flood"`,
		"name: x\nvariants: [{messageSize: 100}]":                 "it has no name",
		"name: x\nvariants: [{variant: a, odd: 1}]":               "variant 1: there is no field odd",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
