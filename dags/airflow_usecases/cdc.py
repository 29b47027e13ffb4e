"""Change data capture of orders: raw changes, their history without repetitions, totals of what is current.

A change feed delivers *at least* once: the same change may come twice. Its `lsn`, the position in the
source's log, identifies it; of two changes of one order the one with the higher `lsn` is the later one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal, TypedDict

_OPERATIONS = frozenset("IUD")


class Change(TypedDict):
    """One row of the feed. `payload` is the row after the change; empty for a deletion."""

    lsn: int
    op: Literal["I", "U", "D"]
    order_id: int
    payload: dict[str, Any]
    changed_at: str


class Version(Change):
    """One change in the history of its order; `valid_to` is when the next one came, None for the current."""

    valid_to: str | None


class Total(TypedDict):
    """What one customer has ordered; `revenue` as decimal text."""

    customer: str
    orders: int
    revenue: str


def change_of(row: Mapping[str, Any]) -> Change:
    """A row of the feed's table as a change. Raises ValueError for an operation that is none of I, U, D."""
    if row["op"] not in _OPERATIONS:
        raise ValueError(f"change {row['lsn']}: unknown operation {row['op']!r}")
    return {
        "lsn": int(row["lsn"]),
        "op": row["op"],
        "order_id": int(row["order_id"]),
        "payload": row["payload"] or {},
        "changed_at": row["changed_at"].isoformat(),
    }


def merge(history: Iterable[Version], changes: Iterable[Change]) -> list[Version]:
    """The history with the changes added, each change exactly once, ordered by `lsn`.

    Merging the same changes again returns the same history.
    """
    by_lsn: dict[int, Version] = {version["lsn"]: version for version in history}
    for change in changes:
        by_lsn.setdefault(change["lsn"], {**change, "valid_to": None})
    versions = [by_lsn[lsn] for lsn in sorted(by_lsn)]
    later: dict[int, str] = {}
    for version in reversed(versions):
        version["valid_to"] = later.get(version["order_id"])
        later[version["order_id"]] = version["changed_at"]
    return versions


def totals(history: Iterable[Version]) -> list[Total]:
    """Orders and revenue by customer of the orders that exist now, sorted by customer."""
    revenue: dict[str, list[Decimal]] = {}
    for version in history:
        if version["valid_to"] is None and version["op"] != "D":
            amount = Decimal(str(version["payload"]["amount"]))
            revenue.setdefault(version["payload"]["customer"], []).append(amount)
    return [
        {"customer": customer, "orders": len(amounts), "revenue": str(sum(amounts, Decimal(0)))}
        for customer, amounts in sorted(revenue.items())
    ]


def to_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """JSON lines, the keys of each row sorted: the same rows give the same bytes."""
    return "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)


def from_lines(text: str) -> list[Any]:
    """The rows of `to_lines`."""
    return [json.loads(line) for line in text.splitlines()]
