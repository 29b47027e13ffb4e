"""Orders on their way through three DAGs: what each step hands to the next, as plain functions.

`new_orders` and `watermark` are the incremental load: the watermark is the highest order id seen so far.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from airflow_usecases.sales import Order, amount

STEPS = ("ingest", "transform", "report")


def fail_if(wanted: str, step: str) -> None:
    """Raise ValueError when `wanted` names this step or no step at all; nothing for an empty name."""
    if wanted and wanted not in STEPS:
        raise ValueError(f"no step {wanted!r}; there are {', '.join(STEPS)}")
    if wanted == step:
        raise ValueError(f"{step} failed as asked")


def new_orders(orders: Iterable[Order], watermark: int) -> list[Order]:
    """The orders above the watermark, in order of their ids."""
    return sorted((o for o in orders if o["order_id"] > watermark), key=lambda order: order["order_id"])


def manifest(orders: list[Order], watermark: int) -> dict[str, Any]:
    """What the ingest hands on: `orders`, `first`, `last` and `watermark` (the old one without orders)."""
    ids = [order["order_id"] for order in orders]
    return {
        "orders": len(ids),
        "first": min(ids, default=0),
        "last": max(ids, default=0),
        "watermark": max([watermark, *ids]),
    }


def revenue_between(orders: Iterable[Order], first: int, last: int) -> str:
    """The revenue of the orders with first <= id <= last, as text."""
    return str(sum((amount(order) for order in orders if first <= order["order_id"] <= last), Decimal(0)))
