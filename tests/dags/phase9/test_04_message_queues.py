"""Good messages are stored, poison ones are dead letters with a reason, offsets are committed after both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.dags.phase9.fake_kafka import Broker
from tests.dags.phase9.without_providers import tasks_without
from tests.dags.runner import run

from airflow_usecases import dead_letters

DAG_ID = "phase9_04_message_queues"
TOPIC, DEAD = "orders.events", "orders.events.dead"
GROUP = ("library", TOPIC)


@pytest.fixture
def broker(connect, monkeypatch):
    connect(
        "kafka_orders",
        "kafka",
        extra={
            "bootstrap.servers": "kafka.example.com:9092",
            "group.id": "library",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        },
    )
    broker = Broker()
    monkeypatch.setattr("airflow.providers.apache.kafka.hooks.produce.Producer", broker.producer)
    monkeypatch.setattr("airflow.providers.apache.kafka.hooks.consume.Consumer", broker.consumer)
    return broker


def conf(tmp_path, **other):
    return {"target_path": str(tmp_path / "events"), **other}


def stored(tmp_path):
    return {file.name: json.loads(file.read_text()) for file in (tmp_path / "events").iterdir()}


@pytest.mark.covers("P09.4")
def test_good_messages_are_stored_and_committed_and_poison_ones_are_dead_letters(broker, tmp_path):
    done = run(DAG_ID, conf=conf(tmp_path))
    assert done.of("success") == {"publish_events", "consume_events", "count_stored"}
    assert [record.key() for record in broker.topics[TOPIC]] == [b"A-1", b"A-2", b"A-3", None, b"A-1"]
    assert set(stored(tmp_path)) == {"e-1.json", "e-2.json", "e-4.json"}
    assert stored(tmp_path)["e-1.json"] == {"event_id": "e-1", "order_id": "A-1", "amount": 19.9}
    assert done.xcom("count_stored") == 3
    assert broker.committed == {GROUP: 5}
    without_amount, no_json = broker.topics[DEAD]
    assert dict(without_amount.headers()) == {
        "reason": b"without amount",
        "source-topic": TOPIC.encode(),
        "source-partition": b"0",
        "source-offset": b"2",
    }
    assert (without_amount.key(), without_amount.value()) == (b"A-3", broker.topics[TOPIC][2].value())
    assert dict(no_json.headers())["reason"] == b"no JSON"
    assert no_json.value() == b"not even JSON"


@pytest.mark.covers("P09.4")
def test_offsets_are_committed_after_storing_and_after_the_dead_letters_are_delivered(
    broker, tmp_path, monkeypatch
):
    replace = Path.replace

    def logged(self, target):
        broker.log.append(("stored", Path(target).name))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", logged)
    run(DAG_ID, conf=conf(tmp_path))
    assert broker.log[5:] == [  # after the five published messages
        ("consumed", 5),
        ("stored", "e-1.json"),
        ("stored", "e-2.json"),
        ("stored", "e-4.json"),
        ("delivered", DEAD, 0),
        ("delivered", DEAD, 1),
        ("committed", TOPIC, 5),
    ]


@pytest.mark.covers("P09.4")
def test_when_dead_letters_cannot_be_delivered_nothing_is_committed_and_nothing_lost(broker, tmp_path):
    broker.refuse = {DEAD}
    done = run(DAG_ID, conf=conf(tmp_path))
    assert done.states == {
        "publish_events": "success",
        "consume_events": "failed",
        "count_stored": "upstream_failed",
    }
    assert done.tries("consume_events") == 3
    assert broker.committed == {}
    broker.refuse = set()
    assert run(DAG_ID, conf=conf(tmp_path, events=[])).state == "success"
    assert broker.committed == {GROUP: 5}
    assert len(broker.topics[DEAD]) == 2
    assert set(stored(tmp_path)) == {"e-1.json", "e-2.json", "e-4.json"}


def test_a_crash_while_storing_commits_nothing_and_the_retry_stores_each_event_once(
    broker, tmp_path, monkeypatch
):
    calls = []
    parse = dead_letters.parse_event

    def crash_once(value):
        calls.append(value)
        if len(calls) == 2:
            raise OSError("disk full")
        return parse(value)

    monkeypatch.setattr(dead_letters, "parse_event", crash_once)
    done = run(DAG_ID, conf=conf(tmp_path))
    assert done.state == "success"
    assert done.tries("consume_events") == 2
    assert done.xcom("count_stored") == 3
    assert [entry for entry in broker.log if entry[0] == "committed"] == [("committed", TOPIC, 5)]


def test_a_second_run_reads_only_what_is_new(broker, tmp_path):
    run(DAG_ID, conf=conf(tmp_path))
    new = {"event_id": "e-9", "order_id": "A-9", "amount": 1}
    done = run(DAG_ID, conf=conf(tmp_path, events=[new]))
    assert done.xcom("count_stored") == 4
    assert [entry for entry in broker.log if entry[0] == "consumed"] == [("consumed", 5), ("consumed", 1)]


def test_a_message_that_the_broker_does_not_take_fails_the_publishing(broker, tmp_path):
    broker.refuse = {TOPIC}
    done = run(DAG_ID, conf=conf(tmp_path))
    assert done.of("failed") == {"publish_events"}
    assert done.of("upstream_failed") == {"consume_events", "count_stored"}


def test_without_its_provider_the_file_still_loads():
    assert set(tasks_without(DAG_ID, "apache.kafka")) == {"publish_events", "consume_events", "count_stored"}
