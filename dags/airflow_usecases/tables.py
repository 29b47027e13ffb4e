"""Measures of tables: the small facts that tasks tell each other instead of the rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from airflow_usecases.sales import ORDERS

_CUSTOMERS = ("Ada", "Bela", "Cleo", "Dora")


class Measure(TypedDict):
    """A table's name and size."""

    table: str
    rows: int


def measure(table: str) -> Measure:
    """Measure `orders` or `customers`. Raises KeyError for another table."""
    sizes = {"orders": len(ORDERS), "customers": len(_CUSTOMERS)}
    return {"table": table, "rows": sizes[table]}


def total_rows(measures: Iterable[Measure]) -> int:
    """Rows of all measured tables together."""
    return sum(measured["rows"] for measured in measures)


def changes(before: Iterable[Measure | None], now: Iterable[Measure]) -> list[str]:
    """One line per table, as `orders: 5 -> 6 rows`.

    Raises LookupError when the earlier run measured none of the tables: a mistyped run id is no empty result.
    """
    old = {measured["table"]: measured["rows"] for measured in before if measured is not None}
    if not old:
        raise LookupError("the run to compare with has no measures")
    return [
        f"{measured['table']}: {old.get(measured['table'], 'unknown')} -> {measured['rows']} rows"
        for measured in now
    ]
