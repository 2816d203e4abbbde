"""confluent-kafka, that is a current librdkafka."""

import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lines import EARLIEST, LATEST, PATIENCE, Telling, Values, decode, encode, enough, serve


class Client:
    def __init__(self, bootstrap):
        # A restarting node comes back within a second.
        self.config = {"bootstrap.servers": bootstrap, "reconnect.backoff.max.ms": 500}
        self.admin = AdminClient(self.config)

    def describe(self, **_):
        m = self.admin.list_topics(timeout=PATIENCE)
        return {"brokers": list(m.brokers), "topics": {n: len(t.partitions) for n, t in m.topics.items()}}

    def create(self, topic, partitions, replication, **_):
        futures = self.admin.create_topics([NewTopic(topic, partitions, replication)])
        futures[topic].result(PATIENCE)

    def produce(self, topic, partition, codec, acks, ordered, pause_ms, records):
        config = {
            **self.config,
            "acks": acks,
            "compression.type": codec,
            "enable.idempotence": acks == -1 and not ordered,
            "message.timeout.ms": PATIENCE * 1000,
        }
        if ordered:
            config["max.in.flight"] = 1
        producer = Producer(config)
        offsets, failures = [-1] * len(records), []

        def delivered(i):
            def report(error, message):
                if error:
                    failures.append(f"record {i}: {error}")
                elif message.offset() is not None:
                    offsets[i] = message.offset()
            return report

        for i, r in enumerate(records):
            producer.produce(
                topic, encode(r["value"]), encode(r["key"]), partition, on_delivery=delivered(i),
                timestamp=r.get("timestamp", 0), headers=[(n, v.encode()) for n, v in r.get("headers") or []])
            producer.poll(pause_ms / 1000)
            if pause_ms:
                time.sleep(pause_ms / 1000)
        left = producer.flush(PATIENCE)
        if failures or left:
            raise RuntimeError(f"{left} records not delivered; {failures[:3]}")
        return {"offsets": offsets}

    def consumer(self):
        return Consumer({**self.config, "group.id": "none", "enable.auto.commit": False,
                         "auto.offset.reset": "error", "fetch.wait.max.ms": 200})

    def consume(self, topic, partition, at, count, until, **start):
        consumer = self.consumer()
        try:
            offset = {"beginning": 0, "offset": at}.get(start["from"])
            if offset is None:
                offset = self.find(consumer, topic, partition, at)
            consumer.assign([TopicPartition(topic, partition, offset)])
            records, deadline = [], time.monotonic() + PATIENCE
            while not enough(records, count, until):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"after {len(records)} records")
                m = consumer.poll(0.2)
                if m is None:
                    continue
                if m.error():
                    raise KafkaException(m.error())
                records.append({
                    "offset": m.offset(), "timestamp": m.timestamp()[1], "key": decode(m.key()), "value": decode(m.value()),
                    "headers": [[n, decode(v)] for n, v in m.headers() or []]})
            return {"records": records}
        finally:
            consumer.close()

    def find(self, consumer, topic, partition, timestamp):
        found = consumer.offsets_for_times([TopicPartition(topic, partition, timestamp)], timeout=PATIENCE)[0]
        if found.error:
            raise KafkaException(found.error)
        return found.offset

    def offset(self, topic, partition, at, **_):
        consumer = self.consumer()
        try:
            if at in (EARLIEST, LATEST):
                low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=PATIENCE)
                return {"offset": low if at == EARLIEST else high}
            return {"offset": self.find(consumer, topic, partition, at)}
        finally:
            consumer.close()

    def work(self, task, name, group, input, output, output_partitions, assignor, next_generation, read_committed, first_value):
        tell, values = Telling(), Values(first_value, output_partitions)
        if task == "transact":
            writer, i = Writer(self.config, name, output, tell), 0
            while tell.going:
                writer.transaction(values.outputs(["0"] * 4), {}, i % 3 == 2, None)
                i += 1
            return {}
        config = {**self.config, "group.id": group, "client.id": name, "enable.auto.commit": False, "auto.offset.reset": "earliest",
                  "fetch.wait.max.ms": 200, "isolation.level": "read_committed" if read_committed else "read_uncommitted"}
        if next_generation:
            config["group.protocol"] = "consumer"
        else:
            config |= {"partition.assignment.strategy": assignor, "session.timeout.ms": 15000, "heartbeat.interval.ms": 500}
        consumer = Consumer(config)
        writer = Writer(self.config, name, output, tell) if task == "transform" else None

        # The generation is nothing that it tells.
        def assigned(consumer, tps):
            tell("assigned", member=consumer.memberid(), generation=-1, partitions=[tp.partition for tp in tps])

        consumer.subscribe([input], on_assign=assigned)
        try:
            while tell.going:
                messages = [m for m in consumer.consume(20, 0.3) if not m.error()]
                if not tell("polled", records=[[m.partition(), m.offset(), decode(m.value())] for m in messages]) or not messages:
                    continue
                offsets = {m.partition(): m.offset() + 1 for m in messages}
                tps = [TopicPartition(input, p, o) for p, o in offsets.items()]
                if task == "transform":
                    outputs = values.outputs([decode(m.value()) for m in messages])
                    add = lambda p: p.send_offsets_to_transaction(tps, consumer.consumer_group_metadata(), PATIENCE)
                    if not writer.transaction(outputs, offsets, False, add):
                        tell("rewound")
                        self.rewind(consumer)
                    continue
                tell("committing", offsets=offsets)
                outcome = "ok"
                try:
                    if any(tp.error for tp in consumer.commit(offsets=tps, asynchronous=False)):
                        outcome = "unknown"
                except KafkaException:
                    outcome = "unknown"
                tell("committed", outcome=outcome)
            return {}
        finally:
            consumer.close()

    def rewind(self, consumer):
        """Goes back to what is committed."""
        for _ in range(PATIENCE):
            try:
                for tp in consumer.committed(consumer.assignment(), timeout=10):
                    if tp.error:
                        raise KafkaException(tp.error)
                    consumer.seek(TopicPartition(tp.topic, tp.partition, max(tp.offset, 0)))
                return
            except KafkaException:
                time.sleep(1)
        raise TimeoutError("the committed offsets")


class Writer:
    """A transactional producer, and another after each that cannot go on."""

    def __init__(self, config, name, output, tell):
        self.config, self.output, self.tell, self.producer = {**config, "transactional.id": name}, output, tell, None
        self.open()

    def open(self):
        for _ in range(PATIENCE):
            self.producer = Producer(self.config)
            try:
                self.producer.init_transactions(PATIENCE)
                self.tell("restarted")
                return
            except KafkaException:
                time.sleep(1)
        raise TimeoutError("init_transactions")

    def transaction(self, outputs, offsets, abort, add):
        """Whether the transaction ended as it should."""
        failures = []
        self.tell("begin", outputs=outputs, offsets=offsets)
        try:
            self.producer.begin_transaction()
            for partition, value, _ in outputs:
                self.producer.produce(self.output, value.encode(), partition=partition, on_delivery=lambda e, _: e and failures.append(e))
            written = self.producer.flush(PATIENCE) == 0 and not failures
            if written and add:
                add(self.producer)
        except KafkaException:
            written = False
        commit = written and not abort
        self.tell("ending", written=written, commit=commit)
        try:
            (self.producer.commit_transaction if commit else self.producer.abort_transaction)(PATIENCE)
            self.tell("ended", outcome="ok")
            return written
        except KafkaException as e:
            outcome = "unknown"
            if commit and e.args[0].txn_requires_abort():
                try:
                    self.producer.abort_transaction(PATIENCE)
                    self.tell("ended", outcome="failed")
                    return False
                except KafkaException:
                    pass
            self.tell("ended", outcome=outcome)
            self.open()
            return False


serve(Client(sys.argv[-1]))
