"""Handling of Kafka messages with a dead letter queue: one bad message must not stop the good ones behind it.

The order is what keeps messages from getting lost: store the good ones, put the bad ones into the dead
letter topic and wait until the broker has them, and only then may offsets be committed. A crash in between
makes messages come twice, never vanish; storing by the event's id makes the second time harmless.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

log = logging.getLogger(__name__)

DELIVERY_TIMEOUT = 30.0  # seconds for the broker to acknowledge dead letters
_EVENT_ID = re.compile(r"[A-Za-z0-9-]{1,64}")  # it becomes a file name


class PoisonMessage(ValueError):
    """The message can never be handled; its text is the reason header of the dead letter."""


class DeliveryError(RuntimeError):
    """The broker did not take a message."""


class Message(Protocol):
    """What is needed of `confluent_kafka.Message`."""

    def error(self) -> Any:
        """None, or why there is no message."""

    def key(self) -> bytes | None:
        """The key."""

    def value(self) -> bytes | None:
        """The value; None is a tombstone."""

    def topic(self) -> str:
        """Where it comes from."""

    def partition(self) -> int:
        """Where it comes from."""

    def offset(self) -> int:
        """Where it comes from."""


class Producer(Protocol):
    """What is needed of `confluent_kafka.Producer`."""

    def produce(self, topic: str, **message: Any) -> Any:
        """Queue a message; BufferError when the queue is full."""

    def poll(self, timeout: float) -> int:
        """Serve delivery reports."""

    def flush(self, timeout: float) -> int:
        """Wait for all deliveries; the number of messages that are still queued."""


def order_events(events: str) -> Iterator[tuple[str | None, str]]:
    """Key and value of each message to publish, of a JSON list; a text in it is published as it is.

    Messages of one order have the same key, so they stay in order.
    """
    for event in json.loads(events):
        if isinstance(event, dict):
            yield event.get("order_id"), json.dumps(event)
        else:
            yield None, str(event)


def require_delivery(error: Any, message: Any) -> None:
    """Delivery callback: raise DeliveryError out of the producer's `flush` instead of losing a message."""
    if error is not None:
        raise DeliveryError(f"{message.topic()}: {error}")


def parse_event(value: bytes | None) -> dict[str, Any]:
    """The event in a message's value. Raises PoisonMessage with the reason, which names no value."""
    if value is None:
        raise PoisonMessage("no value")
    try:
        event = json.loads(value)
    except ValueError:
        raise PoisonMessage("no JSON") from None
    if not isinstance(event, dict):
        raise PoisonMessage("no object")
    missing = [name for name in ("event_id", "order_id", "amount") if name not in event]
    if missing:
        raise PoisonMessage(f"without {', '.join(missing)}")
    if not isinstance(event["event_id"], str) or not _EVENT_ID.fullmatch(event["event_id"]):
        raise PoisonMessage("event_id is no identifier")
    if isinstance(event["amount"], bool) or not isinstance(event["amount"], int | float):
        raise PoisonMessage("amount is no number")
    return event


def handle_batch(
    messages: Sequence[Message], target_path: str, dead_letter_topic: str, kafka_config_id: str
) -> None:
    """Store each event as a file by its id; send what cannot be handled to the dead letter topic.

    For `apply_function_batch` of ConsumeFromTopicOperator, which commits after it. Raises DeliveryError
    when the broker does not take a dead letter, RuntimeError for a message that is an error of the broker,
    OSError.
    """
    poison = list(_store(messages, Path(target_path)))
    if poison:
        from airflow.providers.apache.kafka.hooks.produce import KafkaProducerHook

        hook = KafkaProducerHook(kafka_config_id=kafka_config_id)
        bury(poison, dead_letter_topic, cast(Producer, hook.get_producer()))
    log.info("%d events stored, %d dead letters", len(messages) - len(poison), len(poison))


def bury(poison: Iterable[tuple[Message, str]], dead_letter_topic: str, producer: Producer) -> None:
    """Send messages, unchanged, with headers reason and source-*; return when the broker has all."""
    for message, reason in poison:
        headers = {
            "reason": reason,
            "source-topic": message.topic(),
            "source-partition": str(message.partition()),
            "source-offset": str(message.offset()),
        }
        producer.produce(
            dead_letter_topic,
            key=message.key(),
            value=message.value(),
            headers=[(name, text.encode()) for name, text in headers.items()],
            on_delivery=require_delivery,
        )
        producer.poll(0)
    left = producer.flush(DELIVERY_TIMEOUT)
    if left:
        raise DeliveryError(f"{left} dead letters not delivered in {DELIVERY_TIMEOUT:.0f} s")


def _store(messages: Sequence[Message], folder: Path) -> Iterator[tuple[Message, str]]:
    folder.mkdir(parents=True, exist_ok=True)
    for message in messages:
        if message.error() is not None:
            raise RuntimeError(f"broker: {message.error()}")
        try:
            event = parse_event(message.value())
        except PoisonMessage as reason:
            yield message, str(reason)
            continue
        file = folder / f"{event['event_id']}.json"
        incomplete = file.with_suffix(".part")
        incomplete.write_text(json.dumps(event), encoding="utf-8")
        incomplete.replace(file)
