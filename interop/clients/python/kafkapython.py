"""kafka-python, a client without librdkafka."""

import sys
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from lines import EARLIEST, LATEST, PATIENCE, decode, encode, enough, serve


class Client:
    def __init__(self, bootstrap):
        # A restarting node comes back within a second.
        self.config = {"bootstrap_servers": bootstrap.split(","), "reconnect_backoff_max_ms": 500}

    def describe(self, **_):
        admin = KafkaAdminClient(**self.config)
        try:
            cluster = admin.describe_cluster()
            topics = {t["name"]: len(t["partitions"]) for t in admin.describe_topics()}
            return {"brokers": [b["broker_id"] for b in cluster["brokers"]], "topics": topics}
        finally:
            admin.close()

    def create(self, topic, partitions, replication, **_):
        admin = KafkaAdminClient(**self.config)
        try:
            admin.create_topics([NewTopic(topic, partitions, replication)])
        finally:
            admin.close()

    def produce(self, topic, partition, codec, acks, ordered, pause_ms, records):
        config = {
            **self.config,
            "acks": acks,
            "compression_type": None if codec == "none" else codec,
            # A batch of one record does not get smaller, and is then sent uncompressed.
            "linger_ms": 0 if pause_ms else 50,
            "enable_idempotence": acks == -1 and not ordered,
        }
        if ordered:
            config["max_in_flight_requests_per_connection"] = 1
        producer = KafkaProducer(**config)
        try:
            futures = []
            for r in records:
                futures.append(producer.send(
                    topic, encode(r["value"]), encode(r["key"]), [(n, v.encode()) for n, v in r.get("headers") or []],
                    partition, r.get("timestamp")))
                time.sleep(pause_ms / 1000)
            producer.flush(PATIENCE)
            return {"offsets": [f.get(PATIENCE).offset for f in futures]}
        finally:
            producer.close()

    def consumer(self):
        return KafkaConsumer(**self.config, group_id=None, auto_offset_reset="none")

    def consume(self, topic, partition, at, count, until, **start):
        consumer = self.consumer()
        try:
            tp = TopicPartition(topic, partition)
            consumer.assign([tp])
            if start["from"] == "beginning":
                consumer.seek_to_beginning(tp)
            else:
                consumer.seek(tp, at if start["from"] == "offset" else consumer.offsets_for_times({tp: at})[tp].offset)
            records, deadline = [], time.monotonic() + PATIENCE
            while not enough(records, count, until):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"after {len(records)} records")
                for m in consumer.poll(200).get(tp, []):
                    records.append({
                        "offset": m.offset, "timestamp": m.timestamp, "key": decode(m.key), "value": decode(m.value),
                        "headers": [[n, decode(v)] for n, v in m.headers]})
                    if enough(records, count, until):
                        break
            return {"records": records}
        finally:
            consumer.close()

    def offset(self, topic, partition, at, **_):
        consumer = self.consumer()
        try:
            tp = TopicPartition(topic, partition)
            if at == EARLIEST:
                return {"offset": consumer.beginning_offsets([tp])[tp]}
            if at == LATEST:
                return {"offset": consumer.end_offsets([tp])[tp]}
            return {"offset": consumer.offsets_for_times({tp: at})[tp].offset}
        finally:
            consumer.close()


serve(Client(sys.argv[-1]))
