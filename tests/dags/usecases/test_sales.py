"""The shop chain's arithmetic, without Airflow."""

from __future__ import annotations

import pytest

from airflow_usecases import sales


def order(**changes):
    return {"order_id": 1, "region": "north", "quantity": 2, "unit_price": "1.10"} | changes


def test_a_region_has_only_its_own_orders():
    assert [found["order_id"] for found in sales.sales_of_region("north")] == [1001, 1003, 1005]
    assert sales.sales_of_region("nowhere") == []


def test_prices_are_exact_decimals():
    priced = sales.price_orders([order(unit_price="0.10", quantity=3), order(order_id=2, unit_price="0.20")])
    assert priced == {"amounts": {"1": "0.30", "2": "0.40"}, "revenue": "0.70"}


def test_no_orders_are_worth_nothing():
    assert sales.price_orders([]) == {"amounts": {}, "revenue": "0"}


@pytest.mark.parametrize("quantity", [0, -1])
def test_an_order_of_less_than_one_piece_is_refused(quantity):
    with pytest.raises(ValueError, match=f"order 1 has quantity {quantity}"):
        sales.amount(order(quantity=quantity))


def test_the_largest_order_is_found_by_number_not_by_text():
    summary = sales.summarise("2026-03-02", {"7": "9.00", "8": "10.00"}, "19.00")
    assert summary == {"day": "2026-03-02", "orders": 2, "revenue": "19.00", "largest_order": 8}


def test_a_day_without_orders_has_no_summary():
    with pytest.raises(ValueError, match="no orders on 2026-03-02"):
        sales.summarise("2026-03-02", {}, "0")


def test_converted_amounts_are_rounded_half_up_to_cents():
    assert sales.convert(["10.00", "0.05"], "1.1") == ["11.00", "0.06"]


@pytest.mark.parametrize("rate", ["0", "-1"])
def test_a_rate_must_be_above_zero(rate):
    with pytest.raises(ValueError, match="not above 0"):
        sales.convert(["1"], rate)
