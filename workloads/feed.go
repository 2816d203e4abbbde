package workloads

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"odradek/broker/env"
	"odradek/broker/wire"
	"odradek/checker/history"
	"odradek/workloads/client"
	"odradek/workloads/client/producer"
)

// feed is topics of unique values, and the producers that write them: what most workloads
// begin with.
type feed struct {
	name   string
	params map[string]int
	topic  map[string]string
	// compose makes a record for a partition, and what the history says of it.
	compose func(rng *rand.Rand, tp wire.TopicPartition) (history.Event, producer.Record)
	// acknowledged, if set, is told of records that are in a partition.
	acknowledged func(s *Site, tp wire.TopicPartition)
	// lastValue is the last unique value given out.
	lastValue uint64
	// producing counts the producers that are not done.
	producing int
}

// The parameters of a feed. Producers differ from one another by their number: acks goes
// through all, 1 and 0, requests in flight through 1 and 5, compression through the
// codecs.
var feedDefaults = map[string]int{
	"topics":              1,
	"partitions":          3,    // of each topic
	"replication":         3,    // replication factor
	"producers":           3,    // the first has acks=all, the second 1, the third 0, and so on
	"all-acks":            0,    // 1: every producer has acks=all
	"idempotent":          0,    // 1: those with acks=all are idempotent
	"resend-doubtful":     0,    // 1: these do what Java's do when sequence numbers begin anew
	"operations":          200,  // records of each producer; 0: until told to stop
	"at-least":            0,    // records of all producers together; before that none stops, told or not
	"pace-us":             5000, // mean pause between two records of a producer
	"outstanding":         10,   // records of a producer without a result, at most
	"value-bytes":         20,   // mean size of a value, at least 8
	"batch-bytes":         2048, // batch.size
	"linger-us":           1000, // linger.ms
	"compressed":          1,    // 1: the producers' codecs differ; 0: none
	"request-timeout-ms":  2000,
	"delivery-timeout-ms": 10000,
}

// extend gives parameters and others, which may replace some.
func extend(params, more map[string]int) map[string]int {
	all := maps.Clone(params)
	maps.Copy(all, more)
	return all
}

// picker picks one of several values.
func picker(r *rand.Rand) func(...int) int {
	return func(choices ...int) int { return choices[r.IntN(len(choices))] }
}

// drawFeed draws parameters of a feed that is not what the workload is about.
func drawFeed(r *rand.Rand) map[string]int {
	pick := picker(r)
	producers, rate := pick(1, 2, 3), pick(50, 100, 200) // records a second of all together
	return map[string]int{
		"topics":              pick(1, 1, 2),
		"partitions":          pick(1, 3, 4, 6),
		"producers":           producers,
		"all-acks":            pick(0, 1, 1),
		"idempotent":          pick(0, 1),
		"operations":          0,
		"at-least":            1000,
		"pace-us":             producers * 1_000_000 / rate,
		"outstanding":         pick(3, 10, 100),
		"value-bytes":         pick(8, 20, 200),
		"batch-bytes":         pick(100, 2048, 16384),
		"linger-us":           pick(0, 1000, 10000),
		"compressed":          pick(0, 1),
		"request-timeout-ms":  pick(500, 2000, 5000),
		"delivery-timeout-ms": pick(3000, 10000, 20000),
	}
}

// newFeed makes a feed whose topics begin with a name.
func newFeed(name string, params map[string]int, topic map[string]string) *feed {
	for _, name := range []string{"topics", "partitions", "outstanding", "batch-bytes", "request-timeout-ms", "delivery-timeout-ms"} {
		// Zero of these would make nothing happen, or at once.
		params[name] = max(params[name], 1)
	}
	params["value-bytes"] = max(params["value-bytes"], valueSize)
	w := &feed{name: name, params: params, topic: topic, producing: params["producers"]}
	w.compose = w.plain
	return w
}

func (w *feed) duration(param string, unit time.Duration) time.Duration {
	return time.Duration(w.params[param]) * unit
}

// about is a random time with this mean, which is not 0.
func about(rng *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(rng.Int64N(2*int64(mean)) + 1)
}

func (w *feed) requestTimeout() time.Duration {
	return w.duration("request-timeout-ms", time.Millisecond)
}

func (w *feed) topicName(i int) string { return fmt.Sprintf("%s-%d", w.name, i) }

// topics lists the names of what is written.
func (w *feed) topics() []string {
	var names []string
	for i := range w.params["topics"] {
		names = append(names, w.topicName(i))
	}
	return names
}

// partitions lists what is written, sorted.
func (w *feed) partitions() []wire.TopicPartition {
	var tps []wire.TopicPartition
	for _, name := range w.topics() {
		for p := range w.params["partitions"] {
			tps = append(tps, wire.TopicPartition{Topic: name, Partition: int32(p)})
		}
	}
	return tps
}

// producers are the users who write.
func (w *feed) producers() []User {
	var users []User
	for i := range w.params["producers"] {
		users = append(users, w.producer(i))
	}
	return users
}

// setupTimeout bounds the creation of a topic and the election of its leaders.
const setupTimeout = time.Minute

// Setup implements Workload: it creates the topics and waits for their leaders.
func (w *feed) Setup(t *env.Task, s *Site) error {
	c := s.client("setup", w.requestTimeout(), nil)
	defer c.Close()
	admin := c.NewAdmin().WithTimeout(setupTimeout)
	for i := range w.params["topics"] {
		if err := w.createTopic(t, s, admin, w.topicName(i), w.params["partitions"], w.topic); err != nil {
			return err
		}
	}
	return nil
}

// createTopic creates a topic and waits for its leaders.
func (w *feed) createTopic(t *env.Task, s *Site, admin *client.Admin, name string, partitions int, configs map[string]string) error {
	_, err := admin.CreateTopic(t, client.NewTopic{
		Name:              name,
		Partitions:        int32(partitions),
		ReplicationFactor: int16(w.params["replication"]),
		Configs:           maps.Clone(configs),
	})
	// An attempt whose answer was lost may have created it.
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", name, err)
	}
	return awaitLeaders(t, s, admin, name, partitions)
}

func awaitLeaders(t *env.Task, s *Site, admin *client.Admin, topic string, partitions int) error {
	for until := s.Env.Clock.Now().Add(setupTimeout); s.Env.Clock.Now() < until; s.sleep(t, 50*time.Millisecond) {
		info, err := admin.DescribeTopic(t, topic)
		if err != nil {
			// A broker that has not heard of the topic yet.
			if errors.Is(err, kerr.UnknownTopicOrPartition) {
				continue
			}
			return fmt.Errorf("describe topic %s: %w", topic, err)
		}
		led := 0
		for _, p := range info.Partitions {
			if p.Leader != wire.NoNode {
				led++
			}
		}
		if led == partitions {
			return nil
		}
	}
	return fmt.Errorf("topic %s has partitions without leaders after %v", topic, setupTimeout)
}

// valueSize is the size of the part of a record's value that says which it is.
const valueSize = 8

// nextValue makes a value that no other record of the run has.
func (w *feed) nextValue(rng *rand.Rand) (uint64, []byte) {
	w.lastValue++
	mean := w.params["value-bytes"]
	b := make([]byte, valueSize+rng.IntN(2*(mean-valueSize)+1))
	binary.BigEndian.PutUint64(b, w.lastValue)
	// Padding that depends on the value, so that bytes of another record show.
	for i := valueSize; i < len(b); i++ {
		b[i] = byte(w.lastValue) + byte(i)
	}
	return w.lastValue, b
}

// noSuchValue stands for record bytes that no user wrote.
const noSuchValue = ^uint64(0)

// readValue is the inverse of nextValue.
func readValue(b []byte) uint64 {
	if len(b) < valueSize {
		return noSuchValue
	}
	v := binary.BigEndian.Uint64(b)
	for i := valueSize; i < len(b); i++ {
		if b[i] != byte(v)+byte(i) {
			return noSuchValue
		}
	}
	return v
}
