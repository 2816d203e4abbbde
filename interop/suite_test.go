package interop

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// allCodecs in the order of the fixture's partitions.
var allCodecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// runSuite does with one client, against one node and against three, what every
// client must be able to do.
func runSuite(t *testing.T, k kind) {
	for _, size := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d-nodes", size), func(t *testing.T) {
			c := sharedCluster(t, size)
			s := &suite{kind: k, cluster: c, topic: topicName(t)}
			s.client = k.start(t, c.bootstrap())
			t.Cleanup(s.client.close)
			s.reference = startFranz(t, c.bootstrap())
			t.Cleanup(s.reference.close)
			t.Run("lists-the-cluster", s.listsTheCluster)
			t.Run("creates-a-topic", s.createsATopic)
			c.create(t, s.topic, 3*len(allCodecs), nil)
			for i, codec := range k.codecs {
				for j, acks := range []int{-1, 1, 0} {
					t.Run(fmt.Sprintf("produces-%s-acks-%s", codec, []string{"all", "1", "0"}[j]), func(t *testing.T) {
						s.produces(t, int32(3*i+j), codec, acks)
					})
				}
			}
			t.Run("produces-and-consumes-megabytes", s.megabytes)
			t.Run("consumes-from-the-beginning", s.consumesFromTheBeginning)
			t.Run("consumes-from-an-offset", s.consumesFromAnOffset)
			t.Run("finds-offsets", s.findsOffsets)
			t.Run("consumes-from-a-timestamp", s.consumesFromATimestamp)
			t.Run("consumes-what-is-yet-to-come", s.consumesWhatIsYetToCome)
		})
	}
}

// topicName is a topic of this test alone.
func topicName(t *testing.T) string {
	return strings.ToLower(strings.NewReplacer("/", ".", "#", ".").Replace(t.Name()))
}

type suite struct {
	kind
	cluster   *cluster
	client    client
	reference client
	topic     string
}

func (s *suite) listsTheCluster(t *testing.T) {
	fixture(t, s.cluster)
	got, err := s.client.describe()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got.Brokers)
	if diff := cmp.Diff(s.cluster.ids(), got.Brokers); diff != "" {
		t.Errorf("brokers (-want +got):\n%s", diff)
	}
	if got.Topics[fixtureTopic] != len(allCodecs) {
		t.Errorf("%s has %d partitions, want %d", fixtureTopic, got.Topics[fixtureTopic], len(allCodecs))
	}
}

func (s *suite) createsATopic(t *testing.T) {
	if s.noCreate {
		t.Skip("the client cannot create topics")
	}
	topic := s.topic + ".created"
	if err := s.client.create(topic, 4, len(s.cluster.nodes)); err != nil {
		t.Fatal(err)
	}
	s.cluster.awaitInSync(t, topic)
	got, err := s.reference.describe()
	if err != nil {
		t.Fatal(err)
	}
	if got.Topics[topic] != 4 {
		t.Errorf("%s has %d partitions, want 4", topic, got.Topics[topic])
	}
	if err := s.client.create(topic, 4, len(s.cluster.nodes)); err == nil {
		t.Error("creating the topic again succeeded")
	}
}

// records are what a client can express of every shape a record has.
func (s *suite) records(count int) []record {
	records := make([]record, count)
	for i := range records {
		r := &records[i]
		r.Key, r.Value = text(fmt.Sprintf("key-%d", i%7)), text(fmt.Sprintf("value-%d-%s", i, strings.Repeat("ä", i%20)))
		if !s.noTimestamps {
			r.Timestamp = fixtureTime + int64(i)*10
		}
		if !s.noHeaders && i%3 == 0 {
			r.Headers = []header{{"a", fmt.Sprint(i)}, {"b", "x"}, {"a", "again"}}
		}
		switch {
		case i%11 == 5:
			r.Key = nil
		case i%13 == 7 && !s.noTombstones:
			r.Value = nil
		case i%17 == 9 && !s.noTombstones:
			r.Value = text("")
		}
	}
	return records
}

func (s *suite) produces(t *testing.T, partition int32, codec string, acks int) {
	const count = 120
	sent := s.records(count)
	offsets, err := s.client.produce(produceRequest{Topic: s.topic, Partition: partition, Codec: codec, Acks: acks, Records: sent})
	if err != nil {
		t.Fatal(err)
	}
	if acks != 0 && !s.noOffsets {
		checkOffsets(t, offsets, 0, count)
	}
	from := consumeRequest{Topic: s.topic, Partition: partition, From: "beginning", Count: count}
	got, err := s.reference.consume(from)
	if err != nil {
		t.Fatal(err)
	}
	s.compare(t, "franz-go", sent, got)
	codecs := map[string]int{}
	for _, r := range got {
		codecs[r.Codec]++
	}
	// Clients may leave a batch as it is if compressing makes it no smaller.
	if codecs[codec] < count/2 || codecs[codec]+codecs["none"] < count {
		t.Errorf("the records are compressed with %v, want %s", codecs, codec)
	}
	if got, err = s.client.consume(from); err != nil {
		t.Fatal(err)
	}
	s.compare(t, "the client", sent, got)
}

func checkOffsets(t *testing.T, offsets []int64, base int64, count int) {
	t.Helper()
	if len(offsets) != count {
		t.Fatalf("%d offsets, want %d", len(offsets), count)
	}
	for i, o := range offsets {
		if o != base+int64(i) {
			t.Fatalf("record %d has offset %d, want %d", i, o, base+int64(i))
		}
	}
}

// compare checks records read from offset 0 on with what was sent.
func (s *suite) compare(t *testing.T, reader string, sent, got []record) {
	t.Helper()
	if len(got) != len(sent) {
		t.Fatalf("%s read %d records, want %d", reader, len(got), len(sent))
	}
	for i, r := range got {
		if r.Offset != int64(i) {
			t.Fatalf("%s: record %d has offset %d", reader, i, r.Offset)
		}
	}
	if s.emptyIsNull {
		sent = slices.Clone(sent)
		for i, r := range sent {
			if r.Value != nil && *r.Value == "" && got[i].Value == nil {
				sent[i].Value = nil
			}
		}
	}
	diff := cmp.Diff(sent, got, cmpopts.IgnoreFields(record{}, "Offset", "Codec"),
		// A record without a timestamp got the time of its sending.
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Timestamp" },
			cmp.Comparer(func(a, b int64) bool { return a == b || a == 0 || b == 0 })),
		// kafkajs keeps the order only among headers of one name.
		cmp.Transformer("sorted", func(hs []header) map[string][]string {
			byName := map[string][]string{}
			for _, h := range hs {
				byName[h[0]] = append(byName[h[0]], h[1])
			}
			return byName
		}))
	if diff != "" {
		t.Fatalf("%s (-sent +got):\n%s", reader, diff)
	}
}

func (s *suite) megabytes(t *testing.T) {
	topic := s.topic + ".megabytes"
	s.cluster.create(t, topic, 1, nil)
	records := make([]record, 12)
	for i := range records {
		records[i].Key = text(fmt.Sprint(i))
		records[i].Value = text(strings.Repeat(fmt.Sprintf("%08d|", i), 100_000)) // 900 kB
	}
	for i := range 200 {
		records = append(records, record{Key: text(fmt.Sprint(i)), Value: text(strings.Repeat("x", 9000))})
	}
	if _, err := s.client.produce(produceRequest{Topic: topic, Codec: "none", Acks: -1, Records: records}); err != nil {
		t.Fatal(err)
	}
	got, err := s.client.consume(consumeRequest{Topic: topic, From: "beginning", Count: len(records)})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(records) {
		t.Fatalf("read %d records, want %d", len(got), len(records))
	}
	for i, r := range got {
		if r.Offset != int64(i) || r.Value == nil || *r.Value != *records[i].Value {
			t.Fatalf("record %d came back at offset %d with another value", i, r.Offset)
		}
	}
}

// The fixture is a topic that franz-go wrote, with one partition for each codec.
const (
	fixtureTopic = "fixture"
	fixtureCount = 300
	fixtureTime  = 1_700_000_000_000 // its first timestamp; a second passes between two
)

var (
	fixtureOnce = map[*cluster]*sync.Once{}
	fixtureMu   sync.Mutex
)

// fixture writes the fixture if it is not there yet. The records of all partitions
// are alike.
func fixture(t *testing.T, c *cluster) []record {
	t.Helper()
	records := (&suite{}).records(fixtureCount)
	for i := range records {
		records[i].Timestamp = fixtureTime + int64(i)*1000
	}
	fixtureMu.Lock()
	defer fixtureMu.Unlock()
	if fixtureOnce[c] == nil {
		fixtureOnce[c] = new(sync.Once)
	}
	fixtureOnce[c].Do(func() {
		c.create(t, fixtureTopic, len(allCodecs), nil)
		writer := startFranz(t, c.bootstrap())
		defer writer.close()
		for p, codec := range allCodecs {
			for part := range slices.Chunk(records, 40) { // batches to find one's way in
				_, err := writer.produce(produceRequest{Topic: fixtureTopic, Partition: int32(p), Codec: codec, Acks: -1, Records: part})
				if err != nil {
					t.Fatalf("writing the fixture: %v", err)
				}
			}
		}
	})
	return records
}

// readsFixture reads each of the fixture's partitions that the client can.
func (s *suite) readsFixture(t *testing.T, from string, at int64, first int) {
	want := fixture(t, s.cluster)[first:]
	for p, codec := range allCodecs {
		if !slices.Contains(s.codecs, codec) {
			continue
		}
		got, err := s.client.consume(consumeRequest{Topic: fixtureTopic, Partition: int32(p), From: from, At: at, Count: len(want)})
		if err != nil {
			t.Fatalf("%s: %v", codec, err)
		}
		if len(got) == 0 || got[0].Offset != int64(first) {
			t.Fatalf("%s: begins with %+v, want offset %d", codec, got[:min(1, len(got))], first)
		}
		for i := range got {
			got[i].Offset -= int64(first)
		}
		s.compare(t, codec, want, got)
	}
}

func (s *suite) consumesFromTheBeginning(t *testing.T) { s.readsFixture(t, "beginning", 0, 0) }

func (s *suite) consumesFromAnOffset(t *testing.T) { s.readsFixture(t, "offset", 137, 137) }

func (s *suite) consumesFromATimestamp(t *testing.T) {
	s.readsFixture(t, "timestamp", fixtureTime+200_000-1, 200)
}

func (s *suite) findsOffsets(t *testing.T) {
	fixture(t, s.cluster)
	for timestamp, want := range map[int64]int64{
		earliest: 0, latest: fixtureCount, 1: 0, fixtureTime + 41_000: 41, fixtureTime + 41_001: 42,
	} {
		got, err := s.client.offset(fixtureTopic, 0, timestamp)
		if err != nil || got != want {
			t.Errorf("the offset for %d is %d, %v, want %d", timestamp, got, err, want)
		}
	}
}

// A consumer that waits at the end gets what is produced afterwards.
func (s *suite) consumesWhatIsYetToCome(t *testing.T) {
	topic := s.topic + ".tail"
	s.cluster.create(t, topic, 1, nil)
	type result struct {
		records []record
		err     error
	}
	done := make(chan result, 1)
	go func() {
		records, err := s.client.consume(consumeRequest{Topic: topic, From: "beginning", Count: 30})
		done <- result{records, err}
	}()
	records := (&suite{}).records(30)
	if _, err := s.reference.produce(produceRequest{Topic: topic, Codec: "none", Acks: -1, PauseMS: 30, Records: records}); err != nil {
		t.Fatal(err)
	}
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	s.compare(t, "the client", records, r.records)
}
