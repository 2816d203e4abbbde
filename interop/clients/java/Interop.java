import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;

/**
 * Kafka's own client behind the line protocol of program_test.go. It compiles against
 * 3.x and 4.x alike.
 */
public class Interop {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration PATIENCE = Duration.ofSeconds(60); // as in client_test.go
    private static final long LATEST = -1;
    private static final long EARLIEST = -2;

    private final String bootstrap;
    private final BufferedReader lines;
    private final PrintStream answers;

    private Interop(String bootstrap, BufferedReader lines, PrintStream answers) {
        this.bootstrap = bootstrap;
        this.lines = lines;
        this.answers = answers;
    }

    public static void main(String[] args) throws Exception {
        // Standard output is for the answers alone.
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Interop client = new Interop(args[args.length - 1], lines, answers);
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            ObjectNode answer = JSON.createObjectNode();
            try {
                client.run(JSON.readTree(line), answer);
            } catch (Exception e) {
                e.printStackTrace();
                answer.put("error", e.toString());
            }
            answers.println(JSON.writeValueAsString(answer));
        }
    }

    private void run(JsonNode command, ObjectNode answer) throws Exception {
        switch (command.get("op").asText()) {
            case "describe":
                describe(answer);
                break;
            case "create":
                create(command);
                break;
            case "produce":
                produce(command, answer);
                break;
            case "consume":
                consume(command, answer);
                break;
            case "offset":
                try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
                    answer.put("offset", offset(consumer, partition(command), command.get("at").asLong()));
                }
                break;
            case "work":
                new Job(properties(), command, new Telling(JSON, lines, answers)).work();
                break;
            default:
                throw new IllegalArgumentException(command.get("op").asText());
        }
    }

    private Properties properties() {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("reconnect.backoff.max.ms", "500"); // a restarting node comes back within a second
        return p;
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        Properties p = properties();
        p.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        p.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        p.put("auto.offset.reset", "none");
        p.put("fetch.max.wait.ms", "200");
        return new KafkaConsumer<>(p);
    }

    private static TopicPartition partition(JsonNode command) {
        return new TopicPartition(command.get("topic").asText(), command.get("partition").asInt());
    }

    private void describe(ObjectNode answer) throws Exception {
        try (Admin admin = Admin.create(properties())) {
            ArrayNode brokers = answer.putArray("brokers");
            for (Node n : admin.describeCluster().nodes().get()) {
                brokers.add(n.id());
            }
            ObjectNode topics = answer.putObject("topics");
            admin.describeTopics(admin.listTopics().names().get()).allTopicNames().get()
                .forEach((name, d) -> topics.put(name, d.partitions().size()));
        }
    }

    private void create(JsonNode command) throws Exception {
        NewTopic topic = new NewTopic(
            command.get("topic").asText(), command.get("partitions").asInt(), (short) command.get("replication").asInt());
        try (Admin admin = Admin.create(properties())) {
            admin.createTopics(List.of(topic)).all().get();
        }
    }

    private void produce(JsonNode command, ObjectNode answer) throws Exception {
        Properties p = properties();
        p.put("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        p.put("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        int acks = command.get("acks").asInt();
        boolean ordered = command.get("ordered").asBoolean();
        p.put("acks", String.valueOf(acks));
        p.put("compression.type", command.get("codec").asText());
        p.put("enable.idempotence", String.valueOf(acks == -1 && !ordered));
        p.put("linger.ms", command.get("pause_ms").asInt() > 0 ? "0" : "20");
        if (ordered) {
            p.put("max.in.flight.requests.per.connection", "1");
        }
        TopicPartition tp = partition(command);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p)) {
            for (JsonNode r : command.get("records")) {
                Long timestamp = r.has("timestamp") ? r.get("timestamp").asLong() : null;
                ProducerRecord<byte[], byte[]> out =
                    new ProducerRecord<>(tp.topic(), tp.partition(), timestamp, bytes(r.get("key")), bytes(r.get("value")));
                if (r.has("headers")) {
                    for (JsonNode h : r.get("headers")) {
                        out.headers().add(h.get(0).asText(), bytes(h.get(1)));
                    }
                }
                sent.add(producer.send(out));
                Thread.sleep(command.get("pause_ms").asLong());
            }
            ArrayNode offsets = answer.putArray("offsets");
            for (Future<RecordMetadata> f : sent) {
                offsets.add(f.get(PATIENCE.toSeconds(), TimeUnit.SECONDS).offset());
            }
        }
    }

    private void consume(JsonNode command, ObjectNode answer) {
        ArrayNode records = answer.putArray("records");
        TopicPartition tp = partition(command);
        int count = command.get("count").asInt();
        String until = command.get("until").asText();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            consumer.assign(List.of(tp));
            long at = command.get("at").asLong();
            switch (command.get("from").asText()) {
                case "beginning":
                    consumer.seekToBeginning(List.of(tp));
                    break;
                case "offset":
                    consumer.seek(tp, at);
                    break;
                default:
                    consumer.seek(tp, offset(consumer, tp, at));
            }
            while (true) {
                for (ConsumerRecord<byte[], byte[]> in : consumer.poll(Duration.ofMillis(200))) {
                    ObjectNode out = records.addObject();
                    out.put("offset", in.offset()).put("timestamp", in.timestamp());
                    out.put("key", text(in.key())).put("value", text(in.value()));
                    ArrayNode headers = out.putArray("headers");
                    for (Header h : in.headers()) {
                        headers.addArray().add(h.key()).add(text(h.value()));
                    }
                    if (records.size() == count || !until.isEmpty() && until.equals(text(in.value()))) {
                        return;
                    }
                }
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("timed out after " + records.size() + " records");
                }
            }
        }
    }

    private static long offset(KafkaConsumer<byte[], byte[]> consumer, TopicPartition tp, long at) {
        if (at == EARLIEST) {
            return consumer.beginningOffsets(List.of(tp), PATIENCE).get(tp);
        }
        if (at == LATEST) {
            return consumer.endOffsets(List.of(tp), PATIENCE).get(tp);
        }
        return consumer.offsetsForTimes(Map.of(tp, at), PATIENCE).get(tp).offset();
    }

    private static byte[] bytes(JsonNode text) {
        return text == null || text.isNull() ? null : text.asText().getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }
}
