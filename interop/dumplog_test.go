package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// TestKafkaReadsOurFiles has Kafka's DumpLogSegments, of both majors, read the data
// directories of a cluster with a history: many segments in all codecs, leader epochs, a
// deleted topic, changed configs and snapshots of the metadata. One node was killed, one
// stopped in good order.
func TestKafkaReadsOurFiles(t *testing.T) {
	needCommand(t, "java")
	dumps := []dumpTool{{"tools-3", "kafka.tools.DumpLogSegments"}, {"tools-4", "org.apache.kafka.tools.DumpLogSegments"}}
	for _, d := range dumps {
		need(t, filepath.Join("java", d.jars, "kafka*.jar"))
	}
	c := ownCluster(t, 3, "metadata.log.max.record.bytes.between.snapshots=2000")
	sent := writeHistory(t, c)
	c.nodes[0].kill()
	for _, n := range c.nodes[1:] {
		n.shutdown(t)
	}
	for i, n := range c.nodes[:2] {
		end := []string{"killed", "stopped"}[i]
		for _, d := range dumps {
			t.Run(end+"/"+d.jars+"/records", func(t *testing.T) { d.readsRecords(t, n.dir, sent) })
			t.Run(end+"/"+d.jars+"/indexes", func(t *testing.T) { d.acceptsIndexes(t, n.dir) })
			t.Run(end+"/"+d.jars+"/metadata", func(t *testing.T) { d.readsMetadata(t, n.dir) })
		}
		t.Run(end+"/checkpoints", func(t *testing.T) { readsCheckpoints(t, n, end == "stopped") })
	}
}

const filesTopic = "files"

// writeHistory returns what every partition of the topic has.
func writeHistory(t *testing.T, c *cluster) []record {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	admin := kadm.NewClient(c.franz(t))
	c.create(t, "doomed", 2, nil)
	if _, err := admin.DeleteTopic(ctx, "doomed"); err != nil {
		t.Fatal(err)
	}
	small := map[string]*string{"segment.bytes": text("2500"), "index.interval.bytes": text("300")}
	c.create(t, filesTopic, len(allCodecs), small)
	for i := range 20 {
		change := []kadm.AlterConfig{{Name: "max.message.bytes", Value: text(fmt.Sprint(1_000_000 + i))}}
		if rs, err := admin.AlterTopicConfigs(ctx, change, filesTopic); err != nil || rs[0].Err != nil {
			t.Fatal(err, rs)
		}
	}
	writer := startFranz(t, c.bootstrap())
	defer writer.close()
	records := (&suite{}).records(600)
	third := len(records) / 3
	for i := range 3 {
		for p, codec := range allCodecs {
			for part := range slices.Chunk(records[i*third:(i+1)*third], 10) {
				r := produceRequest{Topic: filesTopic, Partition: int32(p), Codec: codec, Acks: -1, Records: part}
				if _, err := writer.produce(r); err != nil {
					t.Fatal(err)
				}
			}
		}
		// Somebody else leads from here on.
		c.nodes[i].kill()
		c.nodes[i].start(t)
		c.awaitBrokers(t)
		c.awaitInSync(t, filesTopic)
	}
	return records
}

// dumpTool is DumpLogSegments of one of the folders of jars that setup fills.
type dumpTool struct{ jars, class string }

func (d dumpTool) run(t *testing.T, args ...string) string {
	t.Helper()
	return runJava(t, d.jars, d.class, args...)
}

func runJava(t *testing.T, jars, class string, args ...string) string {
	t.Helper()
	path := filepath.Join(cache, "java", jars, "*") + string(os.PathListSeparator) + filepath.Join(cache, "java", jars+".classes")
	java := exec.Command("java", append([]string{"-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", path, class}, args...)...)
	out, err := java.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", class, err, tail(string(out), 20))
	}
	return string(out)
}

func filesOf(t *testing.T, dir, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s in %s: %v", pattern, dir, err)
	}
	slices.Sort(files)
	return files
}

var (
	dumpedRecord = regexp.MustCompile(`(?m)^\| offset: (\d+) .*?(?: payload: (.*))?$`)
	// The tool of 4.3 takes every segment that does not begin at 0 for one with a gap.
	falseGap = regexp.MustCompile(`(?m)^Non-consecutive offsets in .*\n\s*-1 is followed by \d+$`)
)

// complaints are words of DumpLogSegments that mean trouble.
var complaints = []string{"isvalid: false", "Found", "Non-consecutive", "Mismatches", "not found", "rror", "xception", "nvalid"}

func checkComplaints(t *testing.T, out string) {
	t.Helper()
	out = falseGap.ReplaceAllString(out, "")
	for _, bad := range complaints {
		if i := strings.Index(out, bad); i >= 0 {
			t.Fatalf("it complains: %.300s", out[i:])
		}
	}
}

func (d dumpTool) readsRecords(t *testing.T, dir string, sent []record) {
	for p, codec := range allCodecs {
		files := filesOf(t, dir, fmt.Sprintf("%s-%d/*.log", filesTopic, p))
		if len(files) < 3 {
			t.Errorf("partition %d has %d segments, want more", p, len(files))
		}
		out := d.run(t, "--deep-iteration", "--print-data-log", "--files", strings.Join(files, ","))
		checkComplaints(t, out)
		if want := "compresscodec: " + codec; strings.Count(out, "baseOffset: ") == 0 ||
			strings.Count(out, want) < strings.Count(out, "baseOffset: ")/2 {
			t.Errorf("partition %d: few batches say %q:\n%.500s", p, want, out)
		}
		got := dumpedRecord.FindAllStringSubmatch(out, -1)
		if len(got) != len(sent) {
			t.Fatalf("partition %d: %d records, want %d:\n%.500s", p, len(got), len(sent), out)
		}
		for i, m := range got {
			value := ""
			if sent[i].Value != nil {
				value = *sent[i].Value
			}
			if offset, _ := strconv.Atoi(m[1]); offset != i || m[2] != value {
				t.Fatalf("partition %d: record %d is %q", p, i, m[0])
			}
		}
	}
}

// acceptsIndexes checks all indexes. A killed node may have left those of its active
// segments empty, as they are written when a segment is closed or the log flushed;
// Kafka's are memory-mapped, and rebuilt after such an end all the same.
func (d dumpTool) acceptsIndexes(t *testing.T, dir string) {
	indexes := append(filesOf(t, dir, "*/*.index"), filesOf(t, dir, "*/*.timeindex")...)
	entries, filled := 0, 0
	for _, f := range indexes {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, ".index") {
			entries += int(info.Size()) / 8
		}
		if info.Size() > 0 {
			filled++
		}
	}
	if entries < 50 {
		t.Errorf("only %d entries in the offset indexes", entries)
	}
	sane := d.run(t, "--index-sanity-check", "--files", strings.Join(indexes, ","))
	checkComplaints(t, sane)
	if passed := strings.Count(sane, "passed sanity check"); passed < filled {
		t.Errorf("%d of %d indexes passed:\n%s", passed, len(indexes), sane)
	}
	// With nothing to complain about it only names the files.
	for line := range strings.Lines(d.run(t, "--verify-index-only", "--files", strings.Join(indexes, ","))) {
		if !strings.HasPrefix(line, "Dumping ") && !strings.HasSuffix(line, " is empty.\n") && strings.TrimSpace(line) != "" {
			t.Errorf("an index: %s", line)
		}
	}
}

func (d dumpTool) readsMetadata(t *testing.T, dir string) {
	files := append(filesOf(t, dir, "__cluster_metadata-0/*.log"), filesOf(t, dir, "__cluster_metadata-0/*.checkpoint")...)
	out := d.run(t, "--cluster-metadata-decoder", "--skip-record-metadata", "--files", strings.Join(files, ","))
	checkComplaints(t, out)
	for _, want := range []string{
		`"type":"REGISTER_BROKER_RECORD"`, `"type":"TOPIC_RECORD","version":0,"data":{"name":"files"`, `"type":"PARTITION_RECORD"`,
		`"type":"PARTITION_CHANGE_RECORD"`, `"type":"CONFIG_RECORD"`, `"type":"FEATURE_LEVEL_RECORD"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s:\n%s", want, tail(out, 30))
		}
	}
}

// readsCheckpoints has Kafka's classes read the small files. Those of offsets are
// written now and then, and when a node stops in good order.
func readsCheckpoints(t *testing.T, n *node, stopped bool) {
	compileCheckpoints(t)
	out := runJava(t, "tools-4", "Checkpoints", n.dir)
	wanted := []string{
		fmt.Sprintf("meta.properties V1 node %d directory true", n.id),
		"__cluster_metadata-0 Election(epoch=",
		"__cluster_metadata-0 topic id AAAAAAAAAAAAAAAAAAAAAQ",
		"files-0 epoch 0 starts at 0",
	}
	if stopped {
		wanted = append(wanted, "recovery-point-offset-checkpoint files-0 600", "replication-offset-checkpoint files-")
	}
	for _, want := range wanted {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if epochs := regexp.MustCompile(`files-\d epoch [1-9]`).FindAllString(out, -1); len(epochs) < 3 {
		t.Errorf("few leader epochs in:\n%s", out)
	}
}

func compileCheckpoints(t *testing.T) {
	t.Helper()
	needCommand(t, "javac")
	classes := filepath.Join(cache, "java", "tools-4.classes")
	javac := exec.Command("javac", "-d", classes, "-cp", filepath.Join(cache, "java", "tools-4", "*"), "clients/java/Checkpoints.java")
	if out, err := javac.CombinedOutput(); err != nil {
		t.Fatalf("compiling the reader: %v\n%s", err, out)
	}
}
