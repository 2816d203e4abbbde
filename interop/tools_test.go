package interop

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const tools = "org.apache.kafka.tools."

// TestKafkasTools runs the commands of Kafka 4 that operators use against a cluster with
// a live group, a group without members, and an open transaction.
func TestKafkasTools(t *testing.T) {
	needCommand(t, "java")
	need(t, "java/tools-4/kafka-tools-*.jar")
	c := ownCluster(t, 3)
	k := &kafkasTools{cluster: c}
	k.prepare(t)
	t.Run("consumer-groups", k.consumerGroups)
	t.Run("transactions", k.transactions)
	t.Run("reassign-partitions", k.reassignPartitions)
	t.Run("leader-election", k.leaderElection)
	t.Run("features", k.features)
	t.Run("log-dirs", k.logDirs)
	t.Run("delete-records", k.deleteRecords)
	t.Run("topics", k.topics)
	t.Run("get-offsets", k.getOffsets)
	t.Run("metadata-quorum", k.metadataQuorum)
	t.Run("configs", k.configs)
}

type kafkasTools struct {
	cluster *cluster
	member  string // of the live group
	modern  bool   // there is a group of KIP-848, too
}

// run runs a tool and wants patterns in what it says.
func (k *kafkasTools) run(t *testing.T, class string, args []string, want ...string) string {
	t.Helper()
	return k.runOf(t, "tools-4", tools+class, args, want...)
}

func (k *kafkasTools) runOf(t *testing.T, jars, class string, args []string, want ...string) string {
	t.Helper()
	out := runJava(t, jars, class, append([]string{"--bootstrap-server", k.cluster.bootstrap()}, args...)...)
	for _, w := range want {
		if !regexp.MustCompile("(?m)" + w).MatchString(out) {
			t.Errorf("%s %s: no %q in:\n%s", class, strings.Join(args, " "), w, tail(out, 40))
		}
	}
	return out
}

// file writes what tools read from files.
func file(t *testing.T, content any) string {
	t.Helper()
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (k *kafkasTools) prepare(t *testing.T) {
	c := k.cluster
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c.create(t, "tooled", 2, nil)
	cl := c.franz(t)
	for i := range 10 {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "tooled", Key: []byte{byte(i)}, Value: []byte("value")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var at kadm.Offsets
	at.AddOffset("tooled", 0, 3, -1)
	at.AddOffset("tooled", 1, 2, -1)
	if _, err := kadm.NewClient(cl).CommitOffsets(ctx, "resting", at); err != nil {
		t.Fatal(err)
	}
	k.member = k.join(t, "live")
	if k.modern = c.hasFeature(t, "group.version", 1); k.modern {
		k.join(t, "modern", kgo.ServerSideBalancer())
	}
	writer, err := kgo.NewClient(kgo.SeedBrokers(seeds(c.bootstrap())...), kgo.TransactionalID("open"), kgo.TransactionTimeout(10*time.Minute),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(writer.Close)
	c.create(t, "transacted", 1, nil)
	if err := writer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := writer.ProduceSync(ctx, &kgo.Record{Topic: "transacted", Value: []byte("value")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// join has a group read everything with one member, and returns the member's id.
func (k *kafkasTools) join(t *testing.T, group string, opts ...kgo.Opt) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	member, err := kgo.NewClient(append(opts, kgo.SeedBrokers(seeds(k.cluster.bootstrap())...), kgo.ConsumerGroup(group), kgo.ConsumeTopics("tooled"),
		kgo.ClientID("the-client"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Balancers(kgo.RangeBalancer()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(member.Close)
	for got := 0; got < 10; {
		fetches := member.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		got += fetches.NumRecords()
	}
	if err := member.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	id, _ := member.GroupMetadata()
	return id
}

func (k *kafkasTools) consumerGroups(t *testing.T) {
	const class = "consumer.group.ConsumerGroupCommand"
	k.run(t, class, []string{"--list", "--state"}, `^live\s+Stable`, `^resting\s+Empty`)
	k.run(t, class, []string{"--describe", "--group", "live"}, `^live +tooled +0 +\d+ +\d+ +0 +`+regexp.QuoteMeta(k.member)+` +/127.0.0.1 +the-client`)
	k.run(t, class, []string{"--describe", "--group", "live", "--members", "--verbose"}, regexp.QuoteMeta(k.member)+` .*2 .*tooled`)
	k.run(t, class, []string{"--describe", "--group", "live", "--state"}, `^live +127.0.0.1:\d+ +\(\d\) +range +Stable +1`)
	k.run(t, class, []string{"--describe", "--group", "resting"}, `^resting +tooled +0 +3 +\d+ `)
	k.run(t, class, []string{"--reset-offsets", "--group", "resting", "--topic", "tooled", "--to-earliest", "--execute"}, `^resting +tooled +0 +0`)
	k.run(t, class, []string{"--reset-offsets", "--group", "resting", "--topic", "tooled:1", "--to-latest", "--execute"}, `^resting +tooled +1 +\d+`)
	k.run(t, class, []string{"--delete-offsets", "--group", "resting", "--topic", "tooled:0"}, `^tooled +0 +Successful`)
	k.run(t, class, []string{"--delete", "--group", "live"}, `Group 'live' could not be deleted due to: .*not empty`)
	k.run(t, class, []string{"--delete", "--group", "resting"}, `Deletion of requested consumer groups \('resting'\) was successful`)
	if out := k.run(t, class, []string{"--list"}, `^live$`); strings.Contains(out, "resting") {
		t.Errorf("the deleted group is listed:\n%s", out)
	}
	k.run(t, "GroupsCommand", []string{"--list"}, `^live +Classic +consumer`)
	if k.modern {
		k.run(t, "GroupsCommand", []string{"--list"}, `^modern +Consumer +consumer`)
		k.run(t, class, []string{"--describe", "--group", "modern", "--state", "--verbose"}, `^modern +127.0.0.1:\d+ +\(\d\) +range +Stable +\d+ +\d+ +1`)
		k.run(t, class, []string{"--describe", "--group", "modern", "--members", "--verbose"}, `^modern .* the-client .*tooled`)
		k.run(t, class, []string{"--describe", "--group", "modern"}, `^modern +tooled +0 +\d+ +\d+ +0 `)
	}
}

func (k *kafkasTools) transactions(t *testing.T) {
	const class = "TransactionsCommand"
	k.run(t, class, []string{"list"}, `^open\s+\d\s+\d+\s+Ongoing`)
	k.run(t, class, []string{"describe", "--transactional-id", "open"}, `^\d\s+open\s+\d+\s+\d+\s+Ongoing\s+600000 .*transacted-0`)
	k.run(t, class, []string{"describe-producers", "--topic", "transacted", "--partition", "0"}, `^\d+\s+\d+\s+-?\d+\s+0\s+\d+\s+0`)
	k.run(t, class, []string{"find-hanging", "--broker-id", "1"}, `TransactionalId|Topic`)
	k.run(t, class, []string{"forceTerminateTransaction", "--transactionalId", "open"})
	k.cluster.await(t, "the transaction to be aborted", func(ctx context.Context) error {
		ends, err := kadm.NewClient(k.cluster.franz(t)).ListCommittedOffsets(ctx, "transacted")
		if err != nil {
			return err
		}
		if end, _ := ends.Lookup("transacted", 0); end.Offset < 2 {
			return os.ErrProcessDone
		}
		return nil
	})
}

func (k *kafkasTools) reassignPartitions(t *testing.T) {
	const class = "reassign.ReassignPartitionsCommand"
	k.cluster.create(t, "moved", 1, nil)
	type move struct {
		Topic     string  `json:"topic"`
		Partition int     `json:"partition"`
		Replicas  []int32 `json:"replicas"`
	}
	topics := file(t, map[string]any{"version": 1, "topics": []map[string]string{{"topic": "moved"}}})
	k.run(t, class, []string{"--generate", "--topics-to-move-json-file", topics, "--broker-list", "1,2,3"}, `Proposed partition reassignment`)
	plan := file(t, map[string]any{"version": 1, "partitions": []move{{"moved", 0, []int32{3, 1}}}})
	k.run(t, class, []string{"--execute", "--reassignment-json-file", plan, "--throttle", "10000000"}, `Successfully started partition reassignment`)
	k.cluster.await(t, "the reassignment", func(context.Context) error {
		if out := k.run(t, class, []string{"--verify", "--reassignment-json-file", plan}); !strings.Contains(out, "Reassignment of partition moved-0 is completed.") {
			return os.ErrProcessDone
		}
		return nil
	})
	k.run(t, class, []string{"--list"}, `No partition reassignments found`)
	k.run(t, "TopicCommand", []string{"--describe", "--topic", "moved"}, `Replicas: 3,1`)
}

func (k *kafkasTools) leaderElection(t *testing.T) {
	k.cluster.create(t, "led", 3, nil)
	n := k.cluster.leader(t, "led", 0)
	n.kill()
	k.cluster.await(t, "another leader", func(context.Context) error {
		if k.cluster.leader(t, "led", 0) == n {
			return os.ErrProcessDone
		}
		return nil
	})
	n.start(t)
	k.cluster.awaitInSync(t, "led")
	k.run(t, "LeaderElectionCommand", []string{"--election-type", "preferred", "--topic", "led", "--partition", "0"},
		`(Successfully completed leader election|Valid replica already elected).*led-0`)
	if now := k.cluster.leader(t, "led", 0); now != n {
		t.Errorf("node %d leads, want %d", now.id, n.id)
	}
	k.run(t, "LeaderElectionCommand", []string{"--election-type", "unclean", "--topic", "led", "--partition", "1"}, `Valid replica already elected.*led-1`)
}

func (k *kafkasTools) features(t *testing.T) {
	k.run(t, "FeatureCommand", []string{"describe"}, `Feature: transaction.version\s.*FinalizedVersionLevel: \d`, `Feature: metadata.version`)
	if k.modern {
		k.run(t, "FeatureCommand", []string{"describe"}, `Feature: group.version\s.*FinalizedVersionLevel: 1`)
	}
	k.run(t, "FeatureCommand", []string{"downgrade", "--feature", "transaction.version=1"}, `transaction.version was downgraded to 1`)
	k.run(t, "FeatureCommand", []string{"upgrade", "--feature", "transaction.version=2"}, `transaction.version was upgraded to 2`)
}

func (k *kafkasTools) logDirs(t *testing.T) {
	k.run(t, "LogDirsCommand", []string{"--describe", "--topic-list", "tooled"}, `"partition":"tooled-0","size":[1-9]\d*,"offsetLag":0,"isFuture":false`)
}

func (k *kafkasTools) deleteRecords(t *testing.T) {
	type until struct {
		Topic     string `json:"topic"`
		Partition int    `json:"partition"`
		Offset    int64  `json:"offset"`
	}
	path := file(t, map[string]any{"version": 1, "partitions": []until{{"tooled", 0, 1}}})
	k.run(t, "DeleteRecordsCommand", []string{"--offset-json-file", path}, `partition: tooled-0\s+low_watermark: 1`)
	k.run(t, "GetOffsetShell", []string{"--topic", "tooled", "--time", "earliest"}, `^tooled:0:1$`, `^tooled:1:0$`)
}

func (k *kafkasTools) topics(t *testing.T) {
	k.run(t, "TopicCommand", []string{"--create", "--topic", "made", "--partitions", "2", "--replication-factor", "3", "--config", "cleanup.policy=compact"}, `Created topic made`)
	k.run(t, "TopicCommand", []string{"--alter", "--topic", "made", "--partitions", "4"})
	k.run(t, "TopicCommand", []string{"--describe", "--topic", "made"}, `PartitionCount: 4\s+ReplicationFactor: 3\s+Configs: .*cleanup.policy=compact`, `Partition: 3`)
	k.run(t, "TopicCommand", []string{"--delete", "--topic", "made"})
	if out := k.run(t, "TopicCommand", []string{"--list"}, `^tooled$`, `^__consumer_offsets$`); strings.Contains(out, "made") {
		t.Errorf("the deleted topic is listed:\n%s", out)
	}
}

func (k *kafkasTools) getOffsets(t *testing.T) {
	k.run(t, "GetOffsetShell", []string{"--topic", "transacted", "--time", "latest"}, `^transacted:0:2$`)
	k.run(t, "GetOffsetShell", []string{"--topic", "tooled", "--time", "max-timestamp"}, `^tooled:\d:\d+$`)
}

func (k *kafkasTools) metadataQuorum(t *testing.T) {
	k.run(t, "MetadataQuorumCommand", []string{"describe", "--status"}, `LeaderId:\s+[123]`, `CurrentVoters:`)
	k.run(t, "MetadataQuorumCommand", []string{"describe", "--replication"}, `Leader`, `Follower`)
}

// configs runs kafka-configs, which is in the core, of Kafka 3.9.
func (k *kafkasTools) configs(t *testing.T) {
	need(t, "java/tools-3/kafka*.jar")
	const class = "kafka.admin.ConfigCommand"
	k.runOf(t, "tools-3", class, []string{"--alter", "--entity-type", "topics", "--entity-name", "tooled", "--add-config", "retention.ms=12345678"}, `Completed updating config`)
	k.runOf(t, "tools-3", class, []string{"--describe", "--entity-type", "topics", "--entity-name", "tooled"}, `retention.ms=12345678`)
	k.runOf(t, "tools-3", class, []string{"--alter", "--entity-type", "brokers", "--entity-default", "--add-config", "log.cleaner.threads=2"}, `Completed updating`)
}
