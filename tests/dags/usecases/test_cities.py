"""Which cities are busy enough, and how many vans they need."""

from __future__ import annotations

import pytest

from airflow_usecases import cities


def test_the_order_is_that_of_the_cities_and_the_minimum_itself_is_enough():
    assert cities.busy_cities({"SF": 50, "NYC": 49, "LA": 51}, 50) == ["LA", "SF"]


def test_no_orders_are_never_busy():
    assert cities.busy_cities({"SF": 0}, 0) == []


def test_a_misspelt_city_is_an_error():
    with pytest.raises(ValueError, match="NYX"):
        cities.busy_cities({"NYX": 5}, 1)


@pytest.mark.parametrize(("orders", "vans"), [(0, 0), (1, 1), (25, 1), (26, 2), (120, 5)])
def test_a_van_takes_25_orders(orders, vans):
    assert cities.plan_city("LA", {"LA": orders}) == {"city": "LA", "orders": orders, "vans": vans}
