"""Orders of a small shop chain: the data and the arithmetic that the introductory DAGs share.

Amounts are `Decimal` inside and strings at the edges: a float has no exact cents, and JSON has no decimals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypedDict


class Order(TypedDict):
    """One order as the shop delivers it; `unit_price` is a decimal number in the shop's currency."""

    order_id: int
    region: str
    quantity: int
    unit_price: str


class Summary(TypedDict):
    """The result of one day."""

    day: str
    orders: int
    revenue: str
    largest_order: int


ORDERS: tuple[Order, ...] = (
    {"order_id": 1001, "region": "north", "quantity": 2, "unit_price": "19.90"},
    {"order_id": 1002, "region": "south", "quantity": 1, "unit_price": "249.00"},
    {"order_id": 1003, "region": "north", "quantity": 5, "unit_price": "3.35"},
    {"order_id": 1004, "region": "west", "quantity": 3, "unit_price": "12.50"},
    {"order_id": 1005, "region": "north", "quantity": 1, "unit_price": "99.95"},
    {"order_id": 1006, "region": "south", "quantity": 4, "unit_price": "8.25"},
)
_CENT = Decimal("0.01")


def sales_of_region(region: str, orders: Iterable[Order] = ORDERS) -> list[Order]:
    """The orders of one region, in their order. An unknown region has none."""
    return [order for order in orders if order["region"] == region]


def amount(order: Order) -> Decimal:
    """What an order is worth. Raises ValueError for a quantity below 1."""
    if order["quantity"] < 1:
        raise ValueError(f"order {order['order_id']} has quantity {order['quantity']}")
    return order["quantity"] * Decimal(order["unit_price"])


def price_orders(orders: Iterable[Order]) -> dict[str, Any]:
    """Price orders: `amounts` (order id as text -> amount) and `revenue`, their sum; both as text."""
    amounts = {str(order["order_id"]): amount(order) for order in orders}
    return {
        "amounts": {order_id: str(value) for order_id, value in amounts.items()},
        "revenue": str(sum(amounts.values(), Decimal(0))),
    }


def summarise(day: str, amounts: Mapping[str, str], revenue: str) -> Summary:
    """Summarise one day of priced orders. Raises ValueError when there are none."""
    if not amounts:
        raise ValueError(f"no orders on {day}")
    largest = max(amounts, key=lambda order_id: Decimal(amounts[order_id]))
    return {"day": day, "orders": len(amounts), "revenue": revenue, "largest_order": int(largest)}


def convert(amounts: Iterable[str], rate: str) -> list[str]:
    """Convert amounts at a rate, each rounded half up to cents. Raises ValueError for a rate of 0 or less."""
    factor = Decimal(rate)
    if factor <= 0:
        raise ValueError(f"rate {rate} is not above 0")
    return [str((Decimal(value) * factor).quantize(_CENT, ROUND_HALF_UP)) for value in amounts]
