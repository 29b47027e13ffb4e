"""A feature store's operations, on files: write features, materialize, read online, read as of a time.

`FileStore` is small enough to read and has the semantics of the big ones: the offline store keeps every
value with the time it became true, the online store keeps the newest one. `feast_store.FeastStore` is the
same on Feast.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypedDict


@dataclass(frozen=True)
class FeatureView:
    """A named set of features of one entity; values older than `ttl` are stale."""

    name: str
    entity: str
    features: tuple[str, ...]
    ttl: timedelta


class Row(TypedDict):
    """The features of one entity at one time; `event_time` is ISO 8601 with an offset."""

    entity_id: str
    event_time: str
    values: dict[str, float]


class Order(TypedDict):
    """One order, the source of the features."""

    customer: str
    at: str
    amount: float


CUSTOMER_ORDERS = FeatureView(
    "customer_orders", "customer", ("orders_7d", "average_amount_7d"), ttl=timedelta(days=2)
)

ORDERS: tuple[Order, ...] = (
    {"customer": "ada", "at": "2026-01-03T10:00:00+00:00", "amount": 20.0},
    {"customer": "ada", "at": "2026-01-06T09:00:00+00:00", "amount": 40.0},
    {"customer": "grace", "at": "2026-01-07T18:00:00+00:00", "amount": 15.0},
    {"customer": "ada", "at": "2026-01-12T08:00:00+00:00", "amount": 90.0},
)


class FeatureStore(Protocol):
    """What the pipeline needs of a store."""

    def write(self, view: FeatureView, rows: Iterable[Row]) -> int:
        """Add rows to the offline store."""

    def materialize(self, view: FeatureView, until: datetime) -> str | None:
        """Copy the newest values up to `until` to the online store; their newest time, None without rows."""

    def online(self, view: FeatureView, entity_id: str) -> dict[str, float] | None:
        """The values that a model is served with now, None for an unknown entity."""

    def as_of(self, view: FeatureView, entity_id: str, at: datetime) -> dict[str, float] | None:
        """The values that were true at a time, for training: none from later, none older than the ttl."""

    def entities(self, view: FeatureView) -> list[str]:
        """Every entity that the offline store knows."""

    def latest(self, view: FeatureView, entity_id: str) -> dict[str, float] | None:
        """The newest values of the offline store."""


class OfflineReads:
    """What a store answers out of its offline rows; a store brings `rows`."""

    def rows(self, view: FeatureView) -> list[Row]:
        """Every row of the offline store."""
        raise NotImplementedError

    def as_of(self, view: FeatureView, entity_id: str, at: datetime) -> dict[str, float] | None:
        """The values that were true at a time, for training: none from later, none older than the ttl."""
        fits = [row for row in self._of(view, entity_id) if at - view.ttl <= _time(row) <= at]
        return _newest(fits)

    def entities(self, view: FeatureView) -> list[str]:
        """Every entity that the offline store knows."""
        return sorted({row["entity_id"] for row in self.rows(view)})

    def latest(self, view: FeatureView, entity_id: str) -> dict[str, float] | None:
        """The newest values of the offline store."""
        return _newest(self._of(view, entity_id))

    def _of(self, view: FeatureView, entity_id: str) -> list[Row]:
        return [row for row in self.rows(view) if row["entity_id"] == entity_id]


def _time(row: Row) -> datetime:
    return datetime.fromisoformat(row["event_time"])


def _newest(rows: Iterable[Row]) -> dict[str, float] | None:
    ordered = sorted(rows, key=_time)  # stable: of equal times the last one counts
    return dict(ordered[-1]["values"]) if ordered else None


def compute_features(orders: Iterable[Order], until: datetime) -> list[Row]:
    """For each order: its customer's orders and their average amount in 7 days; none after `until`."""
    past = [(order, datetime.fromisoformat(order["at"])) for order in orders]
    past = [(order, at) for order, at in past if at <= until]
    rows: list[Row] = []
    for order, at in past:
        window = [
            other["amount"]
            for other, then in past
            if other["customer"] == order["customer"] and at - timedelta(days=7) < then <= at
        ]
        values = {"orders_7d": float(len(window)), "average_amount_7d": sum(window) / len(window)}
        rows.append({"entity_id": order["customer"], "event_time": order["at"], "values": values})
    return rows


def watermark(rows: Iterable[Row], until: datetime) -> str | None:
    """The newest event time of rows up to `until`, None without rows."""
    times = (row["event_time"] for row in rows if _time(row) <= until)
    return max(times, key=datetime.fromisoformat, default=None)


def is_stale(newest: str | None, now: datetime, ttl: timedelta) -> bool:
    """Whether the newest value is older than `ttl`, or there is none."""
    return newest is None or now - datetime.fromisoformat(newest) > ttl


class FileStore(OfflineReads):
    """A store in a folder: `<view>.offline.json` and `<view>.online.json`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, view: FeatureView, rows: Iterable[Row]) -> int:
        """Add rows; one for the same entity and time replaces the older one. Returns the number of rows held.

        Raises ValueError for a row that has not exactly the view's features.
        """
        held = {(row["entity_id"], row["event_time"]): row for row in self.rows(view)}
        for row in rows:
            if set(row["values"]) != set(view.features):
                raise ValueError(
                    f"{view.name} has {', '.join(view.features)}; not {', '.join(row['values'])}"
                )
            held[row["entity_id"], row["event_time"]] = row
        self._save(view, "offline", [held[key] for key in sorted(held)])
        return len(held)

    def materialize(self, view: FeatureView, until: datetime) -> str | None:
        """Copy the newest values up to `until` to the online store; returns the newest event time."""
        held = [row for row in self.rows(view) if _time(row) <= until]
        newest = {row["entity_id"]: row for row in sorted(held, key=_time)}
        self._save(view, "online", newest)
        return watermark(held, until)

    def online(self, view: FeatureView, entity_id: str) -> dict[str, float] | None:
        """The values served now, None for an unknown entity."""
        row = self._load(view, "online", {}).get(entity_id)
        return dict(row["values"]) if row else None

    def rows(self, view: FeatureView) -> list[Row]:
        """Every row of the offline store."""
        rows: list[Row] = self._load(view, "offline", [])
        return rows

    def _load(self, view: FeatureView, kind: str, default: Any) -> Any:
        path = self._folder / f"{view.name}.{kind}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else default

    def _save(self, view: FeatureView, kind: str, content: Any) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{view.name}.{kind}.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(content), encoding="utf-8")
        partial.replace(path)  # a reader sees the old values or the new ones
