"""A feature store's operations, on files: write features, materialize, read online, read as of a time.

`FileStore` is small enough to read and has the semantics of the big ones: the offline store keeps every
value with the time it became true, the online store keeps the newest one. `FeastStore` has the same
methods on Feast.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
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
        """The values that a model is served with now."""


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


def is_stale(watermark: str | None, now: datetime, ttl: timedelta) -> bool:
    """Whether the newest value is older than `ttl`, or there is none."""
    return watermark is None or now - datetime.fromisoformat(watermark) > ttl


class FileStore:
    """A store in a folder: `<view>.offline.json` and `<view>.online.json`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, view: FeatureView, rows: Iterable[Row]) -> int:
        """Add rows; one for the same entity and time replaces the older one. Returns the number of rows held.

        Raises ValueError for a row that has not exactly the view's features.
        """
        held = {(row["entity_id"], row["event_time"]): row for row in self._offline(view)}
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
        newest: dict[str, Row] = {}
        for row in self._offline(view):
            at = datetime.fromisoformat(row["event_time"])
            before = newest.get(row["entity_id"])
            if at <= until and (before is None or at >= datetime.fromisoformat(before["event_time"])):
                newest[row["entity_id"]] = row
        self._save(view, "online", newest)
        times = [row["event_time"] for row in newest.values()]
        return max(times, key=datetime.fromisoformat, default=None)

    def online(self, view: FeatureView, entity_id: str) -> dict[str, float] | None:
        """The values served now, None for an unknown entity."""
        row = self._load(view, "online", {}).get(entity_id)
        return dict(row["values"]) if row else None

    def as_of(self, view: FeatureView, entity_id: str, at: datetime) -> dict[str, float] | None:
        """The values that were true at a time, for training: none from later, none older than the ttl."""
        best: tuple[datetime, Mapping[str, float]] | None = None
        for row in self._offline(view):
            then = datetime.fromisoformat(row["event_time"])
            fits = row["entity_id"] == entity_id and at - view.ttl <= then <= at
            if fits and (best is None or then >= best[0]):
                best = (then, row["values"])
        return dict(best[1]) if best else None

    def entities(self, view: FeatureView) -> list[str]:
        """Every entity that the offline store knows."""
        return sorted({row["entity_id"] for row in self._offline(view)})

    def latest(self, view: FeatureView, entity_id: str) -> dict[str, float] | None:
        """The newest values of the offline store."""
        rows = [row for row in self._offline(view) if row["entity_id"] == entity_id]
        newest = max(rows, key=lambda row: datetime.fromisoformat(row["event_time"]), default=None)
        return dict(newest["values"]) if newest else None

    def _offline(self, view: FeatureView) -> list[Row]:
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


class FeastStore:
    """The same on Feast (https://docs.feast.dev): `repository` is the folder with feature_store.yaml."""

    def __init__(self, repository: str) -> None:
        from feast import FeatureStore as Feast  # type: ignore[import-not-found,unused-ignore]

        self._feast = Feast(repo_path=repository)

    def write(self, view: FeatureView, rows: Iterable[Row]) -> int:
        """Push rows to the offline store of the view's push source, which has the view's name."""
        import pandas as pd  # type: ignore[import-untyped,unused-ignore]
        from feast.data_source import PushMode  # type: ignore[import-not-found,unused-ignore]

        given = list(rows)
        flat = [
            {view.entity: row["entity_id"], "event_timestamp": row["event_time"], **row["values"]}
            for row in given
        ]
        frame = pd.DataFrame(flat)
        frame["event_timestamp"] = pd.to_datetime(frame["event_timestamp"], utc=True)
        self._feast.push(view.name, frame, to=PushMode.OFFLINE)
        return len(given)

    def materialize(self, view: FeatureView, until: datetime) -> str | None:
        """Feast copies what is new but does not say how new it is, so `until` is returned."""
        self._feast.materialize_incremental(end_date=until, feature_views=[view.name])
        return until.isoformat()

    def online(self, view: FeatureView, entity_id: str) -> dict[str, float] | None:
        """The values served now, None for an unknown entity."""
        answer = self._feast.get_online_features(
            features=[f"{view.name}:{feature}" for feature in view.features],
            entity_rows=[{view.entity: entity_id}],
        ).to_dict()
        values = {feature: answer[feature][0] for feature in view.features}
        return None if None in values.values() else values
