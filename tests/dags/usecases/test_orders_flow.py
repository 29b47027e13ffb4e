"""Orders between three DAGs."""

from __future__ import annotations

import pytest

from airflow_usecases import orders_flow
from airflow_usecases.sales import ORDERS


def test_only_orders_above_the_watermark_are_new():
    assert [order["order_id"] for order in orders_flow.new_orders(ORDERS, 1004)] == [1005, 1006]


def test_the_manifest_moves_the_watermark():
    manifest = orders_flow.manifest(orders_flow.new_orders(ORDERS, 1004), 1004)
    assert manifest == {"orders": 2, "first": 1005, "last": 1006, "watermark": 1006}


def test_no_new_orders_keep_the_watermark():
    assert orders_flow.manifest([], 1006) == {"orders": 0, "first": 0, "last": 0, "watermark": 1006}


def test_revenue_of_a_range_of_orders():
    assert orders_flow.revenue_between(ORDERS, 1001, 1002) == "288.80"
    assert orders_flow.revenue_between(ORDERS, 0, 0) == "0"


def test_a_step_fails_only_when_it_is_named():
    orders_flow.fail_if("", "ingest")
    orders_flow.fail_if("report", "ingest")
    with pytest.raises(ValueError, match="report failed"):
        orders_flow.fail_if("report", "report")
    with pytest.raises(ValueError, match="no step 'deploy'"):
        orders_flow.fail_if("deploy", "ingest")
