"""What makes a message poison."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from airflow_usecases import dead_letters

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
