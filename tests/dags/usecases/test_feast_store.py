"""The Feast adapter against the documented calls, on a store in memory.

feast.FeatureStore: https://rtd.feast.dev/en/latest/ (push, materialize_incremental, get_online_features,
get_feature_view); OfflineStore.pull_all_from_table_or_query and its RetrievalJob.to_df of the same pages;
definitions: https://docs.feast.dev/getting-started/concepts/feature-view and reference/data-sources/push.
"""

from __future__ import annotations

import sys
import types
from datetime import UTC, datetime

import pandas as pd
import pytest

from airflow_usecases.feast_store import FeastStore, feast_definitions
from airflow_usecases.feature_store import CUSTOMER_ORDERS, is_stale

COLUMNS = ["customer", "event_timestamp", "orders_7d", "average_amount_7d"]


def on(day, hour=0):
    return datetime(2026, 1, day, hour, tzinfo=UTC)


def row(entity, day, value):
    values = {"orders_7d": value, "average_amount_7d": value}
    return {"entity_id": entity, "event_time": on(day).isoformat(), "values": values}


class Feast:
    """feast.FeatureStore with an offline frame and an online dictionary."""

    def __init__(self, repo_path=None):
        assert repo_path == "/repository"
        self.config = types.SimpleNamespace(offline_store="the offline store")
        self.offline = pd.DataFrame({name: [] for name in COLUMNS})
        self.online = {}

    def push(self, push_source_name, df, to):
        assert (push_source_name, list(df.columns), to) == ("customer_orders", COLUMNS, "offline")
        assert str(df["event_timestamp"].dtype).endswith("UTC]")
        self.offline = df if self.offline.empty else pd.concat([self.offline, df])

    def get_feature_view(self, name):
        assert name == "customer_orders"
        return types.SimpleNamespace(batch_source="the batch source")

    def materialize_incremental(self, end_date, feature_views=None):
        assert feature_views == ["customer_orders"]
        if not self.offline.empty:
            due = self.offline[self.offline["event_timestamp"] <= end_date].sort_values("event_timestamp")
            self.online |= {record["customer"]: record for record in due.to_dict("records")}

    def get_online_features(self, features, entity_rows):
        assert features == ["customer_orders:orders_7d", "customer_orders:average_amount_7d"]
        [key] = [entity["customer"] for entity in entity_rows]
        record = self.online.get(key, {})
        answer = {"customer": [key]} | {name: [record.get(name)] for name in COLUMNS[2:]}
        return types.SimpleNamespace(to_dict=lambda: answer)

    def pull_all_from_table_or_query(
        self,
        config,
        data_source,
        join_key_columns,
        feature_name_columns,
        timestamp_field,
        start_date,
        end_date,
    ):
        assert config is self.config
        assert data_source == "the batch source"
        assert [*join_key_columns, timestamp_field, *feature_name_columns] == COLUMNS
        assert start_date < on(1) < end_date
        return types.SimpleNamespace(to_df=self.offline.copy)


@pytest.fixture
def store(monkeypatch):
    made = []

    def connect(repo_path):
        made.append(Feast(repo_path))
        return made[0]

    def offline_store(config):
        assert config == "the offline store"
        return made[0]

    mode = types.SimpleNamespace(OFFLINE="offline")
    utils = types.SimpleNamespace(get_offline_store_from_config=offline_store)
    monkeypatch.setitem(sys.modules, "feast", types.SimpleNamespace(FeatureStore=connect))
    monkeypatch.setitem(sys.modules, "feast.data_source", types.SimpleNamespace(PushMode=mode))
    monkeypatch.setitem(sys.modules, "feast.infra", types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "feast.infra.offline_stores", types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "feast.infra.offline_stores.offline_utils", utils)
    return FeastStore("/repository")


@pytest.mark.covers("P18.1")
def test_the_online_value_is_the_last_one_of_the_offline_store(store):
    assert store.write(CUSTOMER_ORDERS, [row("ada", 5, 5.0), row("ada", 3, 3.0), row("grace", 4, 4.0)]) == 3
    assert store.online(CUSTOMER_ORDERS, "ada") is None
    store.materialize(CUSTOMER_ORDERS, on(9))
    assert store.entities(CUSTOMER_ORDERS) == ["ada", "grace"]
    for entity, value in (("ada", 5.0), ("grace", 4.0)):
        expected = {"orders_7d": value, "average_amount_7d": value}
        assert store.online(CUSTOMER_ORDERS, entity) == store.latest(CUSTOMER_ORDERS, entity) == expected
    assert store.online(CUSTOMER_ORDERS, "nobody") is None


@pytest.mark.covers("P18.1")
def test_the_watermark_is_the_time_of_the_newest_value_so_that_a_view_gets_stale(store):
    store.write(CUSTOMER_ORDERS, [row("ada", 3, 3.0), row("ada", 5, 5.0)])
    assert store.materialize(CUSTOMER_ORDERS, on(4)) == on(3).isoformat()
    watermark = store.materialize(CUSTOMER_ORDERS, on(9))
    assert watermark == on(5).isoformat()
    assert is_stale(watermark, on(9), CUSTOMER_ORDERS.ttl)


def test_an_empty_store_has_no_watermark_and_nothing_is_pushed(store):
    assert store.write(CUSTOMER_ORDERS, []) == 0
    assert store.materialize(CUSTOMER_ORDERS, on(4)) is None
    assert store.entities(CUSTOMER_ORDERS) == []


def test_training_reads_what_was_true(store):
    store.write(CUSTOMER_ORDERS, [row("ada", 3, 3.0), row("ada", 5, 5.0)])
    assert store.as_of(CUSTOMER_ORDERS, "ada", on(4))["orders_7d"] == 3.0
    assert store.as_of(CUSTOMER_ORDERS, "ada", on(2)) is None
    assert store.as_of(CUSTOMER_ORDERS, "ada", on(8)) is None


@pytest.mark.covers("P18.1")
def test_the_definitions_are_an_entity_a_push_source_and_a_view_of_it(monkeypatch):
    def named(kind):
        return lambda **arguments: types.SimpleNamespace(kind=kind, **arguments)

    kinds = ("Entity", "Field", "FileSource", "PushSource", "FeatureView")
    monkeypatch.setitem(sys.modules, "feast", types.SimpleNamespace(**{kind: named(kind) for kind in kinds}))
    monkeypatch.setitem(sys.modules, "feast.types", types.SimpleNamespace(Float64="Float64"))
    entity, source, view = feast_definitions(CUSTOMER_ORDERS, "data/orders.parquet")
    assert (entity.kind, entity.name, entity.join_keys) == ("Entity", "customer", ["customer"])
    assert (source.kind, source.name) == ("PushSource", "customer_orders")
    batch = source.batch_source
    assert (batch.kind, batch.name, batch.path) == (
        "FileSource",
        "customer_orders_batch",
        "data/orders.parquet",
    )
    assert batch.timestamp_field == "event_timestamp"
    assert (view.kind, view.name, view.entities) == ("FeatureView", "customer_orders", [entity])
    assert (view.source, view.ttl, view.online) == (source, CUSTOMER_ORDERS.ttl, True)
    assert [(field.name, field.dtype) for field in view.schema] == [
        ("orders_7d", "Float64"),
        ("average_amount_7d", "Float64"),
    ]
