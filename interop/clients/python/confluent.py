"""confluent-kafka, that is a current librdkafka."""

import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lines import EARLIEST, LATEST, PATIENCE, decode, encode, enough, serve


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


serve(Client(sys.argv[-1]))
