"""Customers of a marketing campaign: whom to write to, and whether it is worth an export."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict


class Customer(TypedDict):
    """One customer; `inactive_days` counts since the last order."""

    customer_id: int
    inactive_days: int
    consent: bool


CUSTOMERS: tuple[Customer, ...] = (
    {"customer_id": 501, "inactive_days": 12, "consent": True},
    {"customer_id": 502, "inactive_days": 95, "consent": True},
    {"customer_id": 503, "inactive_days": 240, "consent": False},
    {"customer_id": 504, "inactive_days": 130, "consent": True},
    {"customer_id": 505, "inactive_days": 61, "consent": True},
    {"customer_id": 506, "inactive_days": 400, "consent": True},
)


def select_inactive(customers: Iterable[Customer], days: int) -> list[int]:
    """The ids of customers who have been inactive for at least `days` and may be written to."""
    return [c["customer_id"] for c in customers if c["consent"] and c["inactive_days"] >= days]


def export_lines(customer_ids: Iterable[int], campaign: str) -> list[str]:
    """One line per customer for the mailing system. Raises ValueError without a campaign."""
    if not campaign:
        raise ValueError("the export needs a campaign")
    return [f"{customer_id};{campaign}" for customer_id in customer_ids]
