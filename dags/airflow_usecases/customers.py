"""Customers of a small shop: the functions that the YAML definitions of phase 15 name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict


class Customer(TypedDict):
    """One customer as the shop delivers it."""

    customer_id: int
    email: str
    country: str


class Segment(TypedDict):
    """The customers of one country."""

    country: str
    customer_ids: list[int]


class Transformed(TypedDict):
    """What the transformation kept and what it dropped."""

    rows: int
    dropped: int
    customers: list[Customer]


_CUSTOMERS: tuple[Customer, ...] = (
    {"customer_id": 1, "email": " Ada@Example.com", "country": "de"},
    {"customer_id": 2, "email": "grace@example.com", "country": "us"},
    {"customer_id": 3, "email": "not an address", "country": "us"},
    {"customer_id": 4, "email": "linus@example.com ", "country": "fi"},
)


def extract_data() -> list[Customer]:
    """Read the customers; a real one would write them to a file and return its path."""
    return list(_CUSTOMERS)


def transform_data(customers: Iterable[Customer], minimum_rows: int = 1) -> Transformed:
    """Normalise addresses and countries; drop customers without a valid address.

    Raises ValueError when fewer than `minimum_rows` customers remain.
    """
    given = list(customers)
    kept: list[Customer] = []
    for customer in given:
        email = customer["email"].strip().lower()
        if "@" in email and " " not in email:
            country = customer["country"].upper()
            kept.append({"customer_id": customer["customer_id"], "email": email, "country": country})
    if len(kept) < minimum_rows:
        raise ValueError(f"{len(kept)} of {len(given)} customers are valid, {minimum_rows} are needed")
    return {"rows": len(kept), "dropped": len(given) - len(kept), "customers": kept}


def split_by_country(customers: Iterable[Customer]) -> list[Segment]:
    """One segment for each country, in alphabetical order."""
    countries: dict[str, list[int]] = {}
    for customer in customers:
        countries.setdefault(customer["country"].upper(), []).append(customer["customer_id"])
    return [{"country": country, "customer_ids": countries[country]} for country in sorted(countries)]


def summarise_country(segment: Segment) -> str:
    """One line about one country."""
    return f"{segment['country']}: {len(segment['customer_ids'])}"
