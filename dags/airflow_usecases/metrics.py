"""What an import of orders measures, as a page in Prometheus' text format.

Metric names follow https://prometheus.io/docs/practices/naming/: base units (seconds), `_total` for counters.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import TypedDict

# upper bounds in seconds: fine where an order normally lies, coarse where it no longer matters
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.5)


class Distribution(TypedDict):
    """How values spread: `at_most` says for each upper bound (the last: `+Inf`) how many do not exceed it."""

    at_most: dict[str, int]
    total: float


class Measured(TypedDict):
    """One run: orders by region, orders refused, orders still waiting, how the seconds per order spread.

    As small for a million orders as for six.
    """

    imported: dict[str, int]
    rejected: int
    backlog: int
    seconds: Distribution


def distribution(values: Iterable[float], bounds: Iterable[float] = BUCKETS) -> Distribution:
    """How many of the values lie at or below each bound, as a histogram of Prometheus counts them."""
    known = list(values)
    at_most = {str(bound): sum(value <= bound for value in known) for bound in sorted(bounds)}
    return {"at_most": at_most | {"+Inf": len(known)}, "total": sum(known)}


def sla_used(due: datetime.datetime, now: datetime.datetime, target: datetime.timedelta) -> float:
    """The share of the agreed time that is used up: 1.0 is the deadline. ValueError for an empty target."""
    if target <= datetime.timedelta(0):
        raise ValueError("the agreed time is not longer than nothing")
    return (now - due).total_seconds() / target.total_seconds()


def exposition(measured: Measured, used: float) -> str:
    """The measurements of one run as text: a Counter, a Gauge and a Histogram each say what they can.

    A registry of its own: the default one would add the figures of the worker's Python process.
    """
    from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
    from prometheus_client.core import HistogramMetricFamily, Metric
    from prometheus_client.registry import Collector

    class Fixed(Collector):
        """A family that is complete already."""

        def collect(self) -> Iterable[Metric]:
            return [seconds]

    registry = CollectorRegistry()
    imported = Counter("orders_imported", "Orders imported", ["region"], registry=registry)
    for region, count in measured["imported"].items():
        imported.labels(region=region).inc(count)
    rejected = Counter("orders_rejected", "Orders refused by validation", registry=registry)
    rejected.inc(measured["rejected"])
    backlog = Gauge("orders_backlog", "Orders not imported yet", registry=registry)
    backlog.set(measured["backlog"])
    # counted by another task: the library's own Histogram takes single values only
    seconds = HistogramMetricFamily(
        "order_import_seconds",
        "Time that one order took",
        buckets=list(measured["seconds"]["at_most"].items()),
        sum_value=measured["seconds"]["total"],
    )
    registry.register(Fixed())
    sla = Gauge("order_import_sla_used_ratio", "Share of the agreed time that is used up", registry=registry)
    sla.set(used)
    return generate_latest(registry).decode()
