"""A broker in memory behind clients that check confluent_kafka's contract.

The contract is that of https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/index.html
(Consumer, Producer, Message): configuration, types of arguments, delivery callbacks out of flush() and
poll(), no call after close(), offsets of a group move by commit() only when enable.auto.commit is false.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Record:
    topic_name: str
    position: int
    raw_key: bytes | None
    raw_value: bytes | None
    raw_headers: tuple = ()

    def error(self):
        return None

    def topic(self):
        return self.topic_name

    def partition(self):
        return 0

    def offset(self):
        return self.position

    def key(self):
        return self.raw_key

    def value(self):
        return self.raw_value

    def headers(self):
        return list(self.raw_headers) or None


@dataclass
class Broker:
    topics: dict[str, list[Record]] = field(default_factory=dict)
    committed: dict[tuple[str, str], int] = field(default_factory=dict)  # (group, topic) -> next offset
    log: list[tuple] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)  # topics that take nothing

    def append(self, topic, key, value, headers):
        records = self.topics.setdefault(topic, [])
        records.append(Record(topic, len(records), key, value, tuple(headers)))
        return records[-1]

    def producer(self, config):
        assert "bootstrap.servers" in config
        return Producer(self)

    def consumer(self, config):
        assert {"bootstrap.servers", "group.id"} <= set(config)
        assert config["enable.auto.commit"] is False
        assert config["auto.offset.reset"] == "earliest"
        return Consumer(self, config["group.id"])


class Producer:
    def __init__(self, broker):
        self.broker = broker
        self.queue = []

    def produce(self, topic, value=None, key=None, partition=-1, on_delivery=None, timestamp=0, headers=None):
        assert isinstance(topic, str)
        assert isinstance(value, str | bytes | None)
        assert isinstance(key, str | bytes | None)
        for name, content in headers or []:
            assert isinstance(name, str)
            assert isinstance(content, bytes | str | None)
        self.queue.append((topic, _bytes(key), _bytes(value), headers or [], on_delivery))

    def poll(self, timeout=-1):
        assert timeout >= 0
        return 0

    def flush(self, timeout=-1):
        queue, self.queue = self.queue, []
        for topic, key, value, headers, on_delivery in queue:
            if topic in self.broker.refuse:
                on_delivery("Broker: Topic authorization failed", Record(topic, -1, key, value))
                continue
            record = self.broker.append(topic, key, value, headers)
            self.broker.log.append(("delivered", topic, record.position))
            if on_delivery:
                on_delivery(None, record)
        return 0


class Consumer:
    def __init__(self, broker, group):
        self.broker = broker
        self.group = group
        self.topics = None
        self.position = {}
        self.closed = False

    def subscribe(self, topics):
        assert isinstance(topics, list)
        assert all(isinstance(topic, str) for topic in topics)
        self.topics = topics
        self.position = {topic: self.broker.committed.get((self.group, topic), 0) for topic in topics}

    def consume(self, num_messages=1, timeout=-1):
        self._open()
        assert 0 < num_messages <= 1_000_000
        assert timeout >= 0  # -1 waits for ever
        found = []
        for topic in self.topics:
            start = self.position[topic]
            batch = self.broker.topics.get(topic, [])[start : start + num_messages - len(found)]
            self.position[topic] += len(batch)
            found += batch
        if found:
            self.broker.log.append(("consumed", len(found)))
        return found

    def commit(self, message=None, offsets=None, asynchronous=True):
        self._open()
        for topic, position in self.position.items():
            if self.broker.committed.get((self.group, topic), 0) != position:
                self.broker.committed[self.group, topic] = position
                self.broker.log.append(("committed", topic, position))

    def close(self):
        self._open()
        self.closed = True

    def _open(self):
        if self.closed:
            raise RuntimeError("Consumer closed")


def _bytes(value):
    return value.encode() if isinstance(value, str) else value
