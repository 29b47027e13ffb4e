"""The topic of orders as an asset: a DAG may run for each order instead of by the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_usecases.dead_letters import PoisonMessage, parse_event

if TYPE_CHECKING:
    from airflow.sdk import Asset

    from airflow_usecases.dead_letters import Message


def watched_orders(topic: str, kafka_config_id: str) -> Asset:
    """An asset that gets an event for each good message: `schedule=[watched_orders("orders.events", ...)]`.

    The triggerer consumes the topic all the time. Give the connection a `group.id` of its own, or the
    watcher and the DAG share the messages between them. Raises ModuleNotFoundError without the provider
    apache-kafka.
    """
    from airflow.providers.apache.kafka.triggers.await_message import AwaitMessageTrigger
    from airflow.sdk import Asset, AssetWatcher

    trigger = AwaitMessageTrigger(
        topics=[topic],
        apply_function="airflow_usecases.order_topic.wanted_event",
        kafka_config_id=kafka_config_id,
        poll_timeout=1,
        poll_interval=5,
    )
    return Asset(topic, watchers=[AssetWatcher(name=f"watch-{topic}", trigger=trigger)])


def wanted_event(message: Message) -> dict[str, Any] | None:
    """What the asset's event carries of a message; None, no event, for poison."""
    try:
        event = parse_event(message.value())
    except PoisonMessage:
        return None
    return {"event_id": event["event_id"], "order_id": event["order_id"]}
