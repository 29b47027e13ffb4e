"""A day of sales as files: what the shops' API delivers, priced, and loaded as one partition.

One folder per day; each step writes its file anew through a partial file, so that a repeated day has the
same content and a reader never sees half of it.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypedDict

RECORDS = 1000
_SHOPS = ("north", "south", "west", "east")


class Extracted(TypedDict):
    """What was fetched, and where it is."""

    records: int
    source: str
    date: str
    path: str


class Processed(TypedDict):
    """What was computed, and where it is."""

    processed: int
    status: str
    date: str
    path: str


class Loaded(TypedDict):
    """What is in the partition of the day; `revenue` as decimal text."""

    loaded: int
    revenue: str
    partition: str


def sample_api(day: str) -> Iterator[dict[str, Any]]:
    """A stand-in for the shops' API: the same 1,000 sales for the same day."""
    offset = datetime.date.fromisoformat(day).toordinal()
    for number in range(RECORDS):
        yield {
            "sale_id": f"{day}-{number:04d}",
            "shop": _SHOPS[(number + offset) % len(_SHOPS)],
            "quantity": (number * 7 + offset) % 5 + 1,
            "unit_price": f"{(number * 13 + offset) % 90 + 10}.50",
        }


def extract(
    folder: Path, day: str, fetch: Callable[[str], Iterable[Mapping[str, Any]]] = sample_api
) -> Extracted:
    """Write the sales of a day to `<folder>/<day>/raw.jsonl`."""
    path = folder / day / "raw.jsonl"
    records = _write(path, fetch(day))
    return {"records": records, "source": "api", "date": day, "path": str(path)}


def transform(extracted: Extracted) -> Processed:
    """Add the amount of each sale. Raises ValueError when rows have got lost since the extraction."""
    source = Path(extracted["path"])
    path = source.with_name("priced.jsonl")
    processed = _write(path, map(_priced, _read(source)))
    if processed != extracted["records"]:
        raise ValueError(f"{source}: {processed} rows instead of {extracted['records']}")
    return {"processed": processed, "status": "success", "date": extracted["date"], "path": str(path)}


def load(processed: Processed, warehouse: Path) -> Loaded:
    """Replace the partition of the day, `<warehouse>/sale_date=<day>/sales.jsonl`."""
    partition = warehouse / f"sale_date={processed['date']}" / "sales.jsonl"
    rows = list(_read(Path(processed["path"])))
    revenue = sum((Decimal(row["amount"]) for row in rows), Decimal(0))
    return {"loaded": _write(partition, rows), "revenue": str(revenue), "partition": str(partition)}


def _priced(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "amount": str(row["quantity"] * Decimal(row["unit_price"]))}


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    count = 0
    with partial.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(row, sort_keys=True) + "\n")
            count += 1
    partial.replace(path)
    return count
