"""The option to let messages start runs."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from airflow_usecases import order_topic

GOOD = {"event_id": "e-1", "order_id": "A-1", "amount": 5}


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
