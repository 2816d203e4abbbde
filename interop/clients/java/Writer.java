import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/** A transactional producer, and another after each that cannot go on. */
class Writer implements AutoCloseable {
    static class Output {
        final int partition;
        final String value;
        final String input;

        Output(int partition, String value, String input) {
            this.partition = partition;
            this.value = value;
            this.input = input;
        }
    }

    private final Properties properties = new Properties();
    private final String output;
    private final Telling telling;
    private KafkaProducer<byte[], byte[]> producer;

    Writer(Properties common, String name, String output, Telling telling) {
        properties.putAll(common);
        properties.put("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        properties.put("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
        properties.put("transactional.id", name);
        this.output = output;
        this.telling = telling;
        open();
    }

    private void open() {
        producer = new KafkaProducer<>(properties);
        producer.initTransactions();
        telling.tell(telling.event("restarted"));
    }

    /** Whether the transaction ended as it should. */
    boolean transaction(List<Output> outputs, Map<TopicPartition, OffsetAndMetadata> offsets, ConsumerGroupMetadata member, boolean abort) {
        ObjectNode begin = withOffsets(telling.event("begin"), offsets == null ? Map.of() : offsets);
        ArrayNode told = begin.putArray("outputs");
        outputs.forEach(o -> told.addArray().add(o.partition).add(o.value).add(o.input));
        telling.tell(begin);
        boolean written = true;
        try {
            producer.beginTransaction();
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (Output o : outputs) {
                sent.add(producer.send(new ProducerRecord<>(output, o.partition, null, o.value.getBytes(StandardCharsets.UTF_8))));
            }
            if (offsets != null) {
                producer.sendOffsetsToTransaction(offsets, member);
            }
            producer.flush();
            for (Future<RecordMetadata> f : sent) {
                f.get();
            }
        } catch (KafkaException | ExecutionException | InterruptedException e) {
            e.printStackTrace();
            written = false;
        }
        boolean commit = written && !abort;
        telling.tell(telling.event("ending").put("written", written).put("commit", commit));
        try {
            if (commit) {
                producer.commitTransaction();
            } else {
                producer.abortTransaction();
            }
            telling.tell(telling.event("ended").put("outcome", "ok"));
            return written;
        } catch (KafkaException e) {
            e.printStackTrace();
            telling.tell(telling.event("ended").put("outcome", "unknown"));
            producer.close(Duration.ZERO);
            open(); // it ends what the old one left
            return false;
        }
    }

    static ObjectNode withOffsets(ObjectNode event, Map<TopicPartition, OffsetAndMetadata> offsets) {
        ObjectNode told = event.putObject("offsets");
        offsets.forEach((tp, at) -> told.put(String.valueOf(tp.partition()), at.offset()));
        return event;
    }

    @Override
    public void close() {
        producer.close();
    }
}
