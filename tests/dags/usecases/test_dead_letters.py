"""What makes a message poison, and the option to let messages start runs."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from airflow_usecases import dead_letters, order_topic

GOOD = {"event_id": "e-1", "order_id": "A-1", "amount": 5}


@pytest.mark.covers("P09.4")
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no value"),
        (b"\xff", "no JSON"),
        (b"[1]", "no object"),
        (b"{}", "without event_id, order_id, amount"),
        (json.dumps(GOOD | {"event_id": "../../etc/x"}).encode(), "event_id is no identifier"),
        (json.dumps(GOOD | {"event_id": 7}).encode(), "event_id is no identifier"),
        (json.dumps(GOOD | {"amount": "5"}).encode(), "amount is no number"),
        (json.dumps(GOOD | {"amount": True}).encode(), "amount is no number"),
    ],
)
def test_poison_has_a_reason_without_values(value, reason):
    with pytest.raises(dead_letters.PoisonMessage) as caught:
        dead_letters.parse_event(value)
    assert str(caught.value) == reason


def test_a_good_message_is_its_event():
    assert dead_letters.parse_event(json.dumps(GOOD).encode()) == GOOD


def test_an_error_of_the_broker_is_no_poison(tmp_path):
    message = SimpleNamespace(error=lambda: "_ALL_BROKERS_DOWN")
    with pytest.raises(RuntimeError, match="_ALL_BROKERS_DOWN"):
        dead_letters.handle_batch([message], str(tmp_path), "dead", "kafka_orders")


def test_dead_letters_that_stay_in_the_queue_are_an_error():
    message = SimpleNamespace(
        topic=lambda: "t", partition=lambda: 0, offset=lambda: 1, key=lambda: None, value=lambda: b"x"
    )
    producer = SimpleNamespace(
        produce=lambda *_, **__: None, poll=lambda _timeout: 0, flush=lambda _timeout: 1
    )
    with pytest.raises(dead_letters.DeliveryError, match="1 dead letters not delivered in 30 s"):
        dead_letters.bury([(message, "no JSON")], "dead", producer)


@pytest.mark.covers("P09.4")
def test_a_dag_may_be_started_by_the_messages_themselves():
    import pendulum
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG(
        "watching",
        schedule=[order_topic.watched_orders("orders.events", "kafka_orders")],
        start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    ) as dag:
        pass
    (asset,) = dag.timetable.asset_condition.objects
    (watcher,) = asset.watchers
    path, arguments = watcher.trigger.serialize()
    assert path == "airflow.providers.apache.kafka.triggers.await_message.AwaitMessageTrigger"
    assert arguments["topics"] == ["orders.events"]
    assert arguments["apply_function"] == "airflow_usecases.order_topic.wanted_event"
    assert "await_message.AwaitMessageTrigger" in json.dumps(DagSerialization.to_dict(dag))


def test_a_watched_message_gives_ids_and_poison_gives_no_event():
    good = SimpleNamespace(value=lambda: json.dumps(GOOD).encode())
    assert order_topic.wanted_event(good) == {"event_id": "e-1", "order_id": "A-1"}
    assert order_topic.wanted_event(SimpleNamespace(value=lambda: b"x")) is None
