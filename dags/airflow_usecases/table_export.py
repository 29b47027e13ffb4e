"""Export tables of a shop as JSON lines, one object for each table and day."""

from __future__ import annotations

import json
from typing import Any, TypedDict

_TABLES: dict[str, tuple[dict[str, Any], ...]] = {
    "orders": ({"order_id": 1, "customer_id": 7}, {"order_id": 2, "customer_id": 8}),
    "customers": ({"customer_id": 7}, {"customer_id": 8}),
    "refunds": ({"order_id": 2, "amount": "19.90"},),
}


class Export(TypedDict):
    """Where a table was written to, and how many rows it had."""

    table: str
    path: str
    rows: int


def export_table(table: str, target: str, day: str) -> Export:
    """Write `<target>/<table>/<day>.jsonl`; a second run of the day writes the same object again.

    `target` is any URL of ObjectStoragePath, such as file:///exports or s3://conn@bucket/exports. Raises
    KeyError for an unknown table.
    """
    from airflow.sdk import ObjectStoragePath

    rows = _TABLES[table]
    folder = ObjectStoragePath(target) / table
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{day}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"table": table, "path": str(path), "rows": len(rows)}


def compare_counts(orders: Export, customers: Export, refunds: Export) -> int:
    """How many rows were exported. Raises ValueError when there are more refunds than orders."""
    if refunds["rows"] > orders["rows"]:
        raise ValueError(f"{refunds['rows']} refunds of {orders['rows']} orders")
    return orders["rows"] + customers["rows"] + refunds["rows"]
