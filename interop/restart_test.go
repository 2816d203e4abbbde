package interop

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// runRestarts lets one client produce and consume while nodes are killed (kill -9)
// and started again: the only node of one, and leader and another of three.
//
// Producers do without idempotence, which leaves duplicates but, with one request in
// flight, keeps the order: every record that was acknowledged must be there, at
// the offset that the client was told, the first copies in order; and a
// consumer that ran all the time must have seen exactly the log.
func runRestarts(t *testing.T, k kind) {
	for _, size := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d-nodes", size), func(t *testing.T) {
			if size == 1 && k.endsAlone {
				t.Skip("the client gives up when all nodes are down")
			}
			c := ownCluster(t, size)
			const topic = "restart"
			c.create(t, topic, 1, nil)
			producer, consumer := k.start(t, c.bootstrap()), k.start(t, c.bootstrap())
			t.Cleanup(producer.close)
			t.Cleanup(consumer.close)

			const count = 300
			codec := k.codecs[len(k.codecs)-1]
			sent := make([]record, count)
			for i := range sent {
				sent[i].Key, sent[i].Value = text(fmt.Sprint(i)), text(fmt.Sprintf("value-%d", i))
			}
			last := *sent[count-1].Value
			var offsets []int64
			var seen []record
			produced, consumed := make(chan error, 1), make(chan error, 1)
			go func() {
				var err error
				offsets, err = producer.produce(produceRequest{
					Topic: topic, Codec: codec, Acks: -1, Ordered: true, PauseMS: 20, Records: sent,
				})
				produced <- err
			}()
			go func() {
				var err error
				seen, err = consumer.consume(consumeRequest{Topic: topic, From: "beginning", Until: last})
				consumed <- err
			}()
			// The first kill hits the leader in mid-run, the second whoever leads then.
			for range min(size, 2) {
				time.Sleep(1500 * time.Millisecond)
				n := c.leader(t, topic, 0)
				n.kill()
				time.Sleep(time.Second)
				n.start(t)
				c.awaitInSync(t, topic)
			}
			if err := <-produced; err != nil {
				t.Fatalf("produce: %v", err)
			}
			if err := <-consumed; err != nil {
				t.Fatalf("consume: %v", err)
			}

			reference := startFranz(t, c.bootstrap())
			t.Cleanup(reference.close)
			end, err := reference.offset(topic, 0, latest)
			if err != nil {
				t.Fatal(err)
			}
			log, err := reference.consume(consumeRequest{Topic: topic, From: "beginning", Count: int(end)})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d records, %d in the log", count, end)
			checkRestart(t, sent, offsets, log, seen)
		})
	}
}

func checkRestart(t *testing.T, sent []record, offsets []int64, log, seen []record) {
	t.Helper()
	var firsts []string
	for i, r := range log {
		if r.Offset != int64(i) {
			t.Fatalf("the log's record %d has offset %d", i, r.Offset)
		}
		if !slices.Contains(firsts, *r.Value) {
			firsts = append(firsts, *r.Value)
		}
	}
	if len(firsts) != len(sent) {
		t.Errorf("the log has %d of %d records", len(firsts), len(sent))
	}
	for i, r := range sent {
		if i < len(firsts) && firsts[i] != *r.Value {
			t.Fatalf("the log has %s where %s is due", firsts[i], *r.Value)
		}
		if offsets == nil {
			continue
		}
		if o := offsets[i]; o < 0 || o >= int64(len(log)) || *log[o].Value != *r.Value {
			t.Fatalf("%s was acknowledged at offset %d, which has another record", *r.Value, o)
		}
	}
	for i, r := range seen {
		if i >= len(log) || r.Offset != log[i].Offset || *r.Value != *log[i].Value {
			t.Fatalf("the consumer's record %d is %s at offset %d, which is not the log's", i, *r.Value, r.Offset)
		}
	}
}
