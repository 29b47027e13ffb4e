"""The semantics of a feature store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_usecases.feature_store import (
    CUSTOMER_ORDERS,
    ORDERS,
    FileStore,
    compute_features,
    is_stale,
)


def on(day, hour=0):
    return datetime(2026, 1, day, hour, tzinfo=UTC)


def row(entity, day, value):
    values = {"orders_7d": value, "average_amount_7d": value}
    return {"entity_id": entity, "event_time": on(day).isoformat(), "values": values}


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path)


def test_features_count_the_seven_days_before_an_order():
    last = compute_features(ORDERS, on(31))[-1]
    assert last["entity_id"] == "ada"
    assert last["values"] == {
        "orders_7d": 2.0,
        "average_amount_7d": 65.0,
    }  # the 6th and the 12th, not the 3rd


def test_features_do_not_see_the_future():
    assert len(compute_features(ORDERS, on(6))) == 1


@pytest.mark.covers("P18.1")
def test_materializing_serves_the_newest_value_whatever_the_order_of_writing(store):
    store.write(CUSTOMER_ORDERS, [row("ada", 5, 5.0), row("ada", 3, 3.0), row("grace", 4, 4.0)])
    assert store.online(CUSTOMER_ORDERS, "ada") is None
    assert store.materialize(CUSTOMER_ORDERS, on(9)) == on(5).isoformat()
    assert (
        store.online(CUSTOMER_ORDERS, "ada")
        == store.latest(CUSTOMER_ORDERS, "ada")
        == row("ada", 5, 5.0)["values"]
    )


def test_materializing_stops_at_its_time(store):
    store.write(CUSTOMER_ORDERS, [row("ada", 3, 3.0), row("ada", 5, 5.0)])
    store.materialize(CUSTOMER_ORDERS, on(4))
    assert store.online(CUSTOMER_ORDERS, "ada")["orders_7d"] == 3.0


def test_nothing_to_materialize_has_no_watermark(store):
    assert store.materialize(CUSTOMER_ORDERS, on(4)) is None


def test_a_correction_replaces_the_value_of_its_time(store):
    assert store.write(CUSTOMER_ORDERS, [row("ada", 3, 3.0)]) == 1
    assert store.write(CUSTOMER_ORDERS, [row("ada", 3, 9.0)]) == 1
    assert store.latest(CUSTOMER_ORDERS, "ada")["orders_7d"] == 9.0


def test_training_reads_what_was_true_and_no_value_that_was_too_old(store):
    store.write(CUSTOMER_ORDERS, [row("ada", 3, 3.0), row("ada", 5, 5.0)])
    assert store.as_of(CUSTOMER_ORDERS, "ada", on(4))["orders_7d"] == 3.0
    assert store.as_of(CUSTOMER_ORDERS, "ada", on(5))["orders_7d"] == 5.0
    assert store.as_of(CUSTOMER_ORDERS, "ada", on(2)) is None
    assert store.as_of(CUSTOMER_ORDERS, "ada", on(8)) is None


def test_a_row_without_all_features_is_refused(store):
    bad = {"entity_id": "ada", "event_time": on(3).isoformat(), "values": {"orders_7d": 1.0}}
    with pytest.raises(ValueError, match="average_amount_7d"):
        store.write(CUSTOMER_ORDERS, [bad])


@pytest.mark.parametrize(
    ("watermark", "stale"),
    [(on(8).isoformat(), False), (on(7, 23).isoformat(), True), (None, True)],
)
def test_a_view_is_stale_after_its_ttl(watermark, stale):
    assert is_stale(watermark, on(10), timedelta(days=2)) is stale
