package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestKafkaReadsWhatCoordinatorsAndTheCleanerWrite has Kafka's DumpLogSegments, of both
// majors, read what groups, transactions and compaction leave behind: the coordinators'
// topics, decoded as such, compacted segments, indexes of aborted transactions,
// snapshots of producers and the cleaner's checkpoint.
func TestKafkaReadsWhatCoordinatorsAndTheCleanerWrite(t *testing.T) {
	needCommand(t, "java")
	dumps := []dumpTool{{"tools-3", "kafka.tools.DumpLogSegments"}, {"tools-4", "org.apache.kafka.tools.DumpLogSegments"}}
	for _, d := range dumps {
		need(t, filepath.Join("java", d.jars, "kafka*.jar"))
	}
	c := ownCluster(t, 3, "offsets.topic.num.partitions=1", "transaction.state.log.num.partitions=1", "offsets.topic.segment.bytes=6000",
		"transaction.state.log.segment.bytes=6000", "log.cleaner.backoff.ms=200", "log.cleaner.min.cleanable.ratio=0.1")
	writeCoordinated(t, c)
	awaitCleaned(t, c, "__consumer_offsets-0", "__transaction_state-0", tableTopic+"-0")
	c.nodes[0].kill()
	for _, n := range c.nodes[1:] {
		n.shutdown(t)
	}
	for i, n := range c.nodes[:2] {
		end := []string{"killed", "stopped"}[i]
		for _, d := range dumps {
			t.Run(end+"/"+d.jars+"/offsets", func(t *testing.T) { d.readsOffsets(t, n.dir) })
			t.Run(end+"/"+d.jars+"/transactions", func(t *testing.T) { d.readsTransactions(t, n.dir) })
			t.Run(end+"/"+d.jars+"/compacted", func(t *testing.T) { d.readsCompacted(t, n.dir) })
			t.Run(end+"/"+d.jars+"/producers", func(t *testing.T) { d.readsProducers(t, n.dir) })
		}
		t.Run(end+"/checkpoints", func(t *testing.T) {
			compileCheckpoints(t)
			out := runJava(t, "tools-4", "Checkpoints", n.dir)
			for _, want := range []string{"cleaner-offset-checkpoint __consumer_offsets-0 ", "cleaner-offset-checkpoint " + tableTopic + "-0 "} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
		})
	}
}

const (
	eventsTopic = "events" // written in transactions
	tableTopic  = "table"  // compacted, also written in transactions
	tableKeys   = 10
	tableRounds = 60
)

// writeCoordinated commits offsets of many groups again and again, deletes one, and writes
// transactions, every third of which it aborts.
func writeCoordinated(t *testing.T, c *cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c.create(t, eventsTopic, 1, map[string]*string{"segment.bytes": text("4000")})
	c.create(t, tableTopic, 1, map[string]*string{"segment.bytes": text("4000"), "cleanup.policy": text("compact"), "min.cleanable.dirty.ratio": text("0.1")})
	idempotent := c.franz(t)
	for range 5 {
		if err := idempotent.ProduceSync(ctx, &kgo.Record{Topic: eventsTopic, Value: []byte("idempotent")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	admin := kadm.NewClient(idempotent)
	for round := range tableRounds {
		for g := range 3 {
			var at kadm.Offsets
			at.AddOffset(eventsTopic, 0, int64(round), -1)
			if _, err := admin.CommitOffsets(ctx, fmt.Sprintf("group-%d", g), at); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A member makes a group's metadata.
	consumer, err := kgo.NewClient(kgo.SeedBrokers(seeds(c.bootstrap())...), kgo.ConsumerGroup("with-member"), kgo.ConsumeTopics(eventsTopic),
		kgo.InstanceID("the-instance"))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	writer, err := kgo.NewClient(kgo.SeedBrokers(seeds(c.bootstrap())...), kgo.TransactionalID("writer"))
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	for round := range tableRounds {
		if err := writer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		commit := round%3 != 2
		value := fmt.Sprintf("round-%d-%t", round, commit)
		records := []*kgo.Record{{Topic: eventsTopic, Value: []byte(value)}}
		for k := range tableKeys {
			r := &kgo.Record{Topic: tableTopic, Key: []byte(fmt.Sprintf("key-%d", k)), Value: []byte(value)}
			if commit && k == round%tableKeys && round > tableRounds/2 {
				r.Value = nil
			}
			records = append(records, r)
		}
		if err := writer.ProduceSync(ctx, records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := writer.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
			t.Fatal(err)
		}
	}
	if got := consumer.PollFetches(ctx); got.Err() != nil {
		t.Fatal(got.Err())
	}
	if _, err := admin.DeleteGroup(ctx, "group-2"); err != nil {
		t.Fatal(err)
	}
}

// awaitCleaned waits until the first node's cleaner has been through the logs.
func awaitCleaned(t *testing.T, c *cluster, logs ...string) {
	t.Helper()
	c.await(t, "the cleaner", func(context.Context) error {
		for _, n := range c.nodes[:2] {
			text, err := os.ReadFile(filepath.Join(n.dir, "cleaner-offset-checkpoint"))
			if err != nil {
				return err
			}
			for _, log := range logs {
				name, partition := log[:len(log)-2], log[len(log)-1:]
				if !regexp.MustCompile(`(?m)^` + name + " " + partition + ` [1-9]`).Match(text) {
					return fmt.Errorf("node %d has not cleaned %s", n.id, log)
				}
			}
		}
		return nil
	})
}

// gaps are what compaction leaves, which the tool reports of any log.
var gaps = regexp.MustCompile(`(?m)^Non-consecutive offsets in .*\n(\s*-?\d+ is followed by \d+\n?)+`)

func (d dumpTool) dump(t *testing.T, files []string, args ...string) string {
	t.Helper()
	out := d.run(t, append(args, "--deep-iteration", "--files", strings.Join(files, ","))...)
	out = gaps.ReplaceAllString(out, "")
	checkComplaints(t, out)
	return out
}

var decodedRecord = regexp.MustCompile(`(?m)^\| offset: \d+ .*? key: (.*) payload: (.*)$`)

// newest is the last payload that a decoder prints for each key.
func newest(out string) map[string]string {
	last := make(map[string]string)
	for _, m := range decodedRecord.FindAllStringSubmatch(out, -1) {
		last[m[1]] = m[2]
	}
	return last
}

func (d dumpTool) readsOffsets(t *testing.T, dir string) {
	out := d.dump(t, filesOf(t, dir, "__consumer_offsets-0/*.log"), "--offsets-decoder")
	last := newest(out)
	for g := range 2 {
		key := fmt.Sprintf(`{"type":"1","data":{"group":"group-%d","topic":"events","partition":0}}`, g)
		if want := fmt.Sprintf(`{"version":"3","data":{"offset":%d,`, tableRounds-1); !strings.HasPrefix(last[key], want) {
			t.Errorf("%s is %q, want %s", key, last[key], want)
		}
	}
	if key := `{"type":"1","data":{"group":"group-2","topic":"events","partition":0}}`; last[key] != "<DELETE>" {
		t.Errorf("%s of the deleted group is %q", key, last[key])
	}
	group := last[`{"type":"2","data":{"group":"with-member"}}`]
	for _, want := range []string{`"protocolType":"consumer"`, `"protocol":"cooperative-sticky"`, `"groupInstanceId":"the-instance"`} {
		if !strings.Contains(group, want) {
			t.Errorf("the group with a member is %q, want %s", group, want)
		}
	}
	if commits := strings.Count(out, `"group":"group-0"`); commits == 0 || commits >= tableRounds {
		t.Errorf("%d of %d commits of one group are left", commits, tableRounds)
	}
}

func (d dumpTool) readsTransactions(t *testing.T, dir string) {
	out := d.dump(t, filesOf(t, dir, "__transaction_state-0/*.log"), "--transaction-log-decoder")
	last := newest(out)
	// The tools of the two majors print it differently; status 5 is CompleteAbort.
	key, want := `{"type":"0","data":{"transactionalId":"writer"}}`, `"transactionStatus":5,"transactionPartitions":[],`
	if d.jars == "tools-3" {
		key, want = "transaction_metadata::transactionalId=writer", "state=CompleteAbort,partitions=[],"
	}
	if !strings.Contains(last[key], want) {
		t.Errorf("%s is %q, want %s", key, last[key], want)
	}
	if records := len(decodedRecord.FindAllString(out, -1)); records >= 3*tableRounds {
		t.Errorf("none of %d records was compacted", records)
	}
}

// readsCompacted checks that the newest committed value of every key is there, and that
// few of what it replaced are.
func (d dumpTool) readsCompacted(t *testing.T, dir string) {
	out := d.dump(t, filesOf(t, dir, tableTopic+"-0/*.log"), "--print-data-log")
	last := make(map[string]string)
	records := 0
	for _, m := range regexp.MustCompile(`(?m)^\| offset: \d+ .* key: (key-\d)(?: payload: (.*))?$`).FindAllStringSubmatch(out, -1) {
		records++
		if !strings.HasSuffix(m[2], "-false") { // of an aborted transaction
			last[m[1]] = m[2]
		}
	}
	for k := range tableKeys {
		key, want := fmt.Sprintf("key-%d", k), ""
		round := tableRounds - 2 // the last one is aborted
		if k != round%tableKeys {
			want = fmt.Sprintf("round-%d-true", round)
		}
		if last[key] != want {
			t.Errorf("%s is %q in the end, want %q", key, last[key], want)
		}
	}
	if all := tableKeys * tableRounds; records >= all {
		t.Errorf("%d of %d records are left", records, all)
	}
	if !strings.Contains(out, "endTxnMarker: COMMIT") || !strings.Contains(out, "deleteHorizonMs: OptionalLong[") {
		t.Errorf("no marker that waits for its horizon:\n%.500s", out)
	}
}

// readsProducers checks indexes of aborted transactions against the log, and snapshots.
func (d dumpTool) readsProducers(t *testing.T, dir string) {
	log := d.dump(t, filesOf(t, dir, eventsTopic+"-0/*.log"), "--print-data-log")
	// Only closed segments are sure to have their indexes after a kill.
	var closed []string
	segments := filesOf(t, dir, eventsTopic+"-0/*.log")
	for _, f := range segments[:len(segments)-1] {
		closed = append(closed, strings.TrimSuffix(f, ".log")+".txnindex")
	}
	next := strings.TrimSuffix(filepath.Base(segments[len(segments)-1]), ".log")
	out := d.run(t, "--files", strings.Join(append(closed, filesOf(t, dir, eventsTopic+"-0/*.snapshot")...), ","))
	checkComplaints(t, out)
	indexed := regexp.MustCompile(`(?m)^version: 0 producerId: \d+ firstOffset: (\d+) lastOffset: (\d+) `).FindAllStringSubmatch(out, -1)
	markers := regexp.MustCompile(`(?m)^\| offset: (\d+) .*endTxnMarker: ABORT`).FindAllStringSubmatch(log, -1)
	end, err := strconv.Atoi(next)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, m := range markers {
		if offset, _ := strconv.Atoi(m[1]); offset >= end {
			break
		}
		if i >= len(indexed) || indexed[i][2] != m[1] {
			t.Fatalf("the abort at %s is not the next in the index, %v", m[1], indexed[min(i, len(indexed)):])
		}
		i++
	}
	if i < 5 || i != len(indexed) {
		t.Errorf("%d aborted transactions in the log, %d in the index", i, len(indexed))
	}
	// One has written in transactions; the last sequence of each went with its epoch (KIP-890).
	// The other is idempotent, and has sequences.
	for _, want := range []string{
		`(?m)^producerId: \d+ producerEpoch: [1-9]\d* coordinatorEpoch: \d+ currentTxnFirstOffset: OptionalLong`,
		`(?m)^producerId: \d+ producerEpoch: 0 .* firstSequence: \d+ lastSequence: 4 lastOffset: 4 `,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in the snapshots:\n%s", want, tail(out, 5))
		}
	}
}
