"""The report of one day's sales as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypedDict


class Report(TypedDict):
    """Totals of the day and where the details are; `revenue` as decimal text."""

    day: str
    regions: int
    sales: int
    revenue: str
    path: str


def write(folder: Path, day: str, rows: Iterable[Sequence[Any]]) -> Report:
    """Write `<folder>/sales_<day>.csv` from rows of region, number of sales, revenue; an old one is replaced.

    A day without sales gives a file with the header only.
    """
    table = [(str(region), int(sales), Decimal(revenue)) for region, sales, revenue in rows]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"sales_{day}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["region", "sales", "revenue"])
        writer.writerows(table)
    return {
        "day": day,
        "regions": len(table),
        "sales": sum(sales for _, sales, _ in table),
        "revenue": str(sum((revenue for _, _, revenue in table), Decimal(0))),
        "path": str(path),
    }
