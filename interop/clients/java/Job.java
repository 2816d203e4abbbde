import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/** A member's part of a job: job_test.go says what the tasks are. */
class Job {
    private static final Map<String, String> ASSIGNORS = Map.of(
        "range", "org.apache.kafka.clients.consumer.RangeAssignor",
        "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor",
        "sticky", "org.apache.kafka.clients.consumer.StickyAssignor",
        "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");

    private final Properties common;
    private final JsonNode order;
    private final Telling telling;
    private final String task;
    private final String input;
    private long nextValue;

    Job(Properties common, JsonNode order, Telling telling) {
        this.common = common;
        this.order = order;
        this.telling = telling;
        task = order.get("task").asText();
        input = order.get("input").asText();
        nextValue = order.get("first_value").asLong();
    }

    void work() {
        if (task.equals("transact")) {
            transact();
        } else {
            consume();
        }
    }

    private List<Writer.Output> outputs(List<String> inputs) {
        List<Writer.Output> outputs = new ArrayList<>();
        for (String in : inputs) {
            outputs.add(new Writer.Output((int) (nextValue % order.get("output_partitions").asInt()), String.valueOf(nextValue), in));
            nextValue++;
        }
        return outputs;
    }

    private Writer writer() {
        return new Writer(common, order.get("name").asText(), order.get("output").asText(), telling);
    }

    private void transact() {
        try (Writer writer = writer()) {
            for (int i = 0; telling.going(); i++) {
                writer.transaction(outputs(List.of("0", "0", "0", "0")), null, null, i % 3 == 2);
            }
        }
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        Properties p = new Properties();
        p.putAll(common);
        p.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        p.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        p.put("group.id", order.get("group").asText());
        p.put("client.id", order.get("name").asText());
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "earliest");
        p.put("fetch.max.wait.ms", "200");
        p.put("max.poll.records", "20");
        p.put("isolation.level", order.get("read_committed").asBoolean() ? "read_committed" : "read_uncommitted");
        if (order.get("next_generation").asBoolean()) {
            p.put("group.protocol", "consumer");
        } else {
            p.put("partition.assignment.strategy", ASSIGNORS.get(order.get("assignor").asText()));
            p.put("session.timeout.ms", "15000");
            p.put("heartbeat.interval.ms", "500");
        }
        return new KafkaConsumer<>(p);
    }

    private void consume() {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(); Writer writer = task.equals("transform") ? writer() : null) {
            consumer.subscribe(List.of(input), new Listener(consumer));
            while (telling.going()) {
                ConsumerRecords<byte[], byte[]> polled = consumer.poll(Duration.ofMillis(300));
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                List<String> values = new ArrayList<>();
                ObjectNode told = telling.event("polled");
                ArrayNode records = told.putArray("records");
                for (ConsumerRecord<byte[], byte[]> r : polled) {
                    String value = new String(r.value(), StandardCharsets.UTF_8);
                    records.addArray().add(r.partition()).add(r.offset()).add(value);
                    values.add(value);
                    offsets.put(new TopicPartition(input, r.partition()), new OffsetAndMetadata(r.offset() + 1));
                }
                telling.tell(told);
                if (!telling.going() || offsets.isEmpty()) {
                    continue;
                }
                if (writer == null) {
                    commit(consumer, offsets);
                } else if (!writer.transaction(outputs(values), offsets, consumer.groupMetadata(), false)) {
                    rewind(consumer);
                }
            }
        }
    }

    private void commit(KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, OffsetAndMetadata> offsets) {
        telling.tell(Writer.withOffsets(telling.event("committing"), offsets));
        String outcome = "ok";
        try {
            consumer.commitSync(offsets);
        } catch (KafkaException e) {
            outcome = "unknown";
        }
        telling.tell(telling.event("committed").put("outcome", outcome));
    }

    /** Goes back to what is committed. */
    private void rewind(KafkaConsumer<byte[], byte[]> consumer) {
        telling.tell(telling.event("rewound"));
        Set<TopicPartition> assigned = new HashSet<>(consumer.assignment());
        consumer.committed(assigned, Duration.ofSeconds(60)).forEach((tp, at) -> consumer.seek(tp, at == null ? 0 : at.offset()));
    }

    private class Listener implements ConsumerRebalanceListener {
        private final KafkaConsumer<byte[], byte[]> consumer;

        Listener(KafkaConsumer<byte[], byte[]> consumer) {
            this.consumer = consumer;
        }

        private ObjectNode partitions(String event, Collection<TopicPartition> tps) {
            ObjectNode told = telling.event(event);
            ArrayNode ids = told.putArray("partitions");
            tps.forEach(tp -> ids.add(tp.partition()));
            return told;
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> tps) {
            telling.tell(partitions("assigned", tps)
                .put("member", consumer.groupMetadata().memberId()).put("generation", consumer.groupMetadata().generationId()));
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> tps) {
            telling.tell(partitions("revoked", tps));
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> tps) {
            telling.tell(telling.event("lost"));
        }
    }
}
