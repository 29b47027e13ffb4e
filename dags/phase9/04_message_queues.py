"""
# Messages: publish, consume, dead letters

A shop publishes orders to a Kafka topic. A run reads what is new; messages that nobody can handle go to a
dead letter topic, with the reason, instead of stopping all that come after them.

**What it shows**

- `ProduceToTopicOperator`: a function yields keys and values. Its `delivery_callback` raises when the
  broker does not take a message; the operator's own default only logs that.
- `ConsumeFromTopicOperator` with `apply_function_batch` and `commit_cadence="end_of_batch"`: the offsets are
  committed *after* `handle_batch` has stored the good messages and the broker has acknowledged the dead
  letters. A crash before makes messages come again; they are stored by id, so twice is like once.
- A dead letter is the message unchanged with the headers `reason`, `source-topic`, `source-partition` and
  `source-offset`: enough to repair it and to publish it again.
- Both functions are given as dotted names: they are imported in the task, and can be tested without a broker.

**When to use it**

Micro-batches: what came since the last run, every few minutes.

**When not**

Latency of seconds: a consumer that always runs. One run for each message: an asset with a watcher,
`schedule=[order_topic.watched_orders("orders.events", "kafka_orders")]`, from `airflow_usecases`.

**What to change**

The connection `kafka_orders` (with `"enable.auto.commit": false`, or Kafka commits by the clock and
messages get lost in a crash), the topics in the params, and `parse_event` for what makes a message good.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.sdk import DAG, Param, get_current_context, task

from airflow_usecases.optional_providers import missing_provider

try:
    from airflow.providers.apache.kafka.operators.consume import ConsumeFromTopicOperator
    from airflow.providers.apache.kafka.operators.produce import ProduceToTopicOperator
except ModuleNotFoundError:
    ConsumeFromTopicOperator = ProduceToTopicOperator = missing_provider(
        "apache-airflow-providers-apache-kafka"
    )

CONNECTION = "kafka_orders"
EVENTS = [
    {"event_id": "e-1", "order_id": "A-1", "amount": 19.9},
    {"event_id": "e-2", "order_id": "A-2", "amount": 240},
    {"event_id": "e-3", "order_id": "A-3"},
    "not even JSON",
    {"event_id": "e-4", "order_id": "A-1", "amount": 5.1},
]


@task
def count_stored() -> int:
    """How many events are stored, of this and of earlier runs."""
    return sum(1 for _ in Path(get_current_context()["params"]["target_path"]).glob("*.json"))


with DAG(
    dag_id="phase9_04_message_queues",
    description="Publishes and consumes Kafka messages, with a dead letter topic",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "events": Param(EVENTS, type="array", description="What to publish; a text is published as it is"),
        "topic": Param("orders.events", type="string"),
        "dead_letter_topic": Param("orders.events.dead", type="string"),
        "target_path": Param("/data/order_events", type="string", description="Folder of the stored events"),
    },
    tags=["phase9", "kafka"],
):
    publish_events = ProduceToTopicOperator(
        task_id="publish_events",
        kafka_config_id=CONNECTION,
        topic="{{ params.topic }}",
        producer_function="airflow_usecases.dead_letters.order_events",
        producer_function_kwargs={"events": "{{ params.events | tojson }}"},
        delivery_callback="airflow_usecases.dead_letters.require_delivery",
    )
    consume_events = ConsumeFromTopicOperator(
        task_id="consume_events",
        kafka_config_id=CONNECTION,
        topics=["{{ params.topic }}"],
        apply_function_batch="airflow_usecases.dead_letters.handle_batch",
        apply_function_kwargs={
            "target_path": "{{ params.target_path }}",
            "dead_letter_topic": "{{ params.dead_letter_topic }}",
            "kafka_config_id": CONNECTION,
        },
        commit_cadence="end_of_batch",
        max_messages=10_000,
        max_batch_size=500,
        poll_timeout=10,
    )
    publish_events >> consume_events >> count_stored()
