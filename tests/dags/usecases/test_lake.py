"""The facts of the shop's assets."""

from __future__ import annotations

import hashlib

import pytest

from airflow_usecases import lake
from airflow_usecases.sales import ORDERS


def test_the_same_orders_give_the_same_bytes():
    content = lake.orders_csv(ORDERS[:1])
    assert content == b"order_id,region,quantity,unit_price\n1001,north,2,19.90\n"
    assert lake.orders_csv(ORDERS[:1]) == content


def test_facts_of_a_file():
    content = lake.orders_csv(ORDERS)
    expected = {"bytes": len(content), "rows": 6, "sha256": hashlib.sha256(content).hexdigest()}
    assert lake.file_facts(content) == expected
    assert lake.file_facts(b"")["rows"] == 0


def test_facts_of_the_table_and_of_the_rates():
    assert lake.table_facts(ORDERS[:2], "2026-03-02") == {"day": "2026-03-02", "rows": 2, "revenue": "288.80"}
    assert lake.rate_facts("GBP") == {"currency": "GBP", "rate": "0.79"}
    with pytest.raises(KeyError, match="USD"):
        lake.rate_facts("USD")


def test_a_model_version_is_an_asset_of_its_own():
    assert lake.model_asset(3) == ("churn_model_v3", "mlflow://models/churn/3")
    with pytest.raises(ValueError, match="version 0"):
        lake.model_asset(0)
