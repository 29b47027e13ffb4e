"""Bronze, Silver and Gold of the orders in S3: what is stored under which key, and what has been applied.

Each layer knows by itself how far it is: Bronze by the names of its objects, Silver and Gold by the `lsn`
in them. Nothing else is remembered, so a step that failed is caught up by the next run, and a repeated one
changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypedDict

from airflow_usecases import cdc

BRONZE, SILVER, GOLD = "bronze-bucket", "silver-bucket", "gold-bucket"
CHANGES = "orders/changes/"
HISTORY = "orders/history.jsonl"
REVENUE = "orders/revenue_by_customer.json"


class Step(TypedDict):
    """What a step did: rows it added or holds, the last `lsn`, and the object."""

    rows: int
    last_lsn: int
    key: str


class Store(Protocol):
    """What is needed of Airflow's `S3Hook`."""

    def list_keys(self, bucket_name: str, prefix: str) -> list[str]:
        """Every key with the prefix."""

    def check_for_key(self, key: str, bucket_name: str) -> bool:
        """Whether the object exists."""

    def read_key(self, key: str, bucket_name: str) -> str:
        """The object's text."""

    def load_string(self, string_data: str, key: str, bucket_name: str, replace: bool) -> None:
        """Write the object."""


def bronze_key(first_lsn: int, last_lsn: int) -> str:
    """The name of a batch: sorts by position."""
    return f"{CHANGES}{first_lsn:020d}-{last_lsn:020d}.jsonl"


def last_lsn_of(key: str) -> int:
    """The position of the last change in a batch, out of its name."""
    return int(key.removesuffix(".jsonl").rpartition("-")[2])


def bronze_position(store: Store) -> int:
    """The `lsn` up to which Bronze is complete; 0 when it is empty."""
    return max(map(last_lsn_of, store.list_keys(BRONZE, CHANGES)), default=0)


def add_to_bronze(store: Store, changes: Sequence[cdc.Change]) -> Step:
    """Store one batch, ordered by `lsn`, as it came. Raises ValueError for an empty one."""
    if not changes:
        raise ValueError("empty batch")
    key = bronze_key(changes[0]["lsn"], changes[-1]["lsn"])
    store.load_string(cdc.to_lines(changes), key, BRONZE, replace=True)
    return {"rows": len(changes), "last_lsn": changes[-1]["lsn"], "key": key}


def refresh_silver(store: Store) -> Step | None:
    """Add what Bronze has and Silver has not; None when that is nothing."""
    history = _history(store)
    done = _position(history)
    new = [key for key in store.list_keys(BRONZE, CHANGES) if last_lsn_of(key) > done]
    if not new:
        return None
    changes = [change for key in sorted(new) for change in cdc.from_lines(store.read_key(key, BRONZE))]
    merged = cdc.merge(history, changes)
    store.load_string(cdc.to_lines(merged), HISTORY, SILVER, replace=True)
    return {"rows": len(merged) - len(history), "last_lsn": _position(merged), "key": HISTORY}


def refresh_gold(store: Store) -> Step | None:
    """Compute the totals anew when Silver has moved on; None when it has not."""
    history = _history(store)
    position = _position(history)
    if _gold_position(store) == position:
        return None
    totals = cdc.totals(history)
    content: dict[str, Any] = {"last_lsn": position, "customers": totals}
    store.load_string(json.dumps(content, sort_keys=True), REVENUE, GOLD, replace=True)
    return {"rows": len(totals), "last_lsn": position, "key": REVENUE}


def _history(store: Store) -> list[cdc.Version]:
    if not store.check_for_key(HISTORY, SILVER):
        return []
    return cdc.from_lines(store.read_key(HISTORY, SILVER))


def _gold_position(store: Store) -> int:
    if not store.check_for_key(REVENUE, GOLD):
        return 0
    return int(json.loads(store.read_key(REVENUE, GOLD))["last_lsn"])


def _position(rows: Iterable[cdc.Change]) -> int:
    return max((row["lsn"] for row in rows), default=0)
