"""Which cities have enough orders for a delivery plan of their own, and what such a plan says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

CITIES = ("NYC", "LA", "SF")
_ORDERS_PER_VAN = 25


class Plan(TypedDict):
    """The delivery plan of one city and day."""

    city: str
    orders: int
    vans: int


def busy_cities(orders: Mapping[str, int], minimum: int, cities: Iterable[str] = CITIES) -> list[str]:
    """The cities with at least `minimum` orders, in the order of `cities`; one without a number has none.

    Raises ValueError for orders of a city that is not in `cities`: a typo must not drop a city silently.
    """
    known = list(cities)
    unknown = sorted(orders.keys() - set(known))
    if unknown:
        raise ValueError(f"orders of unknown cities: {', '.join(unknown)}")
    return [city for city in known if orders.get(city, 0) >= max(minimum, 1)]


def plan_city(city: str, orders: Mapping[str, int]) -> Plan:
    """How many vans of 25 orders each a city needs."""
    count = orders.get(city, 0)
    return {"city": city, "orders": count, "vans": -(-count // _ORDERS_PER_VAN)}
