"""kafka-python, a client without librdkafka."""

import concurrent.futures
import sys
import threading
import time

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import NewTopic
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.errors import KafkaError, KafkaTimeoutError

from lines import EARLIEST, LATEST, PATIENCE, Telling, Values, decode, encode, enough, serve


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

    def work(self, task, name, group, input, output, output_partitions, assignor, read_committed, first_value, **_):
        tell, values = Telling(), Values(first_value, output_partitions)
        if task == "transact":
            writer, i = Writer(self.config, name, output, tell), 0
            while tell.going:
                writer.transaction(values.outputs(["0"] * 4), {}, i % 3 == 2, None)
                i += 1
            return {}
        consumer = KafkaConsumer(
            **self.config, group_id=group, client_id=name, enable_auto_commit=False, auto_offset_reset="earliest",
            session_timeout_ms=15000, heartbeat_interval_ms=500, partition_assignment_strategy=[ASSIGNORS[assignor]],
            isolation_level="read_committed" if read_committed else "read_uncommitted")
        writer = Writer(self.config, name, output, tell) if task == "transform" else None

        class Listener(ConsumerRebalanceListener):
            def on_partitions_assigned(self, tps):
                m = consumer.group_metadata()
                tell("assigned", member=m.member_id, generation=m.generation_id, partitions=[tp.partition for tp in tps])

            def on_partitions_revoked(self, tps):
                tell("revoked", partitions=[tp.partition for tp in tps])

            def on_partitions_lost(self, tps):
                tell("lost")

        consumer.subscribe([input], listener=Listener())
        try:
            while tell.going:
                messages = [m for part in consumer.poll(300, max_records=20).values() for m in part]
                if not tell("polled", records=[[m.partition, m.offset, decode(m.value)] for m in messages]) or not messages:
                    continue
                offsets = {m.partition: m.offset + 1 for m in messages}
                tps = {TopicPartition(input, p): OffsetAndMetadata(o, "", -1) for p, o in offsets.items()}
                if task == "transform":
                    outputs = values.outputs([decode(m.value) for m in messages])
                    add = lambda p: p.send_offsets_to_transaction(tps, consumer.group_metadata())
                    if not writer.transaction(outputs, offsets, False, add):
                        tell("rewound")
                        for tp in consumer.assignment():
                            consumer.seek(tp, consumer.committed(tp) or 0)
                    continue
                tell("committing", offsets=offsets)
                try:
                    consumer.commit(tps)
                    tell("committed", outcome="ok")
                except KafkaError:
                    tell("committed", outcome="unknown")
            return {}
        finally:
            consumer.close()


ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}


FORGOTTEN = 10  # seconds after which a request is taken to be


def bounded(call, *args):
    """The call, if it returns soon. What belongs to transactions waits without an end, or for
    a minute, for requests that kafka-python 3.0.12 forgets: the one that it is about to send when the
    coordinator that it has just found refuses the connection. (Seen in its log, and in the loop
    of its sender, which repeats a request only if it has found no node.)"""
    done = concurrent.futures.Future()

    def run():
        try:
            done.set_result(call(*args))
        except BaseException as e:
            done.set_exception(e)

    threading.Thread(target=run, daemon=True).start()
    try:
        return done.result(FORGOTTEN)
    except concurrent.futures.TimeoutError as e:
        raise KafkaTimeoutError(f"{call.__name__} does not return") from e


class Writer:
    """A transactional producer, and another after each that cannot go on."""

    def __init__(self, config, name, output, tell):
        self.config, self.output, self.tell, self.producer = {**config, "transactional_id": name}, output, tell, None
        self.open()

    def open(self):
        for _ in range(PATIENCE):
            self.producer = KafkaProducer(**self.config)
            try:
                bounded(self.producer.init_transactions)
                self.tell("restarted")
                return
            except KafkaError:
                self.close()
                time.sleep(1)
        raise TimeoutError("init_transactions")

    def close(self):
        try:
            self.producer.close(1)
        except KafkaError:
            pass  # it had something to send

    def replace(self):
        self.close()
        self.open()

    def transaction(self, outputs, offsets, abort, add):
        """Whether the transaction ended as it should."""
        self.tell("begin", outputs=outputs, offsets=offsets)
        written = True
        try:
            self.producer.begin_transaction()
            futures = [self.producer.send(self.output, value.encode(), partition=p) for p, value, _ in outputs]
            if add:
                bounded(add, self.producer)
            self.producer.flush(FORGOTTEN)
            for f in futures:
                f.get(FORGOTTEN)
        except KafkaTimeoutError:
            # What was forgotten is sent with the next transaction, so that this producer has none.
            self.tell("ending", written=False, commit=False)
            self.tell("ended", outcome="unknown")
            self.replace()
            return False
        except KafkaError:
            written = False
        commit = written and not abort
        self.tell("ending", written=written, commit=commit)
        try:
            bounded(self.producer.commit_transaction if commit else self.producer.abort_transaction)
            self.tell("ended", outcome="ok")
            return written
        except KafkaError:
            self.tell("ended", outcome="unknown")
            self.replace()
            return False


serve(Client(sys.argv[-1]))
